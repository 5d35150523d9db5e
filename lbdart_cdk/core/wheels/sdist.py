"""Unpack source distributions safely: an archive must not write outside its folder."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import IO, Any, Final

from ..archive.reader import read_entries
from ..errors import LbdartError, in_one_line

#: Largest unpacked size, in bytes: four times what Lambda allows.
_MAX_UNPACKED: Final = 1 << 30
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
        entries = read_entries(sdist, "it")
        if sum(entry.size for entry in entries) > _MAX_UNPACKED:
            raise ValueError("it unpacks to more than a gibibyte")
        for entry in entries:
            path = folder / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                file.writelines(entry.pieces())
    except (LbdartError, zipfile.BadZipFile) as error:
        raise ValueError(error.problem if isinstance(error, LbdartError) else error) from error


def _unpack_tar(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack the files that Python's ``data`` filter accepts, and copies of the files that links point to.

    Makes no links, so nothing can be written through one.
    """
    for member in tar:
        safe = tarfile.data_filter(member, str(folder))
        path = folder / safe.name
        if safe.islnk() or safe.issym():
            link = safe.linkname if safe.islnk() else Path(safe.name).parent / safe.linkname
            target = (folder / link).resolve()
            if target.is_relative_to(folder.resolve()) and target.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(target, path)
        elif safe.isdir():
            path.mkdir(parents=True, exist_ok=True)
        elif (content := tar.extractfile(safe)) is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)
            path.chmod(0o755 if (safe.mode or 0) & 0o111 else 0o644)


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
