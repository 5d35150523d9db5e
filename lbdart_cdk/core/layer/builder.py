"""Step 1 of the workflow without CDK: builders put a layer's contents into the build directory."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from ..archive.writer import write_zip
from ..arguments import as_tuple
from ..artifacts.layer import LayerArtifact
from ..artifacts.own_code import left_out
from ..artifacts.summary import left_out_line
from ..credentials.environment import Given
from ..errors import LbdartError
from ..locking.manifest import find_manifest, tools
from ..locking.tool import Options, Tool
from ..native.check import unknown_runtime
from ..project.build_directory import claimed
from ..project.manifest import ManifestFile
from ..project.project import Project, checked_pyproject
from ..project.target import Target
from ..publishing.logger import BaseLogger
from ..store.store import Store
from ..wheels.build_image import BuildContainer
from ..wheels.environment import BuildEnvironment
from ..wheels.metadata import dist_info_of
from .credentials_file import remove_credentials
from .path_layout import LayerPathLayout

if TYPE_CHECKING:
    from ..packing.bytecode import Compiler

_SILENT: Final = BaseLogger(verbose=False)


class T_BUILDER(Protocol):  # noqa: N801  (the specification's name)
    """A builder for :class:`LayerDeploymentWorkflow`: any object with ``run()`` and ``path_layout``."""

    @property
    def path_layout(self) -> LayerPathLayout:
        """The paths of the build."""
        ...

    def run(self) -> object:
        """Fill ``path_layout.dir_wheels`` with wheels, ``path_layout.dir_python`` with files, or both."""
        ...


@dataclass(frozen=True)
class BaseLambdaLayerBuilder(BaseLogger, ABC):
    """A build in four steps; a subclass overrides the third, and others where it needs to.

    :param credentials: for private indexes.
    :param skip_prompt: clear the build directory without asking.
    """

    path_pyproject_toml: Path
    credentials: Given = None
    skip_prompt: bool = False

    @property
    def path_layout(self) -> LayerPathLayout:
        """The paths of the build."""
        return LayerPathLayout(self.path_pyproject_toml)

    def run(self) -> None:
        """Run the four steps.

        :raises LbdartError: when a step fails or leaves nothing, or another build uses the build directory.
        """
        self.log_header("Build the layer")
        self.step_1_preflight_check()
        with claimed(self.path_layout.dir_build_lambda_layer):
            try:
                self.step_2_prepare_environment()
                self.step_3_execute_build()
                self.step_4_finalize_artifacts()
                self._refuse_empty()
            finally:
                remove_credentials(self.path_layout)

    def step_1_preflight_check(self) -> None:
        """Check that the project exists, and print what will be built."""
        checked_pyproject(self.path_pyproject_toml)
        self.log_detail(self.build_info)

    @property
    def build_info(self) -> str:
        """A line about what will be built."""
        return f"{self.path_pyproject_toml} in {self.path_layout.dir_build_lambda_layer}"

    def step_2_prepare_environment(self) -> None:
        """Create an empty build directory; ask before an earlier build is deleted.

        ``dir_repo`` gets copies of ``pyproject.toml`` and the manifests in the project's directory: what the
        layer is built from, even if a file in the project changes meanwhile.
        """
        remove_credentials(self.path_layout)  # of a build that was killed
        self.path_layout.clean(self.skip_prompt)
        self.path_layout.mkdirs()
        for name in (self.path_pyproject_toml.name, *(tool.manifest for tool in tools().values())):
            path = self.path_layout.dir_project_root / name
            if path.is_file():
                self.path_layout.copy_file(path, self.path_layout.dir_repo / name, printer=_SILENT.log)

    @abstractmethod
    def step_3_execute_build(self) -> None:
        """Fill ``dir_wheels``, ``dir_python`` or both, or an environment in ``dir_repo``."""

    def step_4_finalize_artifacts(self) -> None:
        """Move what the third step left elsewhere, with :func:`.move_to_dir_python`; here, nothing is."""

    def _refuse_empty(self) -> None:
        layout = self.path_layout
        directories = (path for path in (layout.dir_wheels, layout.dir_python) if path.is_dir())
        if not any(path for directory in directories for path in directory.iterdir()):
            raise LbdartError(
                f"The build left nothing in {layout.dir_artifacts}.",
                "Check the builder and the project's dependencies.",
            )


@dataclass(frozen=True, kw_only=True)
class BaseLambdaLayerLocalBuilder(BaseLambdaLayerBuilder):
    """A build on this machine, in four steps; a tool overrides the third."""


@dataclass(frozen=True, kw_only=True)
class ToolLambdaLayerBuilder(BaseLambdaLayerBuilder):
    """Locks a project with a tool, and fetches the wheels for the target.

    A member of a workspace has the manifest of the workspace.

    :param extras: one extra of the project to include, or several.
    :param groups: one dependency group of the project to include, or several.
    :param exclude: one package to leave out, or several, in addition to the default list.
    :param build_environment: further environment variables for builds, as for ``LambdaLayerArtifact``.
    :param prefer: one package whose files are taken where two packages bring one, or several: of two of them,
        the first one.
    :param own_code: whether the layer has the project's own code, too.
    :param keep: one package of the default list to keep as locked, or several.
    :param exclude_files: one pattern of files to leave out when the layer is packed, or several, as for
        ``LambdaLayerArtifact``.
    :param bytecode: whether the layer has the bytecode of its modules, as for ``LambdaLayerArtifact``.
    :param store: keeps wheels and locks.
    """

    #: The tool that locks the project; each subclass sets it.
    tool: ClassVar[Tool]

    extras: str | Collection[str] = ()
    groups: str | Collection[str] = ()
    exclude: str | Collection[str] = ()
    build_environment: Mapping[str, str] = field(default_factory=dict)
    prefer: str | Collection[str] = ()
    own_code: bool = False
    keep: str | Collection[str] = ()
    exclude_files: str | Collection[str] = ()
    bytecode: bool = False
    store: Store = field(default_factory=Store)

    @abstractmethod
    def target_of(self, project: Project) -> Target:
        """Return the target of the layer."""

    @property
    @abstractmethod
    def build_container(self) -> BuildContainer | None:
        """The container for packages with compiled code; without it, such a package is an error."""

    @cached_property
    def project(self) -> Project:
        """The project, with its manifest of the tool."""
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
            environment=BuildEnvironment(self.build_environment),
            prefer=as_tuple(self.prefer),
            own_code=self.own_code,
            keep=as_tuple(self.keep),
            exclude_files=as_tuple(self.exclude_files),
            bytecode=self.bytecode,
        )

    @property
    def compiler(self) -> Compiler | None:
        """What makes the bytecode when the layer is packed; None for a layer without bytecode."""
        return self.artifact.compiler

    @property
    def manifest(self) -> ManifestFile:
        """The manifest as the layer is built from it: read once in a run."""
        return self.artifact.project.manifest_file

    def run(self) -> None:
        """Run the four steps, with what the files say now.

        :raises LbdartError: when a step fails or leaves nothing, or another build uses the build directory.
        """
        for name in ("project", "artifact"):
            self.__dict__.pop(name, None)
        super().run()

    def step_1_preflight_check(self) -> None:
        """Check that the manifest exists, and print what will be built.

        A project that is only locked needs no ``pyproject.toml``.
        """
        _ = self.manifest.content
        self.log_detail(self.build_info)

    @property
    def build_info(self) -> str:
        """A line about what will be built."""
        target = self.artifact.target
        return f"{self.manifest.name} for {target.runtime} on {target.architecture}"

    def step_2_prepare_environment(self) -> None:
        """Do what the base does, with the manifest as it was read."""
        super().step_2_prepare_environment()
        (self.path_layout.dir_repo / self.manifest.name).write_bytes(self.manifest.content)

    @property
    def build_key(self) -> str | None:
        """The SHA-256, in hexadecimal, over every input of the layer."""
        return self.artifact.build_key

    @property
    def sbom(self) -> bytes:
        """The layer's bill of materials (CycloneDX JSON)."""
        return self.artifact.sbom()

    def step_3_execute_build(self) -> None:
        """Copy the wheels of the selection, and a zip with the project's own code, into ``dir_wheels``."""
        if not self.artifact.target.is_known:
            self.log(unknown_runtime(self.artifact.target).line)
        supply = self.artifact.supply()
        for wheel in supply.wheels:
            self.log(f"{wheel.package} {dist_info_of(wheel.path, wheel.package).version}".rstrip())
            shutil.copyfile(wheel.path, self.path_layout.dir_wheels / f"{wheel.package}.whl")
        if supply.left_out:
            self.log(left_out_line(supply.left_out))
        warnings = (*self.artifact.lock.warnings, *supply.warnings, *self.artifact.own_warnings)
        for warning in warnings:
            self.log(warning.line)
        own = self.artifact.own_files()
        if own is not None:
            self.log(f"{own.name}, the project's own code")
            if names := left_out(self.project, self.tool):
                self.log(left_out_line(names))
            with (self.path_layout.dir_wheels / f"{own.name}.whl").open("wb") as file:
                write_zip(file, own.entries)


@dataclass(frozen=True, kw_only=True)
class ToolLambdaLayerLocalBuilder(ToolLambdaLayerBuilder, BaseLambdaLayerLocalBuilder):
    """Builds on this machine, for any target.

    :param target: the target of the layer. Default: the project's Python on x86_64.
    :param build_in_container: whether Docker builds packages with compiled code, in the Lambda build image;
        a :class:`BuildContainer` names another image.
    """

    target: Target | None = None
    build_in_container: bool | BuildContainer = False

    def target_of(self, project: Project) -> Target:
        """Return ``target``, or else the project's own target."""
        return self.target or Target(project.python())

    @property
    def build_container(self) -> BuildContainer | None:
        """The container of ``build_in_container``."""
        return BuildContainer.asked(self.build_in_container)
