"""Names, places and identities of a layer: what every other layer module builds on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LbdartError
from ..s3 import S3Path
from .records import SBOM_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from .records import S3Member

__all__ = [
    "ZFILL",
    "BaseLogger",
    "LayerBuildToolEnum",
    "LayerManifest",
    "LayerManifestManager",
    "LayerPathLayout",
    "LayerS3Layout",
    "S3MetadataKeyEnum",
    "refuse_unless_path",
]

ZFILL = 6
"""Digits of a layer version in an S3 key, so that versions sort as numbers."""

CONTAINER_ROOT = "/var/task"
"""Where the Lambda build image has the project mounted."""


class S3MetadataKeyEnum(StrEnum):
    """Keys of the user metadata on our S3 objects."""

    manifest_md5 = "manifest_md5"
    build_key = "build_key"
    source_sha256 = "source_sha256"
    layer_version_arn = "layer_version_arn"


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


@dataclass(frozen=True, kw_only=True)
class BaseLogger:
    """Logs the steps of a run.

    :param verbose: whether anything is printed at all.
    :param printer: takes one line.
    """

    verbose: bool = True
    printer: Callable[[str], None] = print

    def log(self, message: str) -> None:
        """Print a line, if verbose."""
        if self.verbose:
            self.printer(message)

    def log_header(self, title: str) -> None:
        """Print a line that opens a step, if verbose."""
        self.log(f"--- {title}")


@dataclass(frozen=True)
class LayerPathLayout:
    """Paths of a layer build; nothing is created.

    :param path_pyproject_toml: the project's ``pyproject.toml``; its folder is the project root.
    """

    path_pyproject_toml: Path

    def __post_init__(self) -> None:
        refuse_unless_path("path_pyproject_toml", self.path_pyproject_toml, "pyproject.toml")

    @property
    def dir_project_root(self) -> Path:
        """Folder of the project."""
        return self.path_pyproject_toml.parent

    @property
    def dir_build_lambda_layer(self) -> Path:
        """``{root}/build/lambda/layer``."""
        return self.dir_project_root / "build" / "lambda" / "layer"

    @property
    def dir_repo(self) -> Path:
        """``{layer}/repo``, the copy of the project that a builder works in."""
        return self.dir_build_lambda_layer / "repo"

    @property
    def dir_artifacts(self) -> Path:
        """``{layer}/artifacts``, the tree that becomes the root of the zip."""
        return self.dir_build_lambda_layer / "artifacts"

    @property
    def dir_python(self) -> Path:
        """``{layer}/artifacts/python``; Lambda has it on ``sys.path`` (AWS: Packaging your layer content)."""
        return self.dir_artifacts / "python"

    @property
    def dir_wheels(self) -> Path:
        """``{layer}/wheels``, wheels that are packed without being unpacked."""
        return self.dir_build_lambda_layer / "wheels"

    def get_path_manifest(self, tool: LayerBuildToolEnum) -> Path:
        """Where the tool's manifest is: ``{root}/uv.lock`` and the like; above it for a workspace's member.

        :raises LbdartError: if there is no such tool.
        """
        if tool not in _MANIFEST_NAMES:
            raise LbdartError(f"There is no tool {tool!r}.", f"Choose one of {', '.join(_MANIFEST_NAMES)}.")
        root, name = self.dir_project_root, _MANIFEST_NAMES[tool]
        above = root.absolute().parents if tool in _WITH_WORKSPACES else ()
        return next((place / name for place in (root, *above) if (place / name).is_file()), root / name)

    @property
    def path_build_lambda_layer_zip(self) -> Path:
        """``{layer}/layer.zip``."""
        return self.dir_build_lambda_layer / "layer.zip"

    @property
    def path_private_repository_credentials_in_local(self) -> Path:
        """``{root}/build/lambda/private-repository-credentials.json``."""
        return self.dir_project_root / "build" / "lambda" / "private-repository-credentials.json"

    def get_path_in_container(self, path: Path) -> str:
        """Where a file of the project is in the build container: ``/var/task/...``.

        :raises LbdartError: if the path is outside the project root, which is all the container sees.
        """
        root = self.dir_project_root.resolve()
        try:
            relative = path.resolve().relative_to(root)
        except ValueError:
            raise LbdartError(
                f"{path} is outside the project root {self.dir_project_root}, "
                "the only folder that the build container sees.",
                "Move or copy it below the project root.",
            ) from None
        return "/".join([CONTAINER_ROOT, *relative.parts])


def refuse_unless_path(name: str, path: object, example: str) -> None:
    """Check the type of a path that was given as ``name``.

    :raises LbdartError: unless it is a path.
    """
    if not isinstance(path, Path):
        raise LbdartError(
            f"{name} is {path!r}, and not a pathlib.Path.",
            f'Pass the path as an object, as in Path("{example}").',
        )


@dataclass(frozen=True)
class LayerS3Layout:
    """Keys of a layer's objects below one S3 folder.

    :param s3dir_lambda: the folder, as :class:`S3Path` or ``s3://bucket/prefix``.
    """

    s3dir_lambda: S3Path | str

    @property
    def s3dir_layer(self) -> S3Path:
        """``{s3dir}/layer/``."""
        return S3Path.parse(self.s3dir_lambda) / "layer/"

    @property
    def s3path_temp_layer_zip(self) -> S3Path:
        """``{s3dir}/layer/layer.zip``, the zip that is published next or was published last."""
        return self.s3dir_layer / "layer.zip"

    @property
    def s3path_publish_claim(self) -> S3Path:
        """``{s3dir}/layer/publish-claim.json``: who publishes now."""
        return self.s3dir_layer / "publish-claim.json"

    def get_s3path_temp_manifest(self, manifest_name: str) -> S3Path:
        """``{s3dir}/layer/{manifest}``, beside the zip it belongs to."""
        return self.s3dir_layer / manifest_name

    def get_s3dir_layer_version(self, layer_version: int) -> S3Path:
        """``{s3dir}/layer/{layer_version:06d}/``."""
        return self.s3dir_layer / f"{layer_version:0{ZFILL}d}/"

    def get_s3path_layer_sbom(self, layer_version: int) -> S3Path:
        """``{s3dir}/layer/{layer_version:06d}/sbom.cdx.json``, if the layer was built from wheels."""
        return self.get_s3dir_layer_version(layer_version) / SBOM_NAME

    def get_s3path_layer_manifest(self, layer_version: int, manifest_name: str) -> S3Path:
        """``{s3dir}/layer/{layer_version:06d}/{manifest}``."""
        return self.get_s3dir_layer_version(layer_version) / manifest_name


def md5_of(content: bytes) -> str:
    """MD5 in hexadecimal; an identity, not a protection."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class LayerManifest:
    """A manifest as upload and publication need it.

    :param name: its file name in S3.
    :param md5: MD5 of the content, 32 hex digits; an identity, not a protection.
    :param content: the bytes themselves, or where S3 has them.
    """

    name: str
    md5: str
    content: bytes | S3Path | S3Member

    def __str__(self) -> str:
        """What messages call it: where S3 has it, else its name."""
        return self.name if isinstance(self.content, bytes) else str(self.content)

    def checked(self, s3_client: S3Client) -> bytes | S3Path:
        """The content for S3: bytes that have the MD5, or an object to copy.

        :raises LbdartError: if the bytes are others.
        """
        content = self.content
        if isinstance(content, S3Path):
            return content
        content = content if isinstance(content, bytes) else content.read(s3_client)
        found = md5_of(content)
        if found != self.md5:
            raise LbdartError(
                f"The manifest {self} has the MD5 {found}, and not {self.md5}.",
                "Build the layer again; the file changed after its MD5 was taken.",
            )
        return content


@dataclass(frozen=True)
class LayerManifestManager:
    """A manifest (uv.lock, poetry.lock, requirements.txt, pylock.toml) and its identity.

    The file is read once, so that MD5 and content agree.

    :param path_manifest: path of the manifest.
    """

    path_manifest: Path

    @property
    def name(self) -> str:
        """File name, which is also its name in S3."""
        return self.path_manifest.name

    @cached_property
    def content(self) -> bytes:
        """Bytes of the manifest.

        :raises LbdartError: if it cannot be read.
        """
        try:
            return self.path_manifest.read_bytes()
        except OSError as error:
            raise LbdartError(
                f"The manifest {self.path_manifest} cannot be read: {error.strerror or error}.",
                "Create it with your packaging tool (for uv: `uv lock`), or correct the path.",
            ) from error

    @cached_property
    def md5(self) -> str:
        """MD5 of the content, 32 hex digits; an identity, not a protection."""
        return md5_of(self.content)

    @property
    def manifest(self) -> LayerManifest:
        """Name, MD5 and content in one value."""
        return LayerManifest(self.name, self.md5, self.content)
