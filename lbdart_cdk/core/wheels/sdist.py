"""Unpack source distributions safely: an archive must not write outside its folder."""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path, PurePath
from typing import IO, Any, Final

from ..archive.entry import Entry
from ..archive.reader import read_entries
from ..errors import LbdartError, in_one_line
from ..windows import IS_WINDOWS, is_refused_name

#: Largest unpacked size, in bytes: four times what Lambda allows.
_MAX_UNPACKED: Final = 1 << 30
#: The longest path that a link leads to, in bytes: PATH_MAX of Linux.
_LONGEST_LINK: Final = 4096
_PIECE: Final = 1 << 16
#: Suffix of an archive -> the function that opens it; other archives are not compressed.
_OPENERS: Final[dict[str, Callable[..., IO[Any]]]] = {
    ".gz": gzip.open,
    ".tgz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}


def unpack_sdist(sdist: Path, filename: str, folder: Path) -> Path:
    """Unpack a source distribution into ``folder``; return the project's directory in it.

    :raises LbdartError: when a name or link leaves the folder, when an entry is not a file, directory or
        link, and when the archive unpacks to more than a gibibyte.
    """
    children = list(unpack_tree(sdist, filename, folder).iterdir())
    if len(children) != 1 or children[0].is_symlink() or not children[0].is_dir():
        raise unusable(filename, "it does not contain exactly one directory")
    return children[0]


def unpack_tree(archive: Path, filename: str, folder: Path) -> Path:
    """Unpack an archive whose root is the project into ``folder``; return the folder.

    :raises LbdartError: as :func:`unpack_sdist` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if filename.endswith(".zip"):
            _unpack_zip(archive, folder)
        else:
            opener = _OPENERS.get(PurePath(filename).suffix, open)
            with opener(archive, "rb") as stream, tarfile.open(fileobj=_Limited(stream), mode="r|") as tar:
                _unpack_tar(tar, folder)
    # tarfile raises more than TarError for hostile archives.
    except (
        tarfile.TarError,
        EOFError,
        KeyError,
        OSError,
        lzma.LZMAError,
        struct.error,
        ValueError,
        zlib.error,
    ) as error:
        raise unusable(filename, in_one_line(error)) from error
    return folder


def unusable(filename: str, why: str) -> LbdartError:
    """Return the error for an archive that cannot be built.

    :param why: the cause, as the end of a sentence.
    """
    return LbdartError(
        f"{filename} is not a usable source distribution: {why}.",
        "Lock a version of the package that has a wheel, or leave it out with exclude=.",
    )


def _unpack_zip(sdist: Path, folder: Path) -> None:
    try:
        entries = read_entries(sdist, "it", links=True)
        if sum(entry.size for entry in entries) > _MAX_UNPACKED:
            raise ValueError("it unpacks to more than a gibibyte")
        links, files = {}, _Files()
        for entry in entries:
            path = _place(folder, entry.name)
            if entry.link:
                links[path] = _target(entry)
            else:
                files.write(path, entry.pieces(), executable=entry.executable)
        _make_links(folder, links)
    except (LbdartError, zipfile.BadZipFile) as error:
        raise ValueError(error.problem if isinstance(error, LbdartError) else error) from error


def _target(link: Entry) -> str:
    if link.size > _LONGEST_LINK:
        raise ValueError(f"{link.name} is a link to a path that is too long")
    return os.fsdecode(link.read())


def _unpack_tar(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack the members that Python's ``data`` filter accepts; the last one of a name wins, as in tar."""
    links: dict[Path, str | Path] = {}
    files = _Files()
    for member in tar:
        safe = tarfile.data_filter(member, str(folder))
        path = _place(folder, safe.name)
        if safe.issym():
            links[path] = safe.linkname
        elif safe.islnk():
            links[path] = _place(folder, safe.linkname)
        elif safe.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif (content := tar.extractfile(safe)) is not None:
            links.pop(path, None)
            pieces = iter(partial(content.read, _PIECE), b"")
            files.write(path, pieces, executable=bool((safe.mode or 0) & 0o111))
    _make_links(folder, links)


def _place(folder: Path, name: str) -> Path:
    if IS_WINDOWS and is_refused_name(name):
        raise ValueError(f"it has the file {name}, which Windows cannot have under this name")
    return Path(os.path.normpath(folder / name))


class _Files:
    """The files of an archive that are written. In some file systems two of their names are one file."""

    def __init__(self) -> None:
        self._written: set[str] = set()  # a WindowsPath equals one in other letters

    def write(self, path: Path, pieces: Iterable[bytes], *, executable: bool) -> None:
        """Write a file; one that the archive has twice is written again.

        :raises ValueError: when the file system takes the name for another file's.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if str(path) not in self._written and path.exists():
            raise ValueError(f"it has the file {path.name} twice, as this file system compares names")
        self._written.add(str(path))
        with path.open("wb") as file:
            file.writelines(pieces)
        path.chmod(0o755 if executable else 0o644)


def _make_links(folder: Path, links: Mapping[Path, str | Path]) -> None:
    """Make the links of an archive, after its files, so that nothing is written through a link.

    A build backend then sees the links that it sees in place. Which of them it follows is its own matter.

    :param links: the paths of the links. The value is what a symbolic link says, or the path that a hard link
        is another name of.
    :raises ValueError: when an entry is behind a link, and when a link leads out of the folder, be it by way
        of other links.
    """
    for path, target in links.items():
        for place in (path, target) if isinstance(target, Path) else (path,):
            behind = next((above for above in place.parents if above in links), None)
            if behind is not None or place.is_dir():
                raise ValueError(
                    f"it has the link {(behind or place).relative_to(folder)}, and files behind it"
                )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if isinstance(target, Path):
            path.hardlink_to(target)
        else:
            path.symlink_to(target, target_is_directory=(path.parent / target).is_dir())
    root = folder.resolve()
    for path in links:
        if not Path(_end_of(path)).is_relative_to(root):
            raise ValueError(f"its link {path.relative_to(folder)} leads out of it")


def _end_of(link: Path) -> str:
    """Return the path that a link leads to, which need not exist."""
    try:
        return os.path.realpath(link, strict=True)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise  # without ``strict``, a link whose path is too long would not be followed
        return os.path.realpath(link)


class _Limited(io.RawIOBase):
    """The content of a compressed file, up to a limit: a small file can unpack to any size."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = _MAX_UNPACKED

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes.

        :raises ValueError: beyond the limit.
        """
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("it unpacks to more than a gibibyte")
        return data
