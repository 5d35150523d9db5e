"""The build frontend: a project's own build backend makes a wheel, with what uv or pip installed for it.

The hooks are called by pypa/build (PEP 517). What they need is brought by an installer into an environment
that holds nothing else.
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
from .build_hooks import BuildError, Hooks, IsolatedEnvironment
from .uv_settings import Settings, as_dependencies, settings_of, version_of_uv_build

#: Variables of uv that would contradict what it is asked here: which project, which part of it, and where to.
_OVERRULED: Final = (
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
#: Where uv looks how to draw for a terminal, and a width at which it breaks no line.
_OF_TERMINALS: Final = ("CLICOLOR_FORCE", "FORCE_COLOR")
_COLUMNS: Final = "10000"
#: Variables of the installers that are for environments of the user's.
_OF_ENVIRONMENTS: Final = (
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_COMPILE_BYTECODE",
    "UV_OVERRIDE",
    "UV_SYSTEM_PYTHON",
    "UV_VENV_SEED",
)
_OF_PIPS_ENVIRONMENTS: Final = ("PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER")

#: How the variables begin that may hold passwords of indexes.
_OF_TOOLS: Final = ("PIP_", "POETRY_", "UV_")

_EXTRA_INDEXES: Final = "PIP_EXTRA_INDEX_URL"


class Installer(Protocol):
    """What makes the environment of a build, and brings build requirements into it.

    What a method returns is how the program ended that it ran; None when it ran none.
    """

    @property
    def name(self) -> str:
        """What the user calls it."""
        ...

    def is_there(self) -> bool:
        """Tell whether it is installed."""
        ...

    def make(self, source: Path, folder: Path) -> subprocess.CompletedProcess[str] | None:
        """Make an environment for the build of the project at ``source``."""
        ...

    def install(
        self, requirements: Collection[str], source: Path, environment: IsolatedEnvironment
    ) -> subprocess.CompletedProcess[str]:
        """Install build requirements of the project.

        :raises LbdartError: when the installer itself is not there.
        """
        ...

    def settings(self, source: Path) -> Settings:
        """Return what the project says to the installer about its build."""
        ...

    def build(self, source: Path, output: Path) -> subprocess.CompletedProcess[str] | None:
        """Build a project whose build backend the installer is itself."""
        ...


@dataclass(frozen=True, slots=True)
class UvInstaller:
    """uv, which knows credentials by the variables of their index, and reads the project's ``tool.uv``."""

    @property
    def name(self) -> str:
        """uv."""
        return "uv"

    def is_there(self) -> bool:
        """Tell whether it is beside this library or on PATH."""
        return uv_executable() is not None

    def make(self, source: Path, folder: Path) -> subprocess.CompletedProcess[str] | None:
        """Take this Python where the project admits it, else one that uv finds."""
        if this_python(_project(source)):
            _make_of_this_python(folder)
            return None
        return _run_uv_for_build("venv", "--quiet", str(folder), cwd=source)

    def install(
        self, requirements: Collection[str], source: Path, environment: IsolatedEnvironment
    ) -> subprocess.CompletedProcess[str]:
        """Run ``uv pip install`` in the project, whose settings say where packages come from."""
        with as_dependencies(source, requirements) as file:
            python = f"--python={environment.python_executable}"
            return _run_uv_for_build("pip", "install", python, "--requirements", file, cwd=source)

    def settings(self, source: Path) -> Settings:
        """Return what ``tool.uv`` says."""
        return settings_of(source)

    def build(self, source: Path, output: Path) -> subprocess.CompletedProcess[str] | None:
        """Run ``uv build`` where the build backend is uv's own and of this version: it installs nothing."""
        admitted = version_of_uv_build(source)
        if admitted is None or not self.is_there():
            return None
        version = run_uv("--version", cwd=source).stdout.split()[1:2]
        if not version or not admitted.contains(version[0], prereleases=True):
            return None
        python = this_python(_project(source))  # else uv looks for one, which takes longer than the build
        return run_uv("build", "--wheel", "--out-dir", str(output), *python, str(source), cwd=source)


@dataclass(frozen=True, slots=True)
class PipInstaller:
    """The pip of the Python that is running. Of credentials it gets the addresses, in its environment."""

    @property
    def name(self) -> str:
        """pip."""
        return "pip"

    def is_there(self) -> bool:
        """Tell whether this Python has it; one that uv made an environment of has none."""
        return find_spec("pip") is not None

    def make(self, source: Path, folder: Path) -> subprocess.CompletedProcess[str] | None:
        """Take the Python that is running."""
        _make_of_this_python(folder)
        return None

    def install(
        self, requirements: Collection[str], source: Path, environment: IsolatedEnvironment
    ) -> subprocess.CompletedProcess[str]:
        """Run ``pip install``. Requirements are in a file, since arguments are seen in the process list."""
        if not self.is_there():
            raise LbdartError(
                f"pip is not installed for {sys.executable}, and the project is to be built with it.",
                "Install it with `python -m ensurepip`, or build with uv.",
            )
        file = environment.folder / "requirements.txt"
        file.write_text("".join(f"{requirement}\n" for requirement in sorted(requirements)))
        return run(
            [
                sys.executable, "-m", "pip", f"--python={environment.python_executable}", "install",
                "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile", "--no-user",
                "--target=", f"--requirement={file}",
            ],
            cwd=source,
            environment=_for_pip(os.environ),
        )  # fmt: skip

    def settings(self, source: Path) -> Settings:
        """Return none: pip has no settings in a project."""
        return Settings()

    def build(self, source: Path, output: Path) -> subprocess.CompletedProcess[str] | None:
        """Build nothing: pip is no build backend."""
        return None


