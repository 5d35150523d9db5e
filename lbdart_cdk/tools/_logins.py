"""The credentials for indexes in the tools' own settings and variables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final

from lbdart_cdk.core.credentials.lookup import credentials_in, credentials_named
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.toml import read_toml_if_any

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
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")


def logins(
    project: Project, settings: str = "", indexes: Mapping[str, str] | None = None
) -> tuple[Credentials, ...]:
    """Return the credentials for a project's indexes.

    They come from the tools' variables for a named index, and from URLs with a user in them.

    :param settings: further text with URLs.
    :param indexes: the URLs of further indexes, by name.
    """
    addresses = " ".join([*(os.environ.get(name, "") for name in _ADDRESSES), settings])
    return (
        *credentials_named(dict(_tables(project)) | dict(_NAMED.findall(addresses)) | dict(indexes or {})),
        *credentials_in(addresses),
    )


def _tables(project: Project) -> Iterator[tuple[str, str]]:
    """Yield the name and URL of each index in the settings of the project and its workspace."""
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
                yield index["name"], expanded(index["url"])


def expanded(text: str) -> str:
    """Replace each ``${NAME}`` by the environment variable, if it is set."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)
