"""The user's project: its directory, its ``pyproject.toml``, and the Python that it is for."""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from ..errors import LbdartError, MissingError
from .manifest import ManifestFile
from .target import SUPPORTED_RUNTIMES, Target, oldest_admitted
from .toml import decoded, read_toml_if_any, table


@dataclass(frozen=True)
class Project:
    """A project's directory and its manifest.

    :param root: the directory of the project.
    :param manifest: the file that the project's tool locks it with. The members of a workspace share one
        manifest, in a directory above them.
    """

    root: Path
    manifest: Path

    @cached_property
    def manifest_file(self) -> ManifestFile:
        """The manifest with its content, which is read once."""
        return ManifestFile(self.manifest)

    @property
    def manifest_content(self) -> bytes:
        """The manifest's bytes, read once, so that the hash is that of the published file."""
        return self.manifest_file.content

    @property
    def manifest_md5(self) -> str:
        """The manifest's MD5 in hexadecimal: a consistency check, not a protection."""
        return self.manifest_file.md5

    @property
    def manifest_sha256(self) -> str:
        """The manifest's SHA-256 in hexadecimal."""
        return self.manifest_file.sha256

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """The tables of ``pyproject.toml``; empty when the project has no such file."""
        return read_toml_if_any(self.root / "pyproject.toml")

    @property
    def name(self) -> NormalizedName:
        """The project's normalised name: ``project.name``, else the name of the directory.

        Drops the characters that a name may not contain (PEP 508), and may then be empty.
        """
        name = self._metadata("name") or self.root.resolve().name
        ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        return canonicalize_name("-".join(re.findall(r"[A-Za-z0-9]+", ascii_only)))

    @property
    def version(self) -> str | None:
        """``project.version``; None when it is missing or the build backend sets it."""
        return self._metadata("version")

    def refuse_without_version(self) -> None:
        """Refuse a project whose version nothing sets.

        :raises LbdartError: when the ``project`` table neither has a version nor lists it in ``dynamic``
            (PEP 621).
        """
        table = self._table("project")
        if table and self.version is None and "version" not in table.get("dynamic", ()):
            raise LbdartError(
                f"The project in {self.root / 'pyproject.toml'} has no version.",
                'Add version = "1.0.0", or list version in dynamic when the build backend sets it.',
            )

    @property
    def extras(self) -> tuple[str, ...]:
        """The names of the project's extras (PEP 621)."""
        return tuple(self._table("project").get("optional-dependencies", {}))

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the project's dependency groups (PEP 735)."""
        return tuple(self._table("dependency-groups"))

    @property
    def declares_dependencies(self) -> bool:
        """Whether the project may require packages, as far as ``pyproject.toml`` and ``setup.py`` show it."""
        project, poetry = self._table("project"), table(self.pyproject, "tool", "poetry")
        if (self.root / "setup.py").is_file() or (self.root / "setup.cfg").is_file():
            return True
        is_dynamic = "dependencies" in project.get("dynamic", ())
        return bool(
            project.get("dependencies") or is_dynamic or {*poetry.get("dependencies", ())} - {"python"}
        )

    @property
    def has_build_system(self) -> bool:
        """Whether the project has a ``build-system`` table (PEP 518)."""
        return bool(self._table("build-system"))

    @property
    def is_buildable(self) -> bool:
        """Whether the project says how it is built: with a build system, or with the older ``setup.py``."""
        return self.has_build_system or (self.root / "setup.py").is_file()

    @property
    def requires_python(self) -> SpecifierSet | None:
        """``project.requires-python``, or None when it is missing.

        :raises LbdartError: when it is not a version specifier.
        """
        required = self._table("project").get("requires-python")
        if not isinstance(required, str):
            return None
        try:
            return SpecifierSet(required)
        except InvalidSpecifier as error:
            raise LbdartError(
                f"requires-python in {self.root / 'pyproject.toml'} is not a version specifier: "
                f"{required!r}.",
                'Write it like requires-python = ">=3.12".',
            ) from error

    def python(self) -> tuple[int, int]:
        """Return the Python that the project is for.

        This is the Python that ``.python-version`` pins, in the project or beside the manifest. Without that
        file it is the oldest Lambda runtime that ``requires-python`` admits.

        :raises LbdartError: when neither names a Python of Lambda.
        """
        pins = (folder / ".python-version" for folder in (self.root, self.manifest.parent))
        pin = next((path for path in pins if path.is_file()), None)
        if pin is not None:
            return _pinned_python(pin)
        if self.requires_python is None:
            raise LbdartError(
                f"The project {self.root} does not say which Python it is for.",
                "Pass runtime=, or add a .python-version file or requires-python in pyproject.toml.",
            )
        oldest = oldest_admitted(self.requires_python)
        if oldest is None:
            raise LbdartError(
                f'No Lambda runtime has a Python that requires-python = "{self.requires_python}" admits.',
                f"Widen it to admit one of {', '.join(SUPPORTED_RUNTIMES)}, or pass a newer runtime=.",
            )
        return oldest

    def target(self, runtime: str | None, architecture: str) -> Target:
        """Return the target for a runtime of Lambda; without one, for the Python that the project is for.

        :param runtime: such as ``python3.13``.
        :raises LbdartError: when Lambda does not have it, or the project does not support it.
        """
        if runtime is None:
            return Target(self.python(), architecture)
        target = Target.from_runtime(runtime, architecture)
        self.refuse_unless_for(target)
        return target

    def refuse_unless_for(self, target: Target) -> None:
        """Refuse a target whose Python the project does not support.

        :raises LbdartError: when ``requires-python`` does not admit the target's Python.
        """
        required = self.requires_python
        if required is not None and not required.contains(target.environment()["python_full_version"]):
            raise LbdartError(
                f"The project {self.name} requires Python {required}, but the runtime is {target.runtime}.",
                "Choose a runtime that requires-python in pyproject.toml admits, or widen requires-python.",
            )

    def _metadata(self, key: str) -> str | None:
        """Return a value of ``project``, or else of ``tool.poetry``, which is older than the standard."""
        value = self._table("project").get(key) or table(self.pyproject, "tool", "poetry").get(key)
        return value if isinstance(value, str) else None

    def _table(self, name: str) -> dict[str, Any]:
        return table(self.pyproject, name)


def checked_pyproject(path: Path) -> Path:
    """Return the resolved path of a ``pyproject.toml``.

    :raises LbdartError: when the file does not exist.
    """
    if not path.is_file():
        raise MissingError(f"There is no {path}.", "Pass the path of the project's pyproject.toml.")
    return path.parent.resolve() / path.name


def named_path(directory: Path, name: str) -> Path | None:
    """Return the file or directory that a manifest names; None when there is none.

    :param name: a path, relative to ``directory``. One that no file can have (too long, a null byte) names
        nothing.
    """
    path = Path(os.path.normpath(directory / name))
    with suppress(OSError, ValueError):
        return path if path.exists() else None
    return None


def _pinned_python(pin: Path) -> tuple[int, int]:
    lines = (line.strip() for line in decoded(pin.read_bytes()).splitlines())
    line = next((line for line in lines if line and not line.startswith("#")), "")
    match = re.fullmatch(r"(?:cpython-?|python)?(\d+)\.(\d+)(?:\..*)?", line)
    if match is None:
        raise LbdartError(
            f"{pin} pins {line!r}, which is not a Python version of Lambda.",
            "Write a version such as 3.13 there, or pass runtime=.",
        )
    return int(match[1]), int(match[2])
