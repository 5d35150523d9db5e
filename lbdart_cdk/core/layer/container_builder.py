"""Step 1 of the workflow without CDK, in a container: by the project's own script or from a tool's lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..arguments import checked_path
from ..credentials.environment import listed
from ..errors import LbdartError
from ..project.project import Project
from ..project.target import Target
from ..wheels.build_image import CONTAINER_ROOT, BuildContainer, platform_of
from ..wheels.container import Container
from .builder import BaseLambdaLayerBuilder, ToolLambdaLayerBuilder

_TIME_LIMIT = 3600.0  # seconds


@dataclass(frozen=True, kw_only=True)
class BaseLambdaLayerContainerBuilder(BaseLambdaLayerBuilder):
    """A build by a script in the Lambda build image, with the project root at ``/var/task``.

    The script leaves wheels in ``path_layout.dir_wheels`` or files in ``path_layout.dir_python``;
    ``path_layout.get_path_in_container`` gives their paths in the container. It runs as the user, and finds
    credentials in the environment variables of pip, Poetry and uv.

    :param path_script: the script, which bash runs.
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
                raise LbdartError(
                    f"{name} is {number!r}, which is not an integer.", "Pass py_ver_major=3, py_ver_minor=13."
                )
        return Target((self.py_ver_major, self.py_ver_minor), "arm64" if self.is_arm else "x86_64")

    @property
    def image_uri(self) -> str:
        """``image``, or AWS's own such as ``public.ecr.aws/sam/build-python3.13:latest-x86_64``."""
        return BuildContainer(self.image).image_uri(self.target)

    @property
    def platform(self) -> str:
        """``linux/amd64`` or ``linux/arm64``."""
        return platform_of(self.target)

    @property
    def docker_run_args(self) -> list[str]:
        """The ``docker run`` command, with a unique name for the container."""
        return self._container().run_args

    def step_1_preflight_check(self) -> None:
        """Check that the project exists, and a script that the container sees and the build keeps."""
        super().step_1_preflight_check()
        script = self._script()
        if not script.is_file():
            raise LbdartError(
                f"There is no build script {script}.",
                "Pass the path of a script in the project as path_script.",
            )
        if self.path_layout.dir_build_lambda_layer.resolve() in script.resolve().parents:
            raise LbdartError(
                f"The build script {script} is in {self.path_layout.dir_build_lambda_layer}, "
                "which each build deletes.",
                "Move it to another directory of the project.",
            )
        self._container()

    def step_3_execute_build(self) -> None:
        """Run the script and log its output, without passwords."""
        self.log(f"{self._script().name} in {self.image_uri}")
        self._container().run(listed(self.credentials), on_line=self.log, time_limit=self.time_limit)

    def _script(self) -> Path:
        if self.path_script is None:
            raise LbdartError(
                "There is no build script.", "Pass the path of a script in the project as path_script."
            )
        checked_path("path_script", self.path_script, "build_layer.sh")
        return self.path_script

    def _container(self) -> Container:
        script = self.path_layout.get_path_in_container(self._script())
        return Container(
            image=self.image_uri,
            platform=self.platform,
            mounts=((self.path_layout.dir_project_root, CONTAINER_ROOT),),
            command=("/bin/bash", script),
            network=self.network,
            what=f"The build by {self._script().name}",
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
        return BuildContainer(self.image, self.network, every_source=True)

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

    def step_3_execute_build(self) -> None:
        """Do what the local builder does, or run the script."""
        if self.path_script is None:
            super().step_3_execute_build()
        else:
            BaseLambdaLayerContainerBuilder.step_3_execute_build(self)
