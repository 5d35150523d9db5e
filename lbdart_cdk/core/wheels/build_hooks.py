"""Call a project's build hooks (PEP 517) in an isolated environment, with pypa/build."""

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
from ..windows import IS_WINDOWS
from .uv_settings import Settings

if TYPE_CHECKING:
    from build import BuildBackendException, BuildException
    from pyproject_hooks import SubprocessRunner

#: How many lines of an exception's text go into a message; all its lines are printed.
_QUOTED: Final = 3


@dataclass(frozen=True, slots=True)
class IsolatedEnvironment:
    """A virtual environment for the build of one project (implements ``build.env.IsolatedEnv``).

    :param folder: its directory.
    :param variables: the environment variables that the build sees.
    """

    folder: Path
    variables: Mapping[str, str]

    @property
    def scripts(self) -> Path:
        """The directory of its programs."""
        return self.folder / ("Scripts" if IS_WINDOWS else "bin")

    @property
    def python_executable(self) -> str:
        """The path of its Python."""
        return str(self.scripts / ("python.exe" if IS_WINDOWS else "python"))

    def make_extra_environ(self) -> Mapping[str, str]:
        """Return the environment of a hook."""
        path = [str(self.scripts), *filter(None, [self.variables.get("PATH")])]
        return {
            **self.variables,
            "PATH": os.pathsep.join(path),
            "VIRTUAL_ENV": str(self.folder),
            "PYTHONPATH": "",  # same as unset: only the packages of the environment are imported
            # Messages quote the output, so it must have no colours, even with FORCE_COLOR.
            "NO_COLOR": "1",
            "PYTHON_COLORS": "0",
        }


@dataclass(frozen=True, slots=True)
class Hooks:
    """The build hooks of one project.

    :param source: the project's directory.
    :param install: installs build requirements into the environment.
    :param clean_lines: returns the lines of a text without secrets and temporary paths.
    :param settings: the project's settings for its build.
    """

    source: Path
    environment: IsolatedEnvironment
    install: Callable[[Collection[str]], None]
    clean_lines: Callable[[str], list[str]]
    settings: Settings

    def build_wheel(self, output: Path) -> None:
        """Build a wheel into ``output`` with the project's build backend.

        :raises BuildError: when the project's build configuration is invalid or a hook fails.
        """
        from build import BuildBackendException, BuildException, ProjectBuilder

        output_lines: list[str] = []
        try:
            # Warnings about the build are for the project's maintainer; they must not fail it.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                runner = self._runner(output_lines)
                builder = ProjectBuilder.from_isolated_env(self.environment, self.source, runner)
                requires = builder.build_system_requires | self.settings.requires
                if requires:
                    self.install(requires)
                more = builder.get_requires_for_build("wheel", self.settings.config)
                if more - requires:
                    self.install(requires | more)
                builder.build("wheel", output, self.settings.config)
        except (BuildException, BuildBackendException, ValueError) as error:
            output_lines.extend(self._import_traceback(error))
            raise BuildError(" ".join(self.clean_lines(self._why(error))), output_lines) from None

    def _runner(self, output_lines: list[str]) -> SubprocessRunner:
        def call(
            cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
        ) -> None:
            result = run(cmd, cwd=Path(cwd or self.source), environment=extra_environ or {})
            output_lines.extend(self.clean_lines(result.stdout) + self.clean_lines(result.stderr))
            if result.returncode:
                raise subprocess.CalledProcessError(result.returncode, cmd, result.stdout, result.stderr)

        return call

    def _import_traceback(self, error: Exception) -> list[str]:
        """Return the traceback of a backend that cannot be imported; the hook's output does not have it."""
        from pyproject_hooks import BackendUnavailable

        cause = getattr(error, "exception", None)
        return self.clean_lines(str(cause)) if isinstance(cause, BackendUnavailable) else []

    def _why(self, error: BuildException | BuildBackendException | ValueError) -> str:
        """Return why the project could not be built, as the end of a sentence."""
        from pyproject_hooks import BackendUnavailable

        match cause := getattr(error, "exception", error):
            case subprocess.CalledProcessError():
                lines = (cause.stderr or cause.stdout).splitlines()
                return (
                    reason(lines, quoted=_QUOTED)
                    or f"its build backend ended with exit code {cause.returncode}"
                )
            case BackendUnavailable():
                why = reason(str(cause).splitlines())
                return f"its build backend {cause.backend_name!r} cannot be imported: {why}"
            case LbdartError():
                return cause.problem.rstrip(".")
            case FileNotFoundError():  # the file for the hook's result
                return "its build backend ended without a result"
            case _:
                return in_one_line(cause)


class BuildError(LbdartError):
    """A project that could not be built; the caller adds the project's name and the remedy.

    :param why: the cause, as the end of a sentence.
    :param said: the lines of the build's output, without secrets and without paths of the temporary copy.
    """

    def __init__(self, why: str, said: Sequence[str]) -> None:
        self.why = in_one_line(why)
        self.said = said
        super().__init__(
            f"The project could not be built to a wheel: {self.why}.", "See the output of its build backend."
        )


class RequirementsError(BuildError):
    """A project whose build requirements could not be installed; another time, they may be there."""
