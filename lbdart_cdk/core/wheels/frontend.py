"""Build frontends: uv and pip, which have a project's own build backend make a wheel (PEP 517)."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from ..credentials.masking import masked, secrets_in
from ..credentials.value import Credentials
from ..errors import LbdartError
from ..process import BuildError, run
from ..project.project import Project

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

#: How the variables begin that may hold passwords of indexes.
_OF_TOOLS: Final = ("PIP_", "POETRY_", "UV_")

_EXTRA_INDEXES: Final = "PIP_EXTRA_INDEX_URL"


@dataclass(frozen=True, slots=True)
class UvBuild:
    """``uv build``, which knows :class:`Credentials` by the variables of their index."""

    @property
    def name(self) -> str:
        """uv."""
        return "uv"

    def build_wheel(self, source: Path, output: Path) -> None:
        """Run ``uv build --wheel``; raises :class:`LbdartError` when the project cannot be built."""
        python = this_python(Project(source, source / "uv.lock"))
        # Not --quiet: that would keep quiet what the build backend says, too.
        result = run_uv("build", "--wheel", "--out-dir", str(output), *python, str(source), cwd=source)
        if result.returncode:
            raise BuildError(self.name, _lines_of(result, source, os.environ))


@dataclass(frozen=True, slots=True)
class PipWheel:
    """``pip wheel``, by the pip of the Python that is running.

    ``credentials`` are of indexes that the build backend may come from, beside pip's own; pip knows them by
    its environment, since arguments are seen in the process list.
    """

    credentials: tuple[Credentials, ...] = ()

    @property
    def name(self) -> str:
        """pip."""
        return "pip"

    def build_wheel(self, source: Path, output: Path) -> None:
        """Run ``pip wheel --no-deps``; raises :class:`LbdartError` when the project cannot be built."""
        if find_spec("pip") is None:
            raise LbdartError(
                f"pip is not installed for {sys.executable}, and the project is to be built with it.",
                "Install it with `python -m ensurepip`, or build with uv.",
            )
        environment = self._environment()
        result = run(
            [
                sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-input",
                "--disable-pip-version-check", "--wheel-dir", output, source,
            ],
            cwd=source,
            environment=environment,
        )  # fmt: skip
        if result.returncode:
            raise BuildError(self.name, _lines_of(result, source, environment))

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        if self.credentials:
            indexes = " ".join(one.pip_extra_index_url for one in self.credentials)
            environment[_EXTRA_INDEXES] = f"{environment.get(_EXTRA_INDEXES, '')} {indexes}".strip()
        return environment


def _lines_of(
    result: subprocess.CompletedProcess[str], source: Path, environment: Mapping[str, str]
) -> list[str]:
    """Return what was said: build backends may print secrets, and a copy's paths are of no use."""
    settings = {name: value for name, value in environment.items() if name.startswith(_OF_TOOLS)}
    text = masked(f"{result.stdout}\n{result.stderr}", secrets_in(settings))
    for path in {str(source), str(source.resolve())}:
        text = text.replace(f"{path}{os.sep}", "").replace(path, ".")
    return [line.rstrip() for line in text.splitlines() if line.strip()]


UV: Final = UvBuild()
PIP: Final = PipWheel()


def uv_executable() -> str | None:
    """Return the uv to run: the one installed beside this library, else the one on PATH, else None."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def run_uv(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run uv to its end; raises :class:`LbdartError` when it is not installed."""
    executable = uv_executable()
    if executable is None:
        raise LbdartError(
            "uv is not installed, and the project is locked or built with it.",
            "Install it: pip install 'lbdart_cdk[uv]'.",
        )
    return run([executable, *arguments], cwd=cwd, environment=for_uv(os.environ))


def for_uv(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for uv, in which only what is asked of it says what it does."""
    return {name: value for name, value in environment.items() if name not in _OVERRULED}


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
