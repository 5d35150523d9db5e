"""The user's project: its directory, what its ``pyproject.toml`` says, and the Python it is for."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from ..errors import LbdartError
from .manifest import LayerManifestManager
from .target import SUPPORTED_RUNTIMES, Target, oldest_admitted
from .toml import decoded, read_toml


@dataclass(frozen=True)
class Project:
    """A directory with a manifest: the lock file of the tool that the project is locked with.

    ``manifest`` may lie above ``root``: the members of a workspace share one.
    """

    root: Path
    manifest: Path

    @cached_property
    def _manifest(self) -> LayerManifestManager:
        return LayerManifestManager(self.manifest)

    @property
    def manifest_content(self) -> bytes:
        """The manifest's bytes, read once: what was hashed is what is published."""
        return self._manifest.content

    @property
    def manifest_md5(self) -> str:
        """The specification's consistency check, in hexadecimal; nothing relies on it being secure."""
        return self._manifest.md5

    @property
    def manifest_sha256(self) -> str:
        """The manifest's SHA-256 in hexadecimal."""
        return hashlib.sha256(self.manifest_content).hexdigest()

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """The content of ``pyproject.toml``; empty when the project has none."""
        path = self.root / "pyproject.toml"
        return read_toml(path) if path.is_file() else {}

    @property
    def name(self) -> NormalizedName:
        """The project's normalised name: ``project.name``, else the name of the directory.

        It has the letters that a name may have (PEP 508); it is empty when there are only others.
        """
        name = self._said("name") or self.root.resolve().name
        ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        return canonicalize_name("-".join(re.findall(r"[A-Za-z0-9]+", ascii_only)))

    @property
    def version(self) -> str | None:
        """``project.version``, or None when there is none or the build backend makes it."""
        return self._said("version")

    def refuse_without_version(self) -> None:
        """Raise :class:`LbdartError` when ``project`` has no version and leaves it to nobody (PEP 621)."""
        table = self._table("project")
        if table and self.version is None and "version" not in table.get("dynamic", ()):
            raise LbdartError(
                f"The project in {self.root / 'pyproject.toml'} has no version.",
                'Give it one, as version = "1.0.0", or name it in dynamic when the build backend makes it.',
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
    def has_build_system(self) -> bool:
        """Whether the project says how it is built (PEP 518)."""
        return bool(self._table("build-system"))

    @property
    def requires_python(self) -> SpecifierSet | None:
        """``project.requires-python``, or None when the project does not say it."""
        required = self._table("project").get("requires-python")
        if not isinstance(required, str):
            return None
        try:
            return SpecifierSet(required)
        except InvalidSpecifier as error:
            raise LbdartError(
                f"requires-python in {self.root / 'pyproject.toml'} is no version specifier: {required!r}.",
                'Write it as in requires-python = ">=3.12".',
            ) from error

    def python(self) -> tuple[int, int]:
        """Return the Python the project is for.

        It is what ``.python-version`` pins, in the project or beside the manifest, else the oldest Lambda
        runtime that ``requires-python`` admits. Raises :class:`LbdartError` when neither says it.
        """
        pins = (folder / ".python-version" for folder in (self.root, self.manifest.parent))
        pin = next((path for path in pins if path.is_file()), None)
        if pin is not None:
            return _pinned_python(pin)
        if self.requires_python is None:
            raise LbdartError(
                f"The project {self.root} does not say which Python it is for.",
                "Pass runtime=, or give it a .python-version file or requires-python in pyproject.toml.",
            )
        oldest = oldest_admitted(self.requires_python)
        if oldest is None:
            raise LbdartError(
                f'No Lambda runtime has a Python that requires-python = "{self.requires_python}" admits.',
                f"Widen it to admit one of {', '.join(SUPPORTED_RUNTIMES)}.",
            )
        return oldest

    def refuse_unless_for(self, target: Target) -> None:
        """Raise :class:`LbdartError` when ``requires-python`` does not admit the target's Python."""
        required = self.requires_python
        if required is not None and not required.contains(target.environment()["python_full_version"]):
            raise LbdartError(
                f"The project {self.name} requires Python {required}, and the runtime is {target.runtime}.",
                "Choose a runtime that requires-python in pyproject.toml admits, or widen that.",
            )

    def _said(self, key: str) -> str | None:
        """Return what ``project`` says, or ``tool.poetry``, which was there before the standard."""
        tool = self._table("tool").get("poetry", {})
        found = self._table("project").get(key) or (tool.get(key) if isinstance(tool, dict) else None)
        return found if isinstance(found, str) else None

    def _table(self, name: str) -> dict[str, Any]:
        table = self.pyproject.get(name, {})
        return table if isinstance(table, dict) else {}


def checked_pyproject(path: Path) -> Path:
    """Return the resolved path of a ``pyproject.toml``; raises :class:`LbdartError` when none is there."""
    if not path.is_file():
        raise LbdartError(f"There is no {path}.", "Pass the path of the project's pyproject.toml.")
    return path.parent.resolve() / path.name


def _pinned_python(pin: Path) -> tuple[int, int]:
    lines = (line.strip() for line in decoded(pin.read_bytes()).splitlines())
    line = next((line for line in lines if line and not line.startswith("#")), "")
    match = re.fullmatch(r"(?:cpython-?|python)?(\d+)\.(\d+)(?:\..*)?", line)
    if match is None:
        raise LbdartError(
            f"{pin} pins {line!r}, which names no Python version of Lambda.",
            "Write a version such as 3.13 there, or pass runtime=.",
        )
    return int(match[1]), int(match[2])
