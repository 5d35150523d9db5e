"""Tiny wheels, with a knob for everything that a wheel may do."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

#: The day that says: this time must not show in anything we make.
SOME_DAY = (2024, 2, 29, 12, 30, 58)


def make_wheel(
    folder: Path,
    name: str = "alpha",
    version: str = "1.0",
    *,
    tag: str = "py3-none-any",
    files: Mapping[str, bytes | str] | None = None,
    executable: Iterable[str] = (),
    requires: Iterable[str] = (),
    extras: Iterable[str] = (),
    metadata: str | None = None,
    method: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Write a wheel with one module, or with ``files``, and its ``.dist-info``."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    lines = [f"Metadata-Version: 2.3\nName: {name}\nVersion: {version}\n"]
    lines += [f"Requires-Dist: {requirement}\n" for requirement in requires]
    lines += [f"Provides-Extra: {extra}\n" for extra in extras]
    content = {
        **({f"{name.replace('-', '_')}/__init__.py": f"NAME = {name!r}\n"} if files is None else files),
        f"{stem}.dist-info/METADATA": metadata or "".join(lines),
        f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nTag: {tag}\n",
        f"{stem}.dist-info/RECORD": "",
    }
    path = folder / f"{stem}-{tag}.whl"
    return make_zip(path, content.items(), executable=executable, method=method)


def make_zip(
    path: Path,
    content: Iterable[tuple[str, bytes | str]],
    *,
    executable: Iterable[str] = (),
    method: int = zipfile.ZIP_DEFLATED,
) -> Path:
    """Write a zip with exactly these names, however hostile they are."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content:
            info = zipfile.ZipInfo("", SOME_DAY)
            info.filename = name
            info.compress_type = method
            info.external_attr = (0o100755 if name in set(executable) else 0o100600) << 16
            archive.writestr(info, data)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names_in(path: Path) -> list[str]:
    """Names of a zip's files, in the order of its directory."""
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def read_from(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)
