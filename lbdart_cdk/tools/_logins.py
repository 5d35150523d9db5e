"""The credentials for indexes in the tools' own settings and variables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

from lbdart_cdk.core.credentials.lookup import credentials_in, credentials_named
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.toml import decoded, read_toml_if_any

from ._index import pip_setting

#: Variables with the URLs of indexes. A URL may contain a user, and uv's may follow a name and ``=``.
_ADDRESSES: Final = (
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
)
_NAMED: Final = re.compile(r"(?:^|\s)([A-Za-z0-9._-]+)=(https?://\S+)")
#: The endings of requirements files, and the lines of them that name an index or another file.
_REQUIREMENTS: Final = (".txt", ".in")
_OPTION: Final = re.compile(r"^\s*(-i|-f|--(?:extra-)?index-url|--find-links)[\s=]+(\S+://\S+)", re.MULTILINE)
_INCLUDE: Final = re.compile(r"^\s*(?:-[rc]|--(?:requirement|constraint))[\s=]*(\S+)", re.MULTILINE)
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class NamedIndex:
    """An index that a project is set up with.

    :param name: its name, or that of the variable that has its URL.
    :param url: may contain a user and a password.
    :param has_user: whether the settings name a user beside the URL.
    """

    name: str
    url: str = field(repr=False)
    has_user: bool = False


def logins(
    project: Project, settings: str = "", indexes: Mapping[str, str] | None = None
) -> tuple[Credentials, ...]:
    """Return the credentials for a project's indexes.

    They come from the tools' variables for a named index, and from URLs with a user in them.

    :param settings: further text with URLs.
    :param indexes: the URLs of further indexes, by name.
    """
    addresses = " ".join([*(os.environ.get(name, "") for name in _ADDRESSES), settings])
    in_tables = {name: expanded(table["url"]) for name, table in _tables(project)}
    return (
        *credentials_named(in_tables | dict(_NAMED.findall(addresses)) | dict(indexes or {})),
        *credentials_in(addresses),
    )


def indexes(project: Project) -> Iterator[NamedIndex]:
    """Yield the indexes that the settings of a project and its workspace and the tools' variables name."""
    for name, table in _tables(project):
        yield NamedIndex(name, expanded(table["url"]), "username" in table)
    for variable in _ADDRESSES:
        named = _NAMED.findall(os.environ.get(variable, ""))
        rest = _NAMED.sub(" ", os.environ.get(variable, "")).split()
        yield from (NamedIndex(name, url) for name, url in named)
        yield from (NamedIndex(variable, url) for url in rest if "://" in url)
    if project.manifest.suffix in _REQUIREMENTS:
        yield from _in_requirements(project.manifest, set())
    for option in ("index-url", "extra-index-url"):
        if f"PIP_{option.upper().replace('-', '_')}" not in os.environ:
            urls = (pip_setting(option) or "").split()
            yield from (NamedIndex(f"{option} of pip's settings", url) for url in urls if "://" in url)


def _in_requirements(path: Path, seen: set[Path]) -> Iterator[NamedIndex]:
    """Yield the indexes in a requirements file and those that it includes."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    text = decoded(path.read_bytes())
    yield from (NamedIndex(option, expanded(url)) for option, url in _OPTION.findall(text))
    for name in _INCLUDE.findall(text):
        yield from _in_requirements(path.parent / name, seen)


def _tables(project: Project) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the table of each index in the settings of the project and its workspace."""
    for folder in (project.manifest.parent, project.root):
        tool = read_toml_if_any(folder / "pyproject.toml").get("tool", {})
        tables = (
            tool.get("uv", {}).get("index", ()),
            read_toml_if_any(folder / "uv.toml").get("index", ()),
            tool.get("poetry", {}).get("source", ()),
            tool.get("pdm", {}).get("source", ()),
        )
        for index in chain.from_iterable(tables):
            if {"name", "url"} <= index.keys():
                yield index["name"], index


def expanded(text: str) -> str:
    """Replace each ``${NAME}`` by the environment variable, if it is set."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)
