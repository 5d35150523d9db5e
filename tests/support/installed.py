"""What an installer leaves in a directory: a package's files, its metadata and the list of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def install(
    root: Path,
    name: str,
    files: Iterable[str] | None = None,
    *,
    version: str = "1.0",
    requires: Iterable[str] = (),
    record: str | None = "as installed",
) -> Path:
    """Write a package: a module of its name, or ``files``, each with the package's name in it.

    :param record: the content of RECORD; None for no such file.
    """
    metadata = f"{name}-{version}.dist-info"
    names = [f"{name}/__init__.py"] if files is None else list(files)
    fields = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    content = {
        **dict.fromkeys(names, name),
        f"{metadata}/METADATA": fields + "".join(f"Requires-Dist: {each}\n" for each in requires),
        f"{metadata}/INSTALLER": "pip\n",
    }
    if record == "as installed":
        record = "".join(f'"{each}",,\n' for each in [*content, f"{metadata}/RECORD"])
    return write(root, content | ({f"{metadata}/RECORD": record} if record is not None else {}))
