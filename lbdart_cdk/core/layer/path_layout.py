"""The directories of a layer build in the user's project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..arguments import checked_path
from ..errors import LbdartError
from ..wheels.build_image import CONTAINER_ROOT


@dataclass(frozen=True)
class LayerPathLayout:
    """Paths of a layer build; nothing is created.

    :param path_pyproject_toml: the project's ``pyproject.toml``; its directory is the project root.
    """

    path_pyproject_toml: Path

    def __post_init__(self) -> None:
        checked_path("path_pyproject_toml", self.path_pyproject_toml, "pyproject.toml")

    @property
    def dir_project_root(self) -> Path:
        """The project's directory."""
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
        """``{layer}/artifacts``, the directory that becomes the root of the zip."""
        return self.dir_build_lambda_layer / "artifacts"

    @property
    def dir_python(self) -> Path:
        """``{layer}/artifacts/python``; Lambda adds it to ``sys.path`` ("Packaging your layer content")."""
        return self.dir_artifacts / "python"

    @property
    def dir_wheels(self) -> Path:
        """``{layer}/wheels``, for wheels that are packed without unpacking them."""
        return self.dir_build_lambda_layer / "wheels"

    @property
    def path_build_lambda_layer_zip(self) -> Path:
        """``{layer}/layer.zip``."""
        return self.dir_build_lambda_layer / "layer.zip"

    @property
    def path_private_repository_credentials_in_local(self) -> Path:
        """``{root}/build/lambda/private-repository-credentials.json``."""
        return self.dir_project_root / "build" / "lambda" / "private-repository-credentials.json"

    def get_path_in_container(self, path: Path) -> str:
        """Return the path of a project file in the build container: ``/var/task/...``.

        :raises LbdartError: when the path is outside the project root, which is all that the container sees.
        """
        root = self.dir_project_root.resolve()
        try:
            relative = path.resolve().relative_to(root)
        except ValueError:
            raise LbdartError(
                f"{path} is outside the project root {self.dir_project_root}, "
                "the only directory that the build container sees.",
                "Move or copy it into the project root.",
            ) from None
        return "/".join([CONTAINER_ROOT, *relative.parts])
