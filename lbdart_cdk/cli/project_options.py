"""The options that say what is built; they have the names of the constructs' props."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from ..core.artifacts.function import FunctionArtifact
    from ..core.artifacts.layer import LayerArtifact
    from ..core.artifacts.source import SourceArtifact
    from ..core.locking.tool import Options, Tool
    from ..core.project.project import Project
    from ..core.project.target import Target
    from ..core.store.store import Store
    from ..core.wheels.build_image import BuildContainer
    from ..core.wheels.environment import BuildEnvironment

#: What is built, as in ``lbdart build KIND``.
Kind = Literal["layer", "source", "function"]


@dataclass(frozen=True)
class Asked:
    """What the user asks to build. The fields have the names of the constructs' props.

    :param project: the path of the project's directory or manifest.
    :param exclude: names of packages.
    :param exclude_code: patterns of files of the project's own code; a ``LambdaSourceArtifact`` has them as
        ``exclude``.
    :param image: the image to build in, instead of AWS's own.
    :param build_environment: names and values.
    """

    project: str = "."
    tool: str | None = None
    runtime: str | None = None
    architecture: str = "x86_64"
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    exclude_files: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude_code: tuple[str, ...] = ()
    bytecode: bool = False
    prefer: tuple[str, ...] = ()
    own_code: bool = False
    build_in_container: bool = False
    image: str | None = None
    build_environment: tuple[tuple[str, str], ...] = ()

    def artifact(self, kind: Kind, store: Store) -> LayerArtifact | SourceArtifact | FunctionArtifact:
        """Return what is built of a kind.

        :raises LbdartError: when there is no such project, or an option is invalid.
        """
        if kind == "layer":
            return self.layer(store)
        return self.source(store) if kind == "source" else self.function(store)

    def layer(self, store: Store) -> LayerArtifact:
        """Return the layer of the project's dependencies.

        :raises LbdartError: when there is no such project, or an option is invalid.
        """
        return self._layer_of(*self._locked, store)

    def _layer_of(self, project: Project, tool: Tool, store: Store) -> LayerArtifact:
        from ..core.artifacts.layer import LayerArtifact

        return LayerArtifact(
            project,
            tool,
            self.target_of(project),
            self._options,
            self.exclude,
            store,
            container=self._container,
            environment=self._environment,
            prefer=self.prefer,
            own_code=self.own_code,
            keep=self.keep,
            exclude_files=self.exclude_files,
            bytecode=self.bytecode,
        )

    def source(self, store: Store) -> SourceArtifact:
        """Return the project's own code, without dependencies.

        :raises LbdartError: when there is no such project, or an option is invalid.
        """
        from ..core.artifacts.source import SourceArtifact

        project, tool = self._code
        # A runtime that the project does not admit is refused, also where the zip does not depend on it.
        target = self.target_of(project) if self.bytecode or self.runtime is not None else None
        return SourceArtifact(
            project,
            tool,
            self.include,
            self.exclude_code,
            store,
            environment=self._environment,
            bytecode=target if self.bytecode else None,
            container=self._container,
        )

    def function(self, store: Store) -> FunctionArtifact | SourceArtifact:
        """Return one zip of the project's code and dependencies; of its code, if it requires no packages.

        :raises LbdartError: when there is no such project, or an option is invalid.
        """
        from ..core.artifacts.function import FunctionArtifact
        from ..core.locking.manifest import may_require_packages

        project, tool = self._code
        source = replace(self.source(store), exclude_files=self.exclude_files)
        if not may_require_packages(project, self._options):
            self.target_of(project)  # a runtime that the project does not admit is refused
            return source
        # What is said of files is said of the whole zip, and so of the source.
        dependencies = replace(self._layer_of(project, tool, store), exclude_files=(), bytecode=False)
        return FunctionArtifact(source, dependencies)

    def target_of(self, project: Project) -> Target:
        """Return the target; the project and Lambda give the defaults.

        :raises LbdartError: when the project does not support the runtime.
        """
        return project.target(self.runtime, self.architecture)

    @cached_property
    def _locked(self) -> tuple[Project, Tool]:
        from ..core.locking.manifest import find_project

        return find_project(self.project, self.tool)

    @cached_property
    def _code(self) -> tuple[Project, Tool]:
        from ..core.locking.manifest import find_code

        return find_code(self.project, self.tool, requires_packages=bool(self.extras or self.groups))

    @property
    def _options(self) -> Options:
        from ..core.locking.tool import Options

        return Options(self.extras, self.groups)

    @property
    def _container(self) -> BuildContainer | None:
        from ..core.wheels.build_image import BuildContainer

        return BuildContainer(self.image) if self.image else BuildContainer.asked(self.build_in_container)

    @property
    def _environment(self) -> BuildEnvironment:
        from ..core.wheels.environment import BuildEnvironment

        return BuildEnvironment(dict(self.build_environment))


def _assignments(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Return the names and the values of variables."""
    parted = [value.partition("=") for value in values]
    for name, equals, _ in parted:
        if not equals:
            raise click.BadParameter(f"{name!r} has no '='; write NAME=VALUE.", ctx, param)
    return tuple((name, text) for name, _, text in parted)


