"""How uv itself exports ``uv.lock`` to PEP 751."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.lock import without_dates
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.process import said
from lbdart_cdk.core.progress import announced
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.core.wheels.environment import BuildEnvironment, for_installer
from lbdart_cdk.core.windows import IS_WINDOWS

from .._mirror import mirrored
from .._stand_in_python import stand_in_python

#: uv's messages when it has no Python that ``requires-python`` admits ...
_NO_PYTHON: Final = re.compile(
    r"No interpreter found|Failed to download .*/cpython-|incompatible with the project's Python requirement"
)
#: ... and also those when it has to build something.
_NEEDS_PYTHON: Final = re.compile(rf"{_NO_PYTHON.pattern}|--no-build|Building source distributions")


def exported(
    project: Project,
    options: Options,
    target: Target,
    store: Store,
    *,
    directories: Collection[Path],
    archives: Collection[Path],
) -> dict[str, Any]:
    """Return the lock in the format of PEP 751, without its dates.

    :param directories: the directories of the user that the lock names.
    :param archives: the wheels and archives of the user that it names, and folders of such.
    :raises LbdartError: when uv cannot read the lock.
    """
    chosen = [f"--extra={name}" for name in options.extras] + [f"--group={name}" for name in options.groups]
    announcement = announced(f"Reading {project.manifest.name} of {project.name}")
    with announcement, mirrored(directories, store, archives) as mirror:

        def export(*python: str) -> subprocess.CompletedProcess[str]:
            return frontend.run_uv(
                "export", "--quiet", "--format=pylock.toml", "--locked", "--no-header",
                "--no-emit-project", "--no-default-groups", *python, *chosen,
                cwd=mirror.copy(project.root),
                environment=for_installer(BuildEnvironment().variables(mirror.folder)),
            )  # fmt: skip

        result = export(*frontend.this_python(project))
        # The stand-in is a script for a shell.
        if not IS_WINDOWS and mirror.is_needless and result.returncode and _NO_PYTHON.search(said(result)):
            with store.scratch() as folder:
                python = stand_in_python(folder, target.environment()["python_full_version"])
                # Without the cache, which would keep what the stand-in says of itself.
                again = export(f"--python={python}", "--no-build", "--no-cache")
            if not _NEEDS_PYTHON.search(said(again)):
                result = again
        if result.returncode:
            raise _export_error(project, mirror.in_place(said(result)))
    content: dict[str, Any] = without_dates(tomllib.loads(mirror.in_place(result.stdout)))
    return content


def _export_error(project: Project, message: str) -> LbdartError:
    if "needs to be updated" in message:
        workspace = project.manifest.parent
        others = ", or that of a member of the workspace" if workspace != project.root else ""
        return LbdartError(
            f"{project.manifest} does not match {workspace / 'pyproject.toml'}{others}.",
            "Run `uv lock` and commit the result.",
        )
    if _NO_PYTHON.search(message):
        required = _required_python(project)
        return LbdartError(
            f"uv needs Python {required} to read {project.manifest}, and finds none on this machine.",
            "Install it with `uv python install`, or set the variable UV_PYTHON to its path.",
        )
    if "incompatible with the declared conflicts" in message:
        return LbdartError(
            f"{project.name} in {project.root} has options that exclude each other: {message}.",
            "Select one of them, and put the other in another layer.",
        )
    if "is not defined in" in message:
        return LbdartError(
            f"The project {project.name} in {project.root} does not have the extra or group: {message}.",
            f"Its extras are: {_join(project.extras)}; its groups are: {_join(project.groups)}.",
        )
    return LbdartError(
        f"uv cannot read the lock of {project.root}: {message}.",
        "Run `uv lock --check` there to see uv's full output.",
    )


def _required_python(project: Project) -> str:
    workspace = Project(project.manifest.parent, project.manifest)
    specifiers = [reader.requires_python for reader in (project, workspace)]
    required = [str(specifier) for specifier in specifiers if specifier is not None]
    return ",".join(dict.fromkeys(required))


def _join(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
