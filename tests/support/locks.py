"""Locks as PEP 751 writes them, from wheels that lie in a folder or at a URL."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.utils import parse_wheel_filename

from lbdart_cdk.core.locking.lock import Lock, without_dates

from .wheels import sha256


def locked(
    name: str,
    version: str = "1.0",
    *,
    wheels: Iterable[str] = (),
    marker: str | None = None,
    source: str | None = None,
) -> str:
    """Return a ``[[packages]]`` table; ``wheels`` are file names, ``source`` another kind of origin."""
    lines = [f'[[packages]]\nname = "{name}"\nversion = "{version}"\n']
    if marker is not None:
        lines.append(f"marker = {json.dumps(marker)}\n")
    tables = [
        f'{{ url = "https://host.invalid/{wheel}", hashes = {{ sha256 = "{"0" * 64}" }} }}'
        for wheel in wheels
    ]
    if tables:
        lines.append(f"wheels = [{', '.join(tables)}]\n")
    return "".join(lines) + (source or "")


def locked_file(path: Path, url: str | None = None, *, sha: str | None = None) -> str:
    """Return the ``[[packages]]`` table of a wheel that exists, at its path or at ``url``."""
    name, version, _, _ = parse_wheel_filename(path.name)
    where = f'path = "{path}"' if url is None else f"url = {json.dumps(url)}"
    wheel = (
        f'{{ name = "{path.name}", {where}, size = {path.stat().st_size}, '
        f'hashes = {{ sha256 = "{sha or sha256(path)}" }} }}'
    )
    return f'[[packages]]\nname = "{name}"\nversion = "{version}"\nwheels = [{wheel}]\n'


def lock_of(
    *packages: str,
    base: Path = Path("/project"),
    head: str = "",
    requires: Mapping[str, Sequence[str]] | None = None,
    roots: Iterable[str] = (),
) -> Lock:
    content = f'lock-version = "1.0"\ncreated-by = "tests"\n{head}\n' + (
        "\n".join(packages) or "packages = []"
    )
    tables = without_dates(tomllib.loads(content))
    required = {name: {"": texts} for name, texts in (requires or {}).items()}
    return Lock(tables, base / "uv.lock", base, required, tuple(roots))


def local_directories(lock: Lock) -> dict[str, Path]:
    """Return where each package lies that is a directory of the user, by name."""
    return {
        package.name: (lock.base / package.directory.path / (package.directory.subdirectory or "")).resolve()
        for package in lock.pylock.packages
        if package.directory is not None
    }


SDIST = f'sdist = {{ url = "https://host.invalid/alpha-1.0.tar.gz", hashes = {{ sha256 = "{"0" * 64}" }} }}\n'
GIT = f'vcs = {{ type = "git", url = "https://host.invalid/alpha", commit-id = "{"a" * 40}" }}\n'
