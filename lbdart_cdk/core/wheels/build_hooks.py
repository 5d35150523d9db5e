"""A project's build hooks (PEP 517), called by pypa/build in an isolated environment, and why they fail."""

from __future__ import annotations

import os
import subprocess
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import LbdartError, in_one_line
from ..process import reason, run
from .uv_settings import Settings

if TYPE_CHECKING:
    from build import BuildBackendException, BuildException
    from pyproject_hooks import SubprocessRunner

#: How many lines of an exception's text are quoted; all of them are printed.
_QUOTED: Final = 3


@dataclass(frozen=True, slots=True)
class IsolatedEnvironment:
    """A virtual environment for the build of one project, as ``build.env.IsolatedEnv`` asks for it."""

    folder: Path

    @property
    def scripts(self) -> Path:
        """Where its programs are."""
        return self.folder / "bin"

    @property
    def python_executable(self) -> str:
        """Its Python."""
        return str(self.scripts / "python")

    def make_extra_environ(self) -> Mapping[str, str]:
        """Return what a hook finds in its environment beside what this process has in its own."""
        path = [str(self.scripts), *filter(None, [os.environ.get("PATH")])]
        return {
            "PATH": os.pathsep.join(path),
            "VIRTUAL_ENV": str(self.folder),
            "PYTHONPATH": "",  # as if it were not set: the packages of the environment, and no others
            # What is quoted has no colours, whatever FORCE_COLOR says.
            "NO_COLOR": "1",
            "PYTHON_COLORS": "0",
        }


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of the project at ``source``.

    ``install`` brings build requirements into the environment. ``heard`` returns the lines of a text as
    others may see them.
    """

    source: Path
    environment: IsolatedEnvironment
    install: Callable[[Collection[str]], None]
    heard: Callable[[str], list[str]]
    settings: Settings

    def build_wheel(self, output: Path) -> None:
        """Have the build backend make a wheel in ``output``.

        :raises BuildError: when the project does not say how it is built, or a hook fails.
        """
        from build import BuildBackendException, BuildException, ProjectBuilder

        said: list[str] = []
        try:
            # A backend's warnings are for who maintains the project, and no reason to fail.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                builder = ProjectBuilder.from_isolated_env(self.environment, self.source, self._runner(said))
                requires = builder.build_system_requires | self.settings.requires
                if requires:
                    self.install(requires)
                more = builder.get_requires_for_build("wheel", self.settings.config)
                if more - requires:
                    self.install(requires | more)
                builder.build("wheel", output, self.settings.config)
        except (BuildException, BuildBackendException, ValueError) as error:
            said.extend(self._unsaid(error))
            raise BuildError(" ".join(self.heard(self._why(error))), said) from None

    def _runner(self, said: list[str]) -> SubprocessRunner:
        def call(
            cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
        ) -> None:
            environment = {**os.environ, **(extra_environ or {})}
            result = run(cmd, cwd=Path(cwd or self.source), environment=environment)
            said.extend(self.heard(result.stdout) + self.heard(result.stderr))
            if result.returncode:
                raise subprocess.CalledProcessError(result.returncode, cmd, result.stdout, result.stderr)

        return call

    def _unsaid(self, error: Exception) -> list[str]:
        """Return the traceback of a backend that cannot be imported, which is in the answer alone."""
        from pyproject_hooks import BackendUnavailable

        cause = getattr(error, "exception", None)
        return self.heard(str(cause)) if isinstance(cause, BackendUnavailable) else []

    def _why(self, error: BuildException | BuildBackendException | ValueError) -> str:
        """Return why the project could not be built, as the end of a sentence."""
        from pyproject_hooks import BackendUnavailable

        match cause := getattr(error, "exception", error):
            case subprocess.CalledProcessError():
                lines = (cause.stderr or cause.stdout).splitlines()
                return reason(lines, quoted=_QUOTED) or f"its build backend gave exit code {cause.returncode}"
            case BackendUnavailable():
                why = reason(str(cause).splitlines())
                return f"its build backend {cause.backend_name!r} cannot be imported: {why}"
            case LbdartError():
                return cause.problem.rstrip(".")
            case FileNotFoundError():  # of the file with the answer
                return "its build backend ended without an answer"
            case _:
                return in_one_line(cause)


class BuildError(LbdartError):
    """A project that could not be built; who asked for the build knows what it was of, and what to do.

    ``why`` is the end of a sentence. ``said`` are the lines of the build, without secrets and without paths
    of the copy that it worked in.
    """

    def __init__(self, why: str, said: Sequence[str]) -> None:
        self.why = in_one_line(why)
        self.said = said
        super().__init__(
            f"The project could not be built to a wheel: {self.why}.", "See what its build backend says."
        )