UV: Final = UvInstaller()
PIP: Final = PipInstaller()


@dataclass(frozen=True, slots=True)
class IsolatedBuild:
    """The frontend for sources that the tool ``name`` locks, by the first of the installers there is."""

    name: str
    installers: tuple[Installer, ...] = (UV, PIP)

    def build_wheel(self, source: Path, output: Path) -> None:
        """Build the project at ``source`` (a copy, it may be written to) to one wheel in ``output``.

        :raises BuildError: when the project cannot be built.
        :raises LbdartError: when what is to be installed takes an installer that is not there.
        """
        found = (installer for installer in self.installers if installer.is_there())
        installer = next(found, self.installers[-1])
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".environment-", dir=output.parent) as folder:
            _Build(installer, source, IsolatedEnvironment(Path(folder))).run(output)


@dataclass(frozen=True, slots=True)
class _Build:
    """One build, in an environment of its own."""

    installer: Installer
    source: Path
    environment: IsolatedEnvironment

    def run(self, output: Path) -> None:
        built = self.installer.build(self.source, output)
        if built is not None:
            self._refuse_failed(built, said(built))
            return
        made = self.installer.make(self.source, self.environment.folder)
        self._refuse_failed(made, f"{self.installer.name} finds no Python for its build")
        settings = self.installer.settings(self.source)
        hooks = Hooks(self.source, self.environment, self._install, self._heard, settings)
        hooks.build_wheel(output)

    def _install(self, requirements: Collection[str]) -> None:
        for requirement in requirements:
            try:
                Requirement(requirement)
            except InvalidRequirement:
                raise BuildError(f"its build requirement {requirement!r} is not valid", []) from None
        result = self.installer.install(requirements, self.source, self.environment)
        # One may be an address with a password in it.
        names = masked(", ".join(sorted(requirements)), secrets_in({each: each for each in requirements}))
        why = f"{self.installer.name} could not install what its build requires: {names}"
        self._refuse_failed(result, why)

    def _refuse_failed(self, result: subprocess.CompletedProcess[str] | None, why: str) -> None:
        if result is not None and result.returncode:
            lines = self._heard(f"{result.stdout}\n{result.stderr}")
            raise BuildError(" ".join(self._heard(why)), lines)

    def _heard(self, text: str) -> list[str]:
        """Return what was said: build backends may print secrets, and a copy's paths are of no use."""
        variables = {name: value for name, value in os.environ.items() if name.startswith(_OF_TOOLS)}
        text = masked(text, secrets_in(variables) | forms_of(each.password for each in known()))
        for folder in (self.environment.folder, self.source):
            for path in {str(folder), str(folder.resolve())}:
                text = text.replace(f"{path}{os.sep}", "").replace(path, ".")
        return [line.rstrip() for line in text.splitlines() if line.strip()]


def _project(source: Path) -> Project:
    return Project(source, source / "uv.lock")


def _make_of_this_python(folder: Path) -> None:
    import venv  # not needed where nothing is built

    venv.EnvBuilder(symlinks=True).create(folder)


def _run_uv_for_build(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run uv for the environment of a build, which is none of the user's."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_ENVIRONMENTS}
    # What is installed here is what ``uv build`` would have constrained so.
    environment["UV_CONSTRAINT"] = os.environ.get("UV_BUILD_CONSTRAINT", "")
    return run_uv(*arguments, cwd=cwd, environment=environment)


def _for_pip(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for pip, in which the known credentials are addresses of further indexes."""
    made = {name: value for name, value in environment.items() if name not in _OF_PIPS_ENVIRONMENTS}
    if addresses := [each.pip_extra_index_url for each in known()]:
        made[_EXTRA_INDEXES] = " ".join([*made.get(_EXTRA_INDEXES, "").split(), *addresses])
    if "PIP_BUILD_CONSTRAINT" in made:
        made["PIP_CONSTRAINT"] = made["PIP_BUILD_CONSTRAINT"]
    return made


def uv_executable() -> str | None:
    """Return the uv to run: the one installed beside this library, else the one on PATH, else None."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def run_uv(
    *arguments: str, cwd: Path, environment: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """Run uv to its end; raises :class:`LbdartError` when it is not installed."""
    executable = uv_executable()
    if executable is None:
        raise LbdartError(
            "uv is not installed, and the project is locked or built with it.",
            "Install it: pip install 'lbdart_cdk[uv]'.",
        )
    return run([executable, *arguments], cwd=cwd, environment=for_uv(environment))


def for_uv(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for uv, in which only what is asked of it says what it does.

    What it says is quoted, and so it is not drawn for a terminal.
    """
    kept = {name: value for name, value in environment.items() if name not in (*_OVERRULED, *_OF_TERMINALS)}
    return {**kept, "COLUMNS": _COLUMNS, "NO_COLOR": "1"}


def this_python(project: Project) -> list[str]:
    """Return uv's option for the Python that is running, where the project admits it; else none.

    Neither a lock nor a pure-Python wheel depends on it, and else uv looks for the Python that is pinned
    for Lambda, or downloads it.
    """
    workspace = Project(project.manifest.parent, project.manifest)
    required = [one.requires_python for one in (project, workspace)]
    here = platform.python_version()
    admitted = all(one is None or one.contains(here, prereleases=True) for one in required)
    return [f"--python={sys.executable}"] if admitted else []
