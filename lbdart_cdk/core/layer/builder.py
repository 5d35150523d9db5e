"""Step 1 of the workflow without CDK: something that puts a layer's contents into the build directory."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Protocol

from ..arguments import as_tuple
from ..artifacts.layer import LayerArtifact
from ..credentials.environment import Given
from ..errors import LbdartError
from ..locking.manifest import find_manifest
from ..locking.tool import Options, Tool
from ..project.build_directory import claimed, usable_directory
from ..project.project import Project, checked_pyproject
from ..project.target import Target
from ..publishing.logger import BaseLogger
from ..store.store import Store
from ..wheels.build_image import BuildContainer
from ..wheels.metadata import dist_info_of
from .path_layout import LayerPathLayout


class T_BUILDER(Protocol):  # noqa: N801  (the specification's name)
    """What :class:`LayerDeploymentWorkflow` takes: anything that can run and knows its directories."""

    @property
    def path_layout(self) -> LayerPathLayout:
        """Where it builds."""
        ...

    def run(self) -> object:
        """Fill ``path_layout.dir_wheels`` with wheels, ``path_layout.dir_python`` with files, or both."""
        ...


@dataclass(frozen=True)
class BaseLambdaLayerBuilder(BaseLogger, ABC):
    """A build in four steps, of which a tool or a place to build in overrides the third.

    ``skip_prompt`` allows to clear the build directory without asking.
    """

    path_pyproject_toml: Path
    credentials: Given = None
    skip_prompt: bool = False

    @property
    def path_layout(self) -> LayerPathLayout:
        """Where it builds."""
        return LayerPathLayout(self.path_pyproject_toml)

    def run(self) -> None:
        """Run the four steps.

        Raises :class:`LbdartError` for what the user can put right, and when the build directory is in use.
        """
        self.log_header("Build the layer")
        self.step_1_preflight_check()
        with claimed(self.path_layout.dir_build_lambda_layer):
            self.step_2_prepare_environment()
            self.step_3_execute_build()
            self.step_4_finalize_artifacts()

    def step_1_preflight_check(self) -> None:
        """See that there is a project."""
        checked_pyproject(self.path_pyproject_toml)

    def step_2_prepare_environment(self) -> None:
        """Start with an empty build directory."""
        directory = self.path_layout.dir_build_lambda_layer
        if directory.exists() and not self.skip_prompt:
            try:
                answer = input(f"Delete {directory} and build again? [y/N] ")
            except EOFError:  # nobody is there to answer
                answer = ""
            if answer.strip().lower() not in ("y", "yes"):
                raise LbdartError(
                    f"The build directory {directory} has an earlier build in it.",
                    "Pass skip_prompt=True to have it cleared.",
                )
        shutil.rmtree(directory, ignore_errors=True)
        with usable_directory(directory):
            self.path_layout.dir_wheels.mkdir(parents=True)
            self.path_layout.dir_python.mkdir(parents=True)

    @abstractmethod
    def step_3_execute_build(self) -> None:
        """Fill ``dir_wheels`` or ``dir_python``."""

    def step_4_finalize_artifacts(self) -> None:
        """See that the build brought something."""
        layout = self.path_layout
        directories = (one for one in (layout.dir_wheels, layout.dir_python) if one.is_dir())
        if not any(path for one in directories for path in one.iterdir()):
            raise LbdartError(
                f"The build left nothing in {layout.dir_artifacts}.",
                "Check the builder and the project's dependencies.",
            )


@dataclass(frozen=True, kw_only=True)
class BaseLambdaLayerLocalBuilder(BaseLambdaLayerBuilder):
    """A build on this machine, in four steps of which a tool overrides the third."""


@dataclass(frozen=True, kw_only=True)
class ToolLambdaLayerBuilder(BaseLambdaLayerBuilder):
    """Locks with a tool, and fetches the wheels for the target.

    ``extras``, ``groups`` and ``exclude`` are one name or several; what ``exclude`` names is left out in
    addition to the default list. The manifest of a workspace's member is that of the workspace, above it.
    """

    #: The tool that locks the project; a subclass names it.
    tool: ClassVar[Tool]

    extras: str | Collection[str] = ()
    groups: str | Collection[str] = ()
    exclude: str | Collection[str] = ()
    store: Store = field(default_factory=Store)

    @abstractmethod
    def target_of(self, project: Project) -> Target:
        """Return what the layer is built for."""

    @property
    @abstractmethod
    def build_container(self) -> BuildContainer | None:
        """What compiles is built there; without one it is an error."""

    @cached_property
    def project(self) -> Project:
        """The project, with the tool's manifest of it."""
        root = self.path_layout.dir_project_root.resolve()
        return Project(root, find_manifest(self.tool, root) or root / self.tool.manifest)

    @property
    def path_manifest(self) -> Path:
        """The manifest that the layer is built from."""
        return self.project.manifest

    @cached_property
    def artifact(self) -> LayerArtifact:
        """The layer's inputs."""
        return LayerArtifact(
            self.project,
            self.tool,
            self.target_of(self.project),
            Options(as_tuple(self.extras), as_tuple(self.groups)),
            as_tuple(self.exclude),
            self.store,
            self.credentials,
            self.build_container,
        )

    def step_1_preflight_check(self) -> None:
        """See that there is a manifest; a project that is only locked needs no ``pyproject.toml``."""
        _ = self.artifact.project.manifest_content

    @property
    def build_key(self) -> str | None:
        """The layer's identity: a SHA-256, in hexadecimal, over every input."""
        return self.artifact.build_key

    @property
    def sbom(self) -> bytes:
        """The layer's bill of materials (CycloneDX JSON)."""
        return self.artifact.sbom()

    def step_3_execute_build(self) -> None:
        """Bring the wheels of the selection into ``dir_wheels``."""
        for wheel in self.artifact.wheels():
            self.log(f"{wheel.package} {dist_info_of(wheel.path, wheel.package).version}".rstrip())
            shutil.copyfile(wheel.path, self.path_layout.dir_wheels / f"{wheel.package}.whl")


@dataclass(frozen=True, kw_only=True)
class ToolLambdaLayerLocalBuilder(ToolLambdaLayerBuilder, BaseLambdaLayerLocalBuilder):
    """Builds on this machine, for any target.

    ``target`` defaults to the project's Python on x86_64. With ``build_in_container`` what compiles is
    built in the Lambda build image, or in the one that a :class:`BuildContainer` names.
    """

    target: Target | None = None
    build_in_container: bool | BuildContainer = False

    def target_of(self, project: Project) -> Target:
        """Return ``target``, else that of the project."""
        return self.target or Target(project.python())

    @property
    def build_container(self) -> BuildContainer | None:
        """What ``build_in_container`` says."""
        return BuildContainer.asked(self.build_in_container)
