"""What the tools' own settings and variables say about who may read an index."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

from lbdart_cdk.core.credentials.lookup import credentials_in, credentials_named
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.toml import read_toml

#: Variables with addresses of indexes, which may have a user in them or, for uv, a name before them.
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
    """Return the credentials for indexes of the project, for further ones by name, and those in ``settings``.

    They come from variables for an index's name, and from addresses with a user in them.
    """
    addresses = " ".join([*(os.environ.get(name, "") for name in _ADDRESSES), settings])
    return (
        *credentials_named(dict(_tables(project)) | dict(_NAMED.findall(addresses)) | dict(indexes or {})),
        *credentials_in(addresses),
    )


def _tables(project: Project) -> Iterator[tuple[str, str]]:
    """Yield name and address of the indexes in the project's files and those of its workspace."""
    for folder in (project.manifest.parent, project.root):
        tool = _read(folder / "pyproject.toml").get("tool", {})
        tables = (
            tool.get("uv", {}).get("index", ()),
            _read(folder / "uv.toml").get("index", ()),
            tool.get("poetry", {}).get("source", ()),
            tool.get("pdm", {}).get("source", ()),
        )
        for one in chain.from_iterable(tables):
            if {"name", "url"} <= one.keys():
                yield one["name"], expanded(one["url"])


def _read(path: Path) -> Mapping[str, Any]:
    return read_toml(path) if path.is_file() else {}


def expanded(text: str) -> str:
    """Replace ``${NAME}`` by the environment variable, where there is one."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)
