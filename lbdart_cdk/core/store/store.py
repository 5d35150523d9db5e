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
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import platformdirs

from ..errors import LbdartError, explained
from ..keys import sha256_of
from .cache_tag import CACHE_SIGNATURE, CACHE_TAG
from .scratch import scratch_folder

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
    errno.EISDIR,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
CACHE_VARIABLE: Final = "LBDART_CACHE_DIR"


def default_root() -> Path:
    """Return ``$LBDART_CACHE_DIR``, else the user's cache directory as the platform names it."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).absolute()
    try:
        return platformdirs.user_cache_path("lbdart_cdk", appauthor=False)
    except RuntimeError as error:  # a user whom the system does not know, as in some containers
        raise LbdartError(
            "There is no cache directory, for this user has no home directory.",
            f"Set {CACHE_VARIABLE} to a directory that is kept between builds, or set HOME.",
        ) from error


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

    def kept_archive(self, key: str) -> dict[str, Any] | None:
        """Return what :meth:`keep_archive` noted of a zip that is here, whole and unchanged; else None.

        It is hashed when its size or time of modification is not what was noted (a cache restored by CI).
        """
        path = self.archive(key)
        noted = self.recall("archives", key)
        if noted is None or not path.is_file():
            return None
        stamp = _stamp(path)
        if stamp != noted.get("stamp"):
            if sha256_of(path) != noted.get("sha256"):
                return None
            with contextlib.suppress(LbdartError):  # a read-only store serves as well
                self.note("archives", key, {**noted, "stamp": stamp})
        with contextlib.suppress(OSError):
            os.utime(self._path("archives", key, ".json"))  # it is in use
        return noted

    def keep_archive(self, key: str, made: Path, **notes: Any) -> Path:
        """Move a finished zip (a path from :meth:`scratch`) to its place and note its hash."""
        self.note("archives", key, {**notes, "sha256": sha256_of(made), "stamp": _stamp(made)})
        path = self.archive(key)
        with self.guarded(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            made.replace(path)
        self._forget_unused()
        return path

    def recall(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return what :meth:`note` kept, or None; a note that is not as it was written was never made."""
        try:
            digest, _, content = self._path(kind, key, ".json").read_bytes().partition(b"\n")
        except OSError:
            return None
        whole = digest.decode(errors="replace") == hashlib.sha256(content).hexdigest()
        return dict(json.loads(content)) if whole else None

    def note(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Keep a small JSON object under a key, behind a line with its hash."""
        content = json.dumps(value, sort_keys=True).encode()
        with self.writing(self._path(kind, key, ".json")) as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)

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
            with self.guarded(path):
                with temporary.open("wb") as file:
                    yield file
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a private folder on the store's own file system; it is gone after the block."""
        base = self.root / "tmp"
        with contextlib.ExitStack() as stack:
            with self.guarded(base):
                folder = stack.enter_context(scratch_folder(base))
                self._tag(folder)
            yield folder

    def _tag(self, folder: Path) -> None:
        """Say that this is a cache: in a project's tree it is no input, and backups leave it out."""
        tag = self.root / CACHE_TAG
        if not tag.exists():
            (folder / CACHE_TAG).write_bytes(CACHE_SIGNATURE + b"\n# The cache of lbdart_cdk.\n")
            (folder / CACHE_TAG).replace(tag)

    def _path(self, kind: str, key: str, suffix: str) -> Path:
        return self.root / _FORMAT / kind / key[:2] / f"{key[2:]}{suffix}"

    def guarded(self, path: Path) -> contextlib.AbstractContextManager[None]:
        """Explain why a block cannot write ``path`` in the store, and that files vanished while it ran.

        Errors at paths elsewhere pass through.
        """
        return explained(lambda error: self._explanation(error, path), OSError)

    def _explanation(self, error: OSError, path: Path) -> LbdartError | None:
        ours = self._is_ours(error.filename)
        if error.errno == errno.ENOENT and ours:
            return self.vanished()
        if error.errno not in _CANNOT_WRITE or ours is False:
            return None
        return LbdartError(
            f"The cache directory {self.root} cannot be written ({path.name}): {error.strerror}.",
            f"Make room or give write permission there, or set {CACHE_VARIABLE} to another directory.",
        )

    def _is_ours(self, path: object) -> bool | None:
        """Tell whether a path is in the store or above it; None when an error does not name any."""
        if not isinstance(path, str | Path):
            return None
        return Path(path).is_relative_to(self.root) or self.root.is_relative_to(path)

    def vanished(self) -> LbdartError:
        """Return the error for files that somebody deleted while they were in use."""
        return LbdartError(
            f"Files in the cache directory {self.root} were deleted while they were used.",
            "Build again, and empty the cache only when nobody builds.",
        )

    def _forget_unused(self) -> None:
        """Delete archives nobody used for a month."""
        limit = time.time() - _KEEP
        for note in (self.root / _FORMAT / "archives").glob("*/*.json"):
            with contextlib.suppress(OSError):
                if note.stat().st_mtime < limit:
                    note.with_suffix(".zip").unlink(missing_ok=True)
                    note.unlink()


def _stamp(path: Path) -> list[int]:
    """Return what changes when a file is written: its size in bytes and its time in nanoseconds."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
