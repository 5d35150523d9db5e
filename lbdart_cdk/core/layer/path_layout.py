"""The directories of a layer build in the user's project."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..arguments import checked_path
from ..errors import InvalidError, LbdartError, MissingError, unreadable
from ..project.build_directory import usable_directory
from ..publishing.logger import T_PRINTER
from ..wheels.build_image import CONTAINER_ROOT


@dataclass(frozen=True)
class LayerPathLayout:
    """Paths of a layer build.

    Only :meth:`clean`, :meth:`mkdirs` and the methods that copy touch the disk.

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
    def dir_venv(self) -> Path:
        """``{root}/.venv``, the project's own environment."""
        return self.dir_project_root / ".venv"

    @property
    def path_venv_bin_python(self) -> Path:
        """``{root}/.venv/bin/python``."""
        return self.dir_venv / "bin" / "python"

    @property
    def dir_build_lambda(self) -> Path:
        """``{root}/build/lambda``."""
        return self.dir_project_root / "build" / "lambda"

    @property
    def dir_build_lambda_layer(self) -> Path:
        """``{root}/build/lambda/layer``; each build starts with an empty one."""
        return self.dir_build_lambda / "layer"

    @property
    def dir_repo(self) -> Path:
        """``{layer}/repo``, the copy of the project that a builder works in."""
        return self.dir_build_lambda_layer / "repo"

    @property
    def path_tmp_pyproject_toml(self) -> Path:
        """``{layer}/repo/pyproject.toml``, the copy of the project's."""
        return self.dir_repo / self.path_pyproject_toml.name

    @property
    def dir_build_lambda_layer_repo_venv_site_packages(self) -> Path:
        """The ``site-packages`` of ``{layer}/repo/.venv``, the environment that a tool made there.

        :raises LbdartError: when there is none.
        """
        venv = self.dir_repo / ".venv"
        found = [*venv.glob("lib/python*/site-packages"), *venv.glob("Lib/site-packages")]  # Windows
        if len(found) != 1:
            raise MissingError(
                f"There is no one site-packages in {venv}.",
                "Install the packages there first, for example with `uv sync` in the directory above it.",
            )
        return found[0]

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
    def path_build_lambda_layer_in_container_script_in_local(self) -> Path:
        """``{layer}/build_lambda_layer_in_container.py``, the copy of a Python script for a container."""
        return self.dir_build_lambda_layer / "build_lambda_layer_in_container.py"

    @property
    def path_build_lambda_layer_in_container_script_in_container(self) -> str:
        """The same file in the container."""
        return self.get_path_in_container(self.path_build_lambda_layer_in_container_script_in_local)

    @property
    def path_private_repository_credentials_in_local(self) -> Path:
        """``{root}/build/lambda/private-repository-credentials.json``; there while a container builds."""
        return self.dir_build_lambda / "private-repository-credentials.json"

    @property
    def path_private_repository_credentials_in_container(self) -> str:
        """The same file in the container."""
        return self.get_path_in_container(self.path_private_repository_credentials_in_local)

    def clean(self, skip_prompt: bool = False) -> None:
        """Delete an earlier build; ask first.

        :param skip_prompt: delete it without asking.
        :raises LbdartError: when the answer is not yes.
        """
        directory = self.dir_build_lambda_layer
        if directory.exists() and not skip_prompt:
            try:
                answer = input(f"Delete {directory} and build again? [y/N] ")
            except EOFError:  # no terminal
                answer = ""
            if answer.strip().lower() not in ("y", "yes"):
                raise LbdartError(
                    f"The build directory {directory} has an earlier build.",
                    "Pass skip_prompt=True to delete it without a question.",
                )
        shutil.rmtree(directory, ignore_errors=True)

    def mkdirs(self) -> None:
        """Create the directories that a build fills.

        :raises LbdartError: when one cannot be created.
        """
        with usable_directory(self.dir_build_lambda_layer):
            for directory in (self.dir_repo, self.dir_wheels, self.dir_python):
                directory.mkdir(parents=True, exist_ok=True)

    def copy_file(self, p_src: Path, p_dst: Path, printer: T_PRINTER = print) -> None:
        """Copy a file into the build directory.

        :raises LbdartError: when it cannot be read or written.
        """
        printer(f"Copy {p_src} to {p_dst}")
        try:
            shutil.copy(p_src, p_dst)
        except OSError as error:
            raise unreadable(
                error,
                f"{p_src} cannot be copied to {p_dst}: {error.strerror or error}.",
                "Check that both directories exist, and the permissions.",
            ) from error

    def copy_pyproject_toml(self, printer: T_PRINTER = print) -> None:
        """Copy the project's ``pyproject.toml`` into ``dir_repo``.

        :raises LbdartError: when it cannot be read or written.
        """
        self.copy_file(self.path_pyproject_toml, self.path_tmp_pyproject_toml, printer)

    def get_path_in_container(self, path: Path) -> str:
        """Return the path of a project file in the build container: ``/var/task/...``.

        :raises LbdartError: when the path is outside the project root, which is all that the container sees.
        """
        root = self.dir_project_root.resolve()
        try:
            relative = path.resolve().relative_to(root)
        except ValueError:
            raise InvalidError(
                f"{path} is outside the project root {self.dir_project_root}, "
                "the only directory that the build container sees.",
                "Move or copy it into the project root.",
            ) from None
        return "/".join([CONTAINER_ROOT, *relative.parts])
