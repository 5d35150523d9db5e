"""The content-addressed store on this machine: wheels, layers, sources and notes about locks.

Every file appears whole, by an atomic rename from the store's own ``tmp`` folder, so a killed process
leaves nothing that another would trust, and two processes may make the same file at once.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import platformdirs

from .errors import LbdartError

#: Changes when files in the store would be read differently; old ones are then not seen.
_FORMAT: Final = "v1"
#: Layers and sources are quick to make again from the wheels: unused ones go after this many seconds.
_KEEP: Final = 30 * 24 * 3600
#: What the operating system says of a place where nothing can be written; other OSErrors are not ours.
_CANNOT_WRITE: Final = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EEXIST,
    errno.EFBIG,
    errno.EIO,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
#: A temporary file this old (seconds) was left by a process that died.
_ABANDONED: Final = 24 * 3600

CACHE_VARIABLE: Final = "LBDART_CACHE_DIR"


def default_root() -> Path:
    """Return ``$LBDART_CACHE_DIR``, else the user's cache directory as the platform names it."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).absolute() if named else platformdirs.user_cache_path("lbdart_cdk", appauthor=False)


@dataclass(frozen=True, slots=True)
class Store:
    """Files by the hash of what they hold or of what they were made from."""

    root: Path = field(default_factory=default_root)

    def wheel(self, sha256: str) -> Path:
        """Return where the wheel of this hash is, or will be."""
        return self._path("wheels", sha256, ".whl")

    def archive(self, key: str) -> Path:
        """Return where the zip made from inputs of this key is, or will be."""
        return self._path("archives", key, ".zip")

    def tree(self, commit: str) -> Path:
        """Return where the tar of a commit's files is, or will be."""
        return self._path("trees", commit, ".tar")

    def has_archive(self, key: str) -> bool:
        """Tell whether the zip of this key is here, whole and unchanged since it was made."""
        path = self.archive(key)
        noted = self.recall("archives", key)
        if noted is None or not path.is_file() or sha256_of(path) != noted["sha256"]:
            return False
        with contextlib.suppress(OSError):  # a read-only store serves as well
            os.utime(path)
        return True

    def keep_archive(self, key: str, made: Path, **notes: Any) -> Path:
        """Move a finished zip (a path from :meth:`scratch`) to its place and note its hash."""
        self.note("archives", key, {"sha256": sha256_of(made), **notes})
        path = self.archive(key)
        with self.explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            made.replace(path)
        self._forget_unused()
        return path

    def recall(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return what :meth:`note` kept, or None; a note that cannot be read was never made."""
        try:
            noted = json.loads(self._path(kind, key, ".json").read_bytes())
        except (OSError, ValueError):
            return None
        return noted if isinstance(noted, dict) else None

    def note(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Keep a small JSON object under a key."""
        with self.writing(self._path(kind, key, ".json")) as file:
            file.write(json.dumps(value, sort_keys=True).encode())

    def memo(self, kind: str, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the note under a key; make it when it is not there."""
        noted = self.recall(kind, key)
        if noted is None:
            noted = compute()
            self.note(kind, key, noted)
        return noted

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[IO[bytes]]:
        """Open a file that appears at ``path`` when the block ends well, and never otherwise."""
        with self.scratch() as folder:
            temporary = folder / path.name
            with self.explained(path):
                with temporary.open("wb") as file:
                    yield file
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a private folder on the store's own file system; it is gone after the block."""
        base = self.root / "tmp"
        with self.explained(base):
            base.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True)
        with folder as name:
            yield Path(name)

    def _path(self, kind: str, key: str, suffix: str) -> Path:
        return self.root / _FORMAT / kind / key[:2] / f"{key[2:]}{suffix}"

    @contextlib.contextmanager
    def explained(self, path: Path) -> Iterator[None]:
        """Turn the system's refusal to write below the store into a message for the user."""
        try:
            yield
        except OSError as error:
            if error.errno not in _CANNOT_WRITE:
                raise
            raise LbdartError(
                f"The cache directory {self.root} cannot be written ({path.name}): {error.strerror}.",
                f"Make room or give write permission there, or set {CACHE_VARIABLE} to another directory.",
            ) from error

    def _forget_unused(self) -> None:
        """Delete archives nobody used for a month and what dead processes left behind."""
        now = time.time()
        folders = ((self.root / _FORMAT / "archives", "*/*", _KEEP), (self.root / "tmp", "*", _ABANDONED))
        for folder, pattern, age in folders:
            for path in folder.glob(pattern):
                with contextlib.suppress(OSError):
                    if now - path.stat().st_mtime > age:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