@dataclass(frozen=True, slots=True)
class Option:
    """An option of the command line.

    :param prop: the prop that it stands for, which is a field of :class:`Asked`.
    :param kinds: what it is for.
    :param settings: of :func:`click.option`.
    """

    prop: str
    flag: str
    help: str
    kinds: frozenset[Kind] = frozenset({"layer", "source", "function"})
    settings: Mapping[str, Any] = field(default_factory=dict)


def _known(module: str, name: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes a value with the names that a module of the core knows."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        names = getattr(importlib.import_module(module, __package__), name)
        known = names() if callable(names) else names
        return [CompletionItem(each) for each in known if each.startswith(incomplete)]

    return complete


_PACKAGES: Final[frozenset[Kind]] = frozenset({"layer", "function"})
_CODE: Final[frozenset[Kind]] = frozenset({"source", "function"})
_LAYER: Final[frozenset[Kind]] = frozenset({"layer"})
_SOURCE: Final[frozenset[Kind]] = frozenset({"source"})
_FUNCTION: Final[frozenset[Kind]] = frozenset({"function"})
_MANY: Final = {"multiple": True}
_FLAG: Final = {"is_flag": True}

#: The name of the argument that is the project.
ARGUMENT: Final = "PROJECT"
#: All options, in the order of the help.
OPTIONS: Final = (
    Option(
        "tool",
        "--tool",
        "The packaging tool: uv, poetry, pdm, pip or pylock.  [default: that of the only manifest]",
        settings={"metavar": "NAME", "shell_complete": _known("..core.locking.manifest", "tools")},
    ),
    Option(
        "runtime",
        "--runtime",
        "The runtime, such as python3.13.  [default: from .python-version or requires-python]",
        settings={
            "metavar": "NAME",
            "shell_complete": _known("..core.project.target", "SUPPORTED_RUNTIMES"),
        },
    ),
    Option(
        "architecture",
        "--arch",
        "The CPU of the functions.",
        settings={
            "type": click.Choice(["x86_64", "arm64"]),
            "default": "x86_64",
            "show_default": True,
        },
    ),
    Option("extras", "--extra", "An extra of the project to include.", _PACKAGES, _MANY),
    Option("groups", "--group", "A dependency group to include.", _PACKAGES, _MANY),
    Option("exclude", "--exclude", "A package to leave out.", _PACKAGES, _MANY | {"metavar": "PACKAGE"}),
    Option(
        "keep",
        "--keep",
        "A package to keep that is left out by default, such as boto3.",
        _PACKAGES,
        _MANY | {"metavar": "PACKAGE"},
    ),
    Option(
        "prefer",
        "--prefer",
        "A package whose files are taken where two packages bring one.",
        _PACKAGES,
        _MANY | {"metavar": "PACKAGE"},
    ),
    Option(
        "exclude_files",
        "--exclude-files",
        "A pattern of files in the zip to leave out, as in .gitignore.",
        _PACKAGES,
        _MANY | {"metavar": "PATTERN"},
    ),
    Option("own_code", "--own-code", "Add the project's own code.", _LAYER, _FLAG),
    Option(
        "include",
        "--include",
        "A glob of more files of the project to add to the code.",
        _CODE,
        _MANY | {"metavar": "GLOB"},
    ),
    Option(
        "exclude_code",
        "--exclude-code",
        "A glob of files to leave out of the code.",
        _CODE,
        _MANY | {"metavar": "GLOB"},
    ),
    Option("bytecode", "--bytecode", "Add the bytecode of the modules.", settings=_FLAG),
    Option(
        "build_in_container",
        "--build-in-container",
        "Build packages with compiled code in the Lambda build image, with Docker.",
        _PACKAGES,
        _FLAG,
    ),
    Option(
        "image",
        "--image",
        "Another image to build in, with Docker.",
        _PACKAGES,
        {"metavar": "NAME"},
    ),
    Option(
        "build_environment",
        "--build-env",
        "An environment variable for builds.",
        settings=_MANY | {"metavar": "NAME=VALUE", "callback": _assignments},
    ),
)


def project_options(
    *kinds: Kind, metavar: str = f"[{ARGUMENT}]"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds ``PROJECT`` and the options of kinds to a command.

    The command gets an :class:`Asked` as ``asked``.

    :param metavar: the name of the argument in the help.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(**values: Any) -> Any:
            asked = {each.name: values.pop(each.name) for each in fields(Asked) if each.name in values}
            return function(asked=Asked(**asked), **values)

        command = wrapper
        for option in reversed(OPTIONS):
            if option.kinds.isdisjoint(kinds):
                continue
            flags = [option.flag]
            if option.prop == "exclude_code" and set(kinds) == _SOURCE:
                flags.insert(0, "--exclude")  # the name of the prop of a LambdaSourceArtifact
            help_text = f"{option.help}  [repeatable]" if option.settings.get("multiple") else option.help
            command = click.option(*flags, option.prop, help=help_text, **option.settings)(command)
        return click.argument("project", default=".", type=click.Path(), metavar=metavar)(command)

    return decorate
