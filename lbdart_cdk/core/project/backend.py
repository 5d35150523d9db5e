"""What a project's build can depend on outside of its own directory, by its build backend and settings.

A build of a known backend without code of the project's own uses the files that its settings name. Any other
build may use every file of the repository and all that git knows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePath
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from .project import named_path
from .toml import decoded, read_toml_if_any, table
from .tree import OUTPUTS

#: The build backends whose settings are known, with the requirements that bring nothing but the backend.
_BACKENDS: Final = {
    "flit_core.buildapi": {"flit-core"},
    "hatchling.build": {"hatchling"},
    "pdm.backend": {"pdm-backend"},
    "poetry.core.masonry.api": {"poetry-core"},
    "setuptools.build_meta": {"setuptools", "wheel"},
    "setuptools.build_meta:__legacy__": {"setuptools", "wheel"},
    "uv_build": {"uv-build"},
}
#: The backend of a project that names none (PEP 517).
_LEGACY: Final = "setuptools.build_meta:__legacy__"
#: Of these, the one that asks git which files are ignored, and nothing else.
_ASKS_FOR_IGNORED: Final = "poetry.core.masonry.api"
#: Files with code of the project that its build runs.
_CODE: Final = ("setup.py", "hatch_build.py", "pdm_build.py")
#: Files with settings of a build backend, besides ``pyproject.toml``.
_SETTINGS: Final = ("setup.cfg", "MANIFEST.in", "hatch.toml", *_CODE)
#: Tables of ``pyproject.toml`` that are not for the build backend.
_NOT_FOR_BUILD: Final = (
    ("dependency-groups",),
    ("project", "dependencies"),
    ("project", "optional-dependencies"),
    *(("tool", "poetry", name) for name in ("dependencies", "dev-dependencies", "group")),
    *(("tool", "pdm", name) for name in ("dev-dependencies", "scripts")),
    ("tool", "hatch", "envs"),
    *(
        ("tool", name)
        for name in ("black", "coverage", "isort", "mypy", "pyright", "pytest", "ruff", "tox", "uv")
    ),
)
_WILDCARDS: Final = set("*?[")
#: What may be a path in a file that is not TOML: the text between quotation marks or spaces.
_TOKENS: Final = (re.compile(r'"([^"\n]+)"'), re.compile(r"'([^'\n]+)'"), re.compile(r"(\S+)"))


@dataclass(frozen=True)
class Backend:
    """The build backend of the project in a directory.

    :param directory: the directory of the project.
    """

    directory: Path

    @cached_property
    def _pyproject(self) -> dict[str, Any]:
        return read_toml_if_any(self.directory / "pyproject.toml")

    @cached_property
    def _system(self) -> dict[str, Any]:
        return table(self._pyproject, "build-system")

    @property
    def _name(self) -> str:
        return str(self._system.get("build-backend", _LEGACY))

    @cached_property
    def runs_code(self) -> bool:
        """Whether a build may run code that is not known here: of the project, or of another backend."""
        tool = table(self._pyproject, "tool")
        has_hooks = bool(
            "backend-path" in self._system
            or any((self.directory / name).is_file() for name in _CODE)
            or table(tool, "poetry", "build")
            or _has_key(tool.get("hatch"), "custom")
            or _has_key(read_toml_if_any(self.directory / "hatch.toml"), "custom")
            or table(tool, "hatch", "version").get("source") == "code"
            or table(tool, "pdm", "build").get("custom-hook")
            or table(tool, "pdm", "version").get("source") == "call"
        )
        return self._name not in _BACKENDS or has_hooks

    @property
    def asks_for_ignored(self) -> bool:
        """Whether a build may ask git which files are ignored."""
        return self.asks_git or self._name == _ASKS_FOR_IGNORED

    @cached_property
    def asks_git(self) -> bool:
        """Whether a build may ask git for anything, such as a version or the tracked files."""
        own = _BACKENDS.get(self._name, set())
        plugins = {name for name in map(_name_of, self._system.get("requires", ())) if name not in own}
        from_tags = table(self._pyproject, "tool", "pdm", "version").get("source") == "scm"
        return self.runs_code or bool(plugins) or from_tags

    def named_outside(self) -> list[Path]:
        """Return the existing files and directories outside of the project that its settings name.

        Directories that contain the project are none of them.
        """
        own = Path(os.path.normpath(self.directory))
        paths = (named_path(own, token) for token in self._tokens if ".." in PurePath(token).parts)
        found = {path for path in paths if path is not None and not path.is_relative_to(own)}
        return sorted(path for path in found if not own.is_relative_to(path))

    def named_outputs(self) -> list[Path]:
        """Return the existing files and directories that the settings include from where builds leave files.

        A name alone is none, as in ``keywords = ["build"]``; a path is one.
        """
        own = Path(os.path.normpath(self.directory))
        tokens = (PurePath(token) for token in self._tokens)
        paths = {
            named_path(own, str(token))
            for token in tokens
            if token.parts[:1] and token.parts[0] in OUTPUTS and len(token.parts) > 1
        }
        included = (named_path(own, name) for name in _included(self._pyproject) if name in OUTPUTS)
        return sorted({path for path in (*paths, *included) if path is not None})

    @cached_property
    def _tokens(self) -> list[str]:
        """The strings in the settings that may name a path, patterns up to their first wildcard."""
        tokens = [*_strings(self._pyproject)]
        for name in _SETTINGS:
            path = self.directory / name
            if path.is_file():
                text = decoded(path.read_bytes())
                tokens += [token for pattern in _TOKENS for token in pattern.findall(text)]
        paths = (Path(token.removeprefix("file:").strip()).parts for token in tokens)
        return [str(Path(*takewhile(lambda part: not set(part) & _WILDCARDS, parts))) for parts in paths]


def _has_key(content: Any, name: str) -> bool:
    if isinstance(content, list):
        return any(_has_key(value, name) for value in content)
    return isinstance(content, dict) and (
        name in content or any(_has_key(value, name) for value in content.values())
    )


def _name_of(requirement: object) -> str:
    try:
        return canonicalize_name(Requirement(str(requirement)).name)
    except InvalidRequirement:
        return ""


def _included(content: Any) -> Iterator[str]:
    """Yield the keys of the tables that say which files to include, and where: ``force-include``."""
    if isinstance(content, dict):
        for key, value in content.items():
            if "include" in key and isinstance(value, dict):
                yield from value
            else:
                yield from _included(value)


def _strings(content: Any, below: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the keys and values of the tables that may be for the build backend."""
    if below in _NOT_FOR_BUILD:
        return
    if isinstance(content, dict):
        for key, value in content.items():
            yield key
            if not key.startswith("exclude"):
                yield from _strings(value, (*below, key))
    elif isinstance(content, list):
        for value in content:
            yield from _strings(value, below)
    elif isinstance(content, str):
        yield content
