"""Zips of functions and layers, and their unzipped content on disk."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from integ.local_aws.errors import AwsError

__all__ = ["UNZIPPED_LIMIT", "Archive", "ArchiveStore"]

#: "Deployment package size" in the Lambda quotas: function and layers, unzipped, in bytes.
UNZIPPED_LIMIT = 262_144_000


@dataclass(frozen=True)
class Archive:
    """A zip; two of the same content are equal."""

    digest: str
    unzipped_size: int
    data: bytes = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: bytes) -> Archive:
        """Check a zip as Lambda does.

        :raises AwsError: when it is no zip
        """
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                size = sum(info.file_size for info in archive.infolist())
        except zipfile.BadZipFile:
            raise AwsError(
                "InvalidParameterValueException",
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            ) from None
        return cls(hashlib.sha256(data).hexdigest(), size, data)


class ArchiveStore:
    """Unzips each archive once; what was unzipped stays, so a deleted layer version goes on working."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def unzipped(self, archive: Archive) -> Path:
        """The directory with the content of one archive."""
        with self._lock:
            return self._unzipped(archive)

    def merged(self, layers: tuple[Archive, ...]) -> Path:
        """The directory that a function with these layers sees as ``/opt``: later layers win."""
        key = hashlib.sha256("".join(layer.digest for layer in layers).encode()).hexdigest()
        target = self._directory / "opt" / key[:16]
        with self._lock:
            if len(layers) == 1:
                return self._unzipped(layers[0])
            if not target.exists():
                building = target.with_name(target.name + ".new")
                building.mkdir(parents=True)
                for layer in layers:
                    shutil.copytree(
                        self._unzipped(layer),
                        building,
                        copy_function=_link_over,
                        dirs_exist_ok=True,
                        symlinks=True,
                    )
                building.rename(target)
            return target

    def _unzipped(self, archive: Archive) -> Path:
        target = self._directory / "unzipped" / archive.digest[:16]
        if not target.exists():
            building = target.with_name(target.name + ".new")
            with zipfile.ZipFile(io.BytesIO(archive.data)) as content:
                building.mkdir(parents=True)
                for info in content.infolist():
                    path = Path(content.extract(info, building))
                    if (mode := info.external_attr >> 16 & 0o777) and not info.is_dir():
                        path.chmod(mode | 0o400)
            building.rename(target)
        return target


def _link_over(source: str, target: str) -> str:
    Path(target).unlink(missing_ok=True)
    os.link(source, target, follow_symlinks=False)
    return target
