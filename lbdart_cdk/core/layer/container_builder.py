"""Step 1 of the workflow without CDK, in a container: by a script or from a tool's lock."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..arguments import checked_path
from ..credentials.environment import listed
from ..errors import InvalidError, LbdartError, MissingError
from ..project.build_directory import usable_directory
from ..project.project import Project
from ..project.target import Target
from ..wheels.build_image import CONTAINER_ROOT, BuildContainer, platform_of
from ..wheels.container import Container, new_name
from .builder import BaseLambdaLayerBuilder, ToolLambdaLayerBuilder
from .credentials_file import remove_copies, remove_credentials, write_credentials
from .script import Script

_TIME_LIMIT = 3600.0  # seconds


@dataclass(frozen=True, kw_only=True)
class BaseLambdaLayerContainerBuilder(BaseLambdaLayerBuilder):
    """A build by a script in the Lambda build image, with the project root at ``/var/task``.

    The script may be anywhere on this machine. A copy of it runs, in the project root and as the user. It
    leaves wheels in ``path_layout.dir_wheels`` or files in ``path_layout.dir_python``;
    ``path_layout.get_path_in_container`` gives their paths in the container.

    It finds credentials in the environment variables of pip, Poetry and uv. One :class:`Credentials` is in
    ``path_layout.path_private_repository_credentials_in_container`` too, as ``Credentials.dump`` writes it,
    until the build ends. Several are in the environment alone, since the file holds one.

    :param path_script: a Python script, which the target's Python runs, or a shell script, which bash runs.
        The suffix ``.py`` or ``.sh`` says which it is, or else its first line.
    :param image: another image; it may be pinned by its digest.
    :param network: Docker's network. Default: Docker's own default.
    :param time_limit: seconds.
    """

    py_ver_major: int
    py_ver_minor: int
    is_arm: bool = False
    path_script: Path | None = None
    image: str | None = None
    network: str | None = None
    time_limit: float = _TIME_LIMIT
    skip_prompt: bool = True

    @property
    def target(self) -> Target:
        """The Lambda runtime of the layer.

        :raises LbdartError: when Lambda does not have this runtime.
        """
        for name in ("py_ver_major", "py_ver_minor"):
            if not isinstance(number := getattr(self, name), int):
                raise InvalidError(
                    f"{name} is {number!r}, which is not an integer.", "Pass py_ver_major=3, py_ver_minor=13."
                )
        return Target((self.py_ver_major, self.py_ver_minor), "arm64" if self.is_arm else "x86_64")

    @property
    def image_tag(self) -> str:
        """``latest-arm64`` or ``latest-x86_64``: the tag of AWS's own image."""
        return f"latest-{self.target.architecture}"

    @property
    def image_uri(self) -> str:
        """``image``, or AWS's own such as ``public.ecr.aws/sam/build-python3.13:latest-x86_64``."""
        uri = BuildContainer(self.image).image_uri(self.target)
        return uri if self.image else f"{uri.rpartition(':')[0]}:{self.image_tag}"

    @property
    def platform(self) -> str:
        """``linux/amd64`` or ``linux/arm64``."""
        return platform_of(self.target)

    @cached_property
    def container_name(self) -> str:
        """The container's name, which no other builder's has."""
        return new_name()

    @property
    def script_args(self) -> list[str]:
        """Arguments of the script; a subclass may return some. They are no place for secrets."""
        return []

    @property
    def docker_run_args(self) -> list[str]:
        """The ``docker run`` command of the third step; a subclass may change it.

        Run by itself, it gives the script no variables, but the credentials file of the second step.
        """
        return self._container().run_args

    def step_1_preflight_check(self) -> None:
        """Check that the project exists, and a script that can run and that the build keeps."""
        super().step_1_preflight_check()
        self._checked_script()
        _ = self.docker_run_args

    def step_2_prepare_environment(self) -> None:
        """Create an empty build directory, copy the script into it, and write the credentials file."""
        script = self._checked_script()
        super().step_2_prepare_environment()
        copy = self._copy_of(script)
        with usable_directory(self.path_layout.dir_build_lambda_layer):
            shutil.copyfile(script.path, copy)
        self.log(f"{script.path} -> {copy}")
        credentials = listed(self.credentials)
        if len(credentials) == 1:
            write_credentials(self.path_layout, credentials[0])
        elif credentials:
            self.log("The script finds the credentials in its environment; the file would hold only one.")

    def step_3_execute_build(self) -> None:
        """Run ``docker_run_args`` and log the output without passwords; remove the credentials file.

        :raises LbdartError: also when the script put the credentials file into the layer.
        """
        self.log(f"{self._script().name} in {self.image_uri}")
        copies: list[Path] = []
        credentials = listed(self.credentials)
        try:
            self._container().run(
                credentials, args=self.docker_run_args, on_line=self.log, time_limit=self.time_limit
            )
        finally:
            remove_credentials(self.path_layout)
            if credentials:
                copies = remove_copies(self.path_layout)
        if copies:
            raise LbdartError(
                f"The build by {self._script().name} put the credentials into the layer: {copies[0]}, "
                "which is deleted.",
                f"Let it leave out {self.path_layout.path_private_repository_credentials_in_container}.",
            )

    def _script(self) -> Path:
        if self.path_script is None:
            raise InvalidError("There is no build script.", "Pass the path of a script as path_script.")
        checked_path("path_script", self.path_script, "build_layer.sh")
        return self.path_script

    def _checked_script(self) -> Script:
        """Return the script, which is there and stays there when the build directory is deleted."""
        path = self._script()
        if not path.is_file():
            raise MissingError(
                f"There is no build script {path}.", "Pass the path of a script as path_script."
            )
        directory = self.path_layout.dir_build_lambda_layer
        # A link goes with the directory that it is in, and its file with its own.
        if any(
            place.is_relative_to(directory.resolve()) for place in (path.resolve(), path.parent.resolve())
        ):
            raise LbdartError(
                f"The build script {path} is in {directory}, which each build deletes.",
                "Move it to another directory.",
            )
        return Script.read(path)

    def _copy_of(self, script: Script) -> Path:
        copy = self.path_layout.path_build_lambda_layer_in_container_script_in_local
        return copy.with_suffix(script.suffix)

    def _container(self) -> Container:
        script = Script.read(self._script())
        copy = self.path_layout.get_path_in_container(self._copy_of(script))
        return Container(
            image=self.image_uri,
            platform=self.platform,
            mounts=((self.path_layout.dir_project_root, CONTAINER_ROOT),),
            command=(*script.command(copy, self.target.runtime), *self.script_args),
            network=self.network,
            what=f"The build by {script.path.name}",
            name=self.container_name,
        )


