"""The build frontend: build a project to a wheel with the project's own build backend.

pypa/build calls the backend's hooks (PEP 517). uv or pip installs the build requirements into an isolated
environment.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol

from packaging.requirements import InvalidRequirement, Requirement

from ..credentials.environment import known
from ..credentials.masking import forms_of, masked, secrets_in
from ..errors import LbdartError
from ..process import run, said
from ..project.project import Project
from ..project.toml import read_toml, table
from ..store.store import CACHE_VARIABLE
from .build_hooks import BuildError, Hooks, IsolatedEnvironment, RequirementsError
from .environment import BuildEnvironment, for_installer
from .uv_settings import Settings, as_dependencies, settings_of, version_of_uv_build

#: Variables of uv that would override its arguments here: the project, the parts of it, and the output.
_OVERRIDING_VARIABLES: Final = (
    "UV_DEV",
    "UV_FROZEN",
    "UV_LOCKED",
    "UV_NO_DEFAULT_GROUPS",
    "UV_NO_DEV",
    "UV_NO_EDITABLE",
    "UV_NO_GROUP",
    "UV_OUTPUT_FILE",
    "UV_PROJECT",
    "UV_WORKING_DIR",
    "UV_WORKING_DIRECTORY",
)
#: Variables that make uv print colours.
_COLOUR_VARIABLES: Final = ("CLICOLOR_FORCE", "FORCE_COLOR")
#: A terminal width at which uv wraps no line.
_COLUMNS: Final = "10000"
#: Variables of the installers that are meant for the user's own environments.
_UV_ENVIRONMENT_VARIABLES: Final = (
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_COMPILE_BYTECODE",
    "UV_OVERRIDE",
    "UV_SYSTEM_PYTHON",
    "UV_VENV_SEED",
)
_PIP_ENVIRONMENT_VARIABLES: Final = ("PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER")

#: Prefixes of the variables that may hold passwords of indexes.
_TOOL_PREFIXES: Final = ("PIP_", "POETRY_", "UV_")

_EXTRA_INDEXES: Final = "PIP_EXTRA_INDEX_URL"


class Installer(Protocol):
    """Makes the environment of a build and installs build requirements into it.

    The methods that run a program return its result; they return None when they run none.
    """

    @property
    def name(self) -> str:
        """The installer's name, for messages."""
        ...

    def is_there(self) -> bool:
        """Tell whether it is installed."""
        ...

    def make(self, source: Path, environment: IsolatedEnvironment) -> subprocess.CompletedProcess[str] | None:
        """Make the environment for the build of the project at ``source``."""
        ...

    def install(
        self, requirements: Collection[str], source: Path, environment: IsolatedEnvironment
    ) -> subprocess.CompletedProcess[str]:
        """Install build requirements of the project at ``source``.

        :raises LbdartError: when the installer itself is not installed.
        """
        ...

    def settings(self, source: Path) -> Settings:
        """Return the project's settings for its build, as the installer reads them."""
        ...

    def build(
        self, source: Path, output: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str] | None:
        """Build the project without hooks, if the installer has the project's build backend built in.

        :param variables: the environment variables that the build sees.
        """
        ...


@dataclass(frozen=True, slots=True)
class UvInstaller:
    """uv: takes credentials from the variables of their index, and reads the project's ``tool.uv``."""

    @property
    def name(self) -> str:
        """The name ``uv``."""
        return "uv"

    def is_there(self) -> bool:
        """Tell whether uv is installed beside this library or on PATH."""
        return uv_executable() is not None

    def make(self, source: Path, environment: IsolatedEnvironment) -> subprocess.CompletedProcess[str] | None:
        """Make an environment with this Python if the project allows it, else with one that uv finds."""
        if this_python(_project(source)):
            _make_of_this_python(environment.folder)
            return None
        return _run_uv_for_build(
            "venv", "--quiet", str(environment.folder), cwd=source, variables=environment.variables
        )

    def install(
        self, requirements: Collection[str], source: Path, environment: IsolatedEnvironment
    ) -> subprocess.CompletedProcess[str]:
        """Run ``uv pip install`` in the project, so that the project's settings name the indexes."""
        with as_dependencies(source, requirements) as file:
            python = f"--python={environment.python_executable}"
            return _run_uv_for_build(
                "pip", "install", python, "--requirements", file, cwd=source, variables=environment.variables
            )

    def settings(self, source: Path) -> Settings:
        """Return the settings in the project's ``tool.uv``."""
        return settings_of(source)

    def build(
        self, source: Path, output: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str] | None:
        """Run ``uv build`` if the backend is uv's own in this version, since it installs nothing then."""
        admitted = version_of_uv_build(source)
        if admitted is None or not self.is_there():
            return None
        version = run_uv("--version", cwd=source).stdout.split()[1:2]
        if not version or not admitted.contains(version[0], prereleases=True):
            return None
        python = this_python(_project(source))  # without it, uv's search takes longer than the build
        command = ("build", "--wheel", "--out-dir", str(output), *python, str(source))
        return run_uv(*command, cwd=source, environment=for_installer(variables))


