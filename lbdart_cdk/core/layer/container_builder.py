"""Step 1 of the workflow without CDK, in a container: the project's own script, or what a tool has locked."""

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
    """A build in the Lambda build image: ``path_script`` is run by bash, the project root is ``/var/task``.

    The script leaves wheels in ``path_layout.dir_wheels`` or files in ``dir_python``; where they are in the
    container, ``path_layout.get_path_in_container`` says. It runs as the user, and finds credentials in the
    variables by which pip, Poetry and uv know them. ``image`` may be another one, pinned by its digest;
    ``network`` is Docker's; ``time_limit`` is in seconds.
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
        """The Lambda runtime that is built for; raises :class:`LbdartError` when Lambda has no such one."""
        for name in ("py_ver_major", "py_ver_minor"):
            if not isinstance(given := getattr(self, name), int):
                raise LbdartError(
                    f"{name} is {given!r}, and not a number.", "Pass py_ver_major=3, py_ver_minor=13."
                )
        return Target((self.py_ver_major, self.py_ver_minor), "arm64" if self.is_arm else "x86_64")

    @property
    def image_uri(self) -> str:
        """``public.ecr.aws/sam/build-python3.13:latest-x86_64`` and the like, or ``image``."""
        return BuildContainer(self.image).image_uri(self.target)

    @property
    def platform(self) -> str:
        """``linux/amd64`` or ``linux/arm64``."""
        return platform_of(self.target)

    @property
    def docker_run_args(self) -> list[str]:
        """The ``docker run`` command, with a name for the container that no other has."""
        return self._container().run_args

    def step_1_preflight_check(self) -> None:
        """See that there is a project, and a script that the container sees and the build leaves."""
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
                "which each build clears.",
                "Move it to another folder of the project.",
            )
        self._container()

    def step_3_execute_build(self) -> None:
        """Run the script; what it says is logged, without the passwords."""
        self.log(f"{self._script().name} in {self.image_uri}")
        self._container().run(listed(self.credentials), on_line=self.log, time_limit=self.time_limit)

    def _script(self) -> Path:
        if self.path_script is None:
            raise LbdartError(
                "There is no build script.", "Pass the path of one in the project as path_script."
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
    """Locks with a tool, fetches the wheels, and builds all that has none in the Lambda build image.

    Each source is built in a container that sees nothing but a copy of it. A ``path_script`` takes the
    place of all this.
    """

    skip_prompt: bool = True

    def target_of(self, project: Project) -> Target:
        """Return the target; raises :class:`LbdartError` when ``requires-python`` does not admit it."""
        project.refuse_unless_for(self.target)
        return self.target

    @property
    def build_container(self) -> BuildContainer | None:
        """The image and the network; whatever is built is built there."""
        return BuildContainer(self.image, self.network, every_source=True)

    @property
    def build_key(self) -> str | None:
        """The layer's identity; None for a script, of which only the result tells."""
        return self.artifact.build_key if self.path_script is None else None

    def step_1_preflight_check(self) -> None:
        """See that there is a manifest, or a script."""
        if self.path_script is None:
            super().step_1_preflight_check()
        else:
            BaseLambdaLayerContainerBuilder.step_1_preflight_check(self)

    def step_3_execute_build(self) -> None:
        """Bring the wheels of the selection into ``dir_wheels``, or run the script."""
        if self.path_script is None:
            super().step_3_execute_build()
        else:
            BaseLambdaLayerContainerBuilder.step_3_execute_build(self)