@dataclass(frozen=True, kw_only=True)
class ToolLambdaLayerContainerBuilder(ToolLambdaLayerBuilder, BaseLambdaLayerContainerBuilder):
    """Locks with a tool, fetches wheels, and builds packages without a wheel in the Lambda build image.

    Each source is built in a container that sees only a copy of that source. With ``path_script``, the script
    does all the work instead.
    """

    skip_prompt: bool = True

    def target_of(self, project: Project) -> Target:
        """Return the target.

        :raises LbdartError: when ``requires-python`` does not admit it.
        """
        project.refuse_unless_for(self.target)
        return self.target

    @property
    def build_container(self) -> BuildContainer | None:
        """The container with this image and network, which builds every source."""
        return BuildContainer(self.image_uri, self.network, every_source=True)

    @property
    def build_key(self) -> str | None:
        """The SHA-256 over every input of the layer; None for a script, whose inputs are not known."""
        return self.artifact.build_key if self.path_script is None else None

    def step_1_preflight_check(self) -> None:
        """Check that the manifest exists, or the script."""
        if self.path_script is None:
            super().step_1_preflight_check()
        else:
            BaseLambdaLayerContainerBuilder.step_1_preflight_check(self)

    def step_2_prepare_environment(self) -> None:
        """Create an empty build directory; for a script, do what its builder does."""
        if self.path_script is None:
            BaseLambdaLayerBuilder.step_2_prepare_environment(self)
        else:
            super().step_2_prepare_environment()

    def step_3_execute_build(self) -> None:
        """Do what the local builder does, or run the script."""
        if self.path_script is None:
            super().step_3_execute_build()
        else:
            BaseLambdaLayerContainerBuilder.step_3_execute_build(self)