@dataclass(frozen=True, slots=True)
class PipInstaller:
    """The pip of the running Python: gets credentials as index URLs in its environment."""

    @property
    def name(self) -> str:
        """The name ``pip``."""
        return "pip"

    def is_there(self) -> bool:
        """Tell whether this Python has pip; an environment that uv made has none."""
        return find_spec("pip") is not None

    def make(self, source: Path, environment: IsolatedEnvironment) -> subprocess.CompletedProcess[str] | None:
        """Make an environment with the running Python."""
        _make_of_this_python(environment.folder)
        return None

    def install(
        self, requirements: Collection[str], source: Path, environment: IsolatedEnvironment
    ) -> subprocess.CompletedProcess[str]:
        """Run ``pip install``, with a requirements file, since the process list shows arguments."""
        if not self.is_there():
            raise LbdartError(
                f"pip is not installed for {sys.executable}, but the project is built with it.",
                "Install it with `python -m ensurepip`, or build with uv.",
            )
        file = environment.folder / "requirements.txt"
        file.write_text(
            "".join(f"{requirement}\n" for requirement in sorted(requirements)), "utf-8", newline="\n"
        )
        return run(
            [
                sys.executable, "-m", "pip", f"--python={environment.python_executable}", "install",
                "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile", "--no-user",
                "--target=", f"--requirement={file}",
            ],
            cwd=source,
            environment=_pip_environment(for_installer(environment.variables)),
        )  # fmt: skip

    def settings(self, source: Path) -> Settings:
        """Return no settings: pip reads none from a project."""
        return Settings()

    def build(
        self, source: Path, output: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str] | None:
        """Return None: pip has no build backend."""
        return None


UV: Final = UvInstaller()
PIP: Final = PipInstaller()


@dataclass(frozen=True, slots=True)
class BuildBackend:
    """A build backend: the requirement that brings it, and its name (PEP 517)."""

    requirement: str
    name: str


@dataclass(frozen=True, slots=True)
class IsolatedBuild:
    """A build frontend that uses the first available installer.

    :param name: the tool that locks the sources.
    :param installers: in order of preference.
    :param backend: for projects that name no build backend. Default: setuptools, as PEP 517 says.
    """

    name: str
    installers: tuple[Installer, ...] = (UV, PIP)
    backend: BuildBackend | None = None

    def build_wheel(self, source: Path, output: Path, variables: Mapping[str, str] | None = None) -> None:
        """Build a project to one wheel in ``output``.

        :param source: a copy of the project, which the build may write to.
        :param variables: the environment variables that the build sees. Default: those of
            :class:`BuildEnvironment`.
        :raises BuildError: when the project cannot be built.
        :raises LbdartError: when there are build requirements to install, but no installer.
        """
        available = (installer for installer in self.installers if installer.is_there())
        installer = next(available, self.installers[-1])
        output.mkdir(parents=True, exist_ok=True)
        if self.backend is not None:
            _name_backend(source / "pyproject.toml", self.backend)
        with tempfile.TemporaryDirectory(prefix=".environment-", dir=output.parent) as folder:
            variables = BuildEnvironment().variables() if variables is None else variables
            _Build(installer, source, IsolatedEnvironment(Path(folder), variables)).run(output)


