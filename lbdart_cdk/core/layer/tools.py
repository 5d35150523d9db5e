"""The packaging tools by name, for scripts without CDK."""

from __future__ import annotations

from enum import StrEnum


class LayerBuildToolEnum(StrEnum):
    """The packaging tools whose manifests are understood."""

    uv = "uv"
    poetry = "poetry"
    pdm = "pdm"
    pip = "pip"
    pylock = "pylock"


_MANIFEST_NAMES = {
    LayerBuildToolEnum.uv: "uv.lock",
    LayerBuildToolEnum.poetry: "poetry.lock",
    LayerBuildToolEnum.pdm: "pdm.lock",
    LayerBuildToolEnum.pip: "requirements.txt",
    LayerBuildToolEnum.pylock: "pylock.toml",
}
_WITH_WORKSPACES = (LayerBuildToolEnum.uv,)