@dataclass(frozen=True, slots=True)
class _Build:
    """One build in its own environment."""

    installer: Installer
    source: Path
    environment: IsolatedEnvironment

    def run(self, output: Path) -> None:
        result = self.installer.build(self.source, output, self.environment.variables)
        if result is not None:
            self._refuse_failed(result, said(result))
            return
        result = self.installer.make(self.source, self.environment)
        required = _project(self.source).requires_python
        self._refuse_failed(result, f"{self.installer.name} finds no Python {required or ''} for its build")
        settings = self.installer.settings(self.source)
        hooks = Hooks(self.source, self.environment, self._install, self._clean_lines, settings)
        hooks.build_wheel(output)

    def _install(self, requirements: Collection[str]) -> None:
        for requirement in requirements:
            try:
                Requirement(requirement)
            except InvalidRequirement:
                raise BuildError(f"its build requirement {requirement!r} is not valid", []) from None
        result = self.installer.install(requirements, self.source, self.environment)
        # A requirement may be a URL with a password.
        secrets = secrets_in({requirement: requirement for requirement in requirements})
        names = masked(", ".join(sorted(requirements)), secrets)
        why = f"{self.installer.name} could not install its build requirements: {names}"
        self._refuse_failed(result, why, RequirementsError)

    def _refuse_failed(
        self,
        result: subprocess.CompletedProcess[str] | None,
        why: str,
        kind: type[BuildError] = BuildError,
    ) -> None:
        if result is not None and result.returncode:
            lines = self._clean_lines(f"{result.stdout}\n{result.stderr}")
            raise kind(" ".join(self._clean_lines(why)), lines)

    def _clean_lines(self, text: str) -> list[str]:
        """Return the lines of a build's output without secrets and without the paths of temporary folders."""
        variables = {name: value for name, value in os.environ.items() if name.startswith(_TOOL_PREFIXES)}
        text = masked(text, secrets_in(variables) | forms_of(login.password for login in known()))
        for folder in (self.environment.folder, self.source):
            for path in {str(folder), str(folder.resolve())}:
                text = text.replace(f"{path}{os.sep}", "").replace(path, ".")
        return [line.rstrip() for line in text.splitlines() if line.strip()]


def _name_backend(pyproject: Path, backend: BuildBackend) -> None:
    """Write a build backend into the ``pyproject.toml`` of a copy that names none."""
    import tomli_w  # unused when a project names its backend

    content = read_toml(pyproject)
    if "build-backend" not in table(content, "build-system"):
        named = {"requires": [backend.requirement], "build-backend": backend.name}
        pyproject.write_text(tomli_w.dumps({**content, "build-system": named}), "utf-8", newline="\n")


def _project(source: Path) -> Project:
    return Project(source, source / "uv.lock")


def _make_of_this_python(folder: Path) -> None:
    import venv  # unused when nothing is built

    try:
        venv.EnvBuilder(symlinks=True).create(folder)
    except ValueError as error:  # PATH could not name it
        raise LbdartError(
            f"No environment for a build can be made in {folder.parent}: the path has a {os.pathsep!r}.",
            f"Set {CACHE_VARIABLE} to a directory without it.",
        ) from error


def _run_uv_for_build(
    *arguments: str, cwd: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run uv for the environment of a build, without settings for the user's own environments."""
    inherited = for_installer(variables)
    environment = {name: value for name, value in inherited.items() if name not in _UV_ENVIRONMENT_VARIABLES}
    # ``uv build`` would apply these constraints to the build requirements.
    environment["UV_CONSTRAINT"] = os.environ.get("UV_BUILD_CONSTRAINT", "")
    return run_uv(*arguments, cwd=cwd, environment=environment)


def _pip_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for pip, with the known credentials as URLs of extra indexes."""
    variables = {name: value for name, value in environment.items() if name not in _PIP_ENVIRONMENT_VARIABLES}
    if urls := [login.pip_extra_index_url for login in known()]:
        variables[_EXTRA_INDEXES] = " ".join([*variables.get(_EXTRA_INDEXES, "").split(), *urls])
    if "PIP_BUILD_CONSTRAINT" in variables:
        variables["PIP_CONSTRAINT"] = variables["PIP_BUILD_CONSTRAINT"]
    return variables


def uv_executable() -> str | None:
    """Return the path of the uv installed beside this library, else of the one on PATH, else None."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def run_uv(
    *arguments: str, cwd: Path, environment: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """Run uv to its end.

    :raises LbdartError: when uv is not installed.
    """
    executable = uv_executable()
    if executable is None:
        raise LbdartError(
            "uv is not installed, and the project is locked or built with it.",
            "Install it: pip install 'lbdart_cdk[uv]'.",
        )
    return run([executable, *arguments], cwd=cwd, environment=for_uv(environment))


def for_uv(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for uv without variables that would override its arguments.

    Messages quote uv's output, so it has no colours and no wrapped lines.
    """
    kept = {
        name: value
        for name, value in environment.items()
        if name not in (*_OVERRIDING_VARIABLES, *_COLOUR_VARIABLES)
    }
    return {**kept, "COLUMNS": _COLUMNS, "NO_COLOR": "1"}


def this_python(project: Project) -> list[str]:
    """Return uv's option for the running Python if the project allows it, else an empty list.

    Locks and pure-Python wheels do not depend on it. Without the option, uv searches for the Python that is
    pinned for Lambda, or downloads it.
    """
    workspace = Project(project.manifest.parent, project.manifest)
    specifiers = [owner.requires_python for owner in (project, workspace)]
    version = platform.python_version()
    allowed = all(
        specifier is None or specifier.contains(version, prereleases=True) for specifier in specifiers
    )
    return [f"--python={sys.executable}"] if allowed else []
