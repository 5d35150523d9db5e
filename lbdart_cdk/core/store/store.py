"""The content-addressed store on this machine: wheels, layers, sources and notes about locks.

Each file appears complete, by an atomic rename from the store's own ``tmp`` folder. So a killed process
leaves no broken file, and two processes may write the same file at once.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import platformdirs

from ..errors import LbdartError, explained
from ..keys import sha256_of
from ..windows import replace_file
from .cache_tag import CACHE_SIGNATURE, CACHE_TAG
from .scratch import scratch_folder
from .uses import UseLog

#: Changed when a release reads the files in the store in another way; old files are then ignored.
_FORMAT: Final = "v1"
#: Error codes of a path that cannot be written; other OSErrors pass through.
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
SIZE_VARIABLE: Final = "LBDART_CACHE_MAX_GB"
_GIGABYTE: Final = 10**9


def default_root() -> Path:
    """Return ``$LBDART_CACHE_DIR``, or the platform's cache directory of the user.

    :raises LbdartError: when the variable is not set and the user has no home directory.
    """
    path = os.environ.get(CACHE_VARIABLE)
    if path:
        return Path(path).absolute()
    try:
        # expanduser(), because older releases of platformdirs return "~" for a user without a home directory.
        return platformdirs.user_cache_path("lbdart_cdk", appauthor=False).expanduser()
    except RuntimeError as error:  # the system does not know the user, as in some containers
        raise LbdartError(
            "There is no cache directory, because this user has no home directory.",
            f"Set {CACHE_VARIABLE} to a directory that stays between builds, or set HOME.",
        ) from error


def default_max_size() -> int:
    """Return ``$LBDART_CACHE_MAX_GB`` in bytes, or ten gigabytes.

    :raises LbdartError: when the variable is not a number of gigabytes.
    """
    text = os.environ.get(SIZE_VARIABLE) or "10"
    try:
        size = float(text) * _GIGABYTE
        if size >= 0:
            return int(size)
    except (ValueError, OverflowError):
        pass
    raise LbdartError(
        f"{SIZE_VARIABLE} is {text!r}, which is not a number of gigabytes.",
        f"Set {SIZE_VARIABLE} to a number such as 2.5, or unset it for 10.",
    )


@dataclass(frozen=True, slots=True)
class Store:
    """Files that are found by the hash of their content or of their inputs.

    What is read or written counts as used on that day, and :func:`~lbdart_cdk.core.store.prune.prune` deletes
    what nothing used for long.

    :param root: the directory of the store.
    :param max_size: the bytes to leave when files are deleted.
    :param run: notes that hold for one run and are not written, because the next run may find something
        else. None: there are no such notes.
    """

    root: Path = field(default_factory=default_root)
    max_size: int = field(default_factory=default_max_size)
    run: dict[tuple[str, str], dict[str, Any]] | None = field(
        default=None, compare=False, repr=False, kw_only=True
    )

    def wheel(self, sha256: str) -> Path:
        """Return the path of the wheel with this hash, whether it exists or not."""
        return self._path("wheels", sha256, ".whl")

    def kept_wheel(self, sha256: str) -> Path | None:
        """Return the path of the wheel with this hash, or None when it is missing, damaged or unreadable."""
        return self._sound(self.wheel(sha256), sha256)

    def kept_bytecode(self, sha256: str) -> Path | None:
        """Return the path of the zip of bytecode with this hash, as :meth:`kept_wheel` does."""
        return self._sound(self.bytecode(sha256), sha256)

    def _sound(self, path: Path, sha256: str) -> Path | None:
        if not path.is_file():
            return None
        self._use(sha256)
        try:
            return path if sha256_of(path) == sha256 else None
        except OSError:
            return None

    def archive(self, key: str) -> Path:
        """Return the path of the zip with this key, whether it exists or not."""
        return self._path("archives", key, ".zip")

    def bytecode(self, sha256: str) -> Path:
        """Return the path of the zip of bytecode with this hash, whether it exists or not."""
        return self._path("bytecode", sha256, ".zip")

    def kept_archive(self, key: str) -> dict[str, Any] | None:
        """Return the notes about a zip, or None when the zip is missing or changed.

        Who uses a zip uses the wheels that it is made from: when one of them changes, the others are needed.

        The zip is hashed only when its size or modification time differ from the notes, as in a cache that CI
        restored.
        """
        path = self.archive(key)
        notes = self.recall("archives", key)
        if notes is None or not path.is_file():
            return None
        stamp = _stamp(path)
        if stamp != notes.get("stamp"):
            if sha256_of(path) != notes.get("sha256"):
                return None
            with contextlib.suppress(LbdartError):  # the store may be read-only
                self.note("archives", key, {**notes, "stamp": stamp})
        self._use(*notes.get("made_from", ()))
        return notes

    def checked_archive(self, key: str) -> Path:
        """Return the path of a kept zip whose SHA-256 is the noted one; call this before its content is used.

        :meth:`kept_archive` compares size and modification time, which a program that changes a file can set.

        :raises LbdartError: when the zip is missing or changed.
        """
        path, notes = self.archive(key), self.recall("archives", key)
        if notes is None or not path.is_file():
            raise self.vanished()
        refuse_changed(path, sha256_of(path), str(notes.get("sha256")))
        return path

    def keep_archive(
        self, key: str, made: Path, sha256: str, made_from: Iterable[Path] = (), **notes: Any
    ) -> Path:
        """Move a finished zip into the store and note its hash.

        Once a day, files that nothing used for long are deleted when the process ends.

        :param made: the zip, in a folder of :meth:`scratch`.
        :param sha256: its hash.
        :param made_from: the wheels in the store that it is made from.
        :param notes: what :meth:`kept_archive` returns, besides the hash.
        :raises LbdartError: when the store cannot be written.
        """
        from .prune import prune_at_exit  # unused when nothing is built

        keys = [key_in(path) for path in made_from]
        own = {"sha256": sha256, "stamp": _stamp(made)}
        self.note("archives", key, {**notes, **own, "made_from": keys})
        path = self.archive(key)
        with self.guarded(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(made, path)
        prune_at_exit(self)
        return path

    def recall(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return the object that :meth:`note` wrote, or None when it is missing or changed."""
        if self.run is not None and (kind, key) in self.run:
            return deepcopy(self.run[kind, key])
        try:
            digest, _, content = self._path(kind, key, ".json").read_bytes().partition(b"\n")
        except OSError:
            return None
        if digest.decode(errors="replace") != hashlib.sha256(content).hexdigest():
            return None
        self._use(key)
        return dict(json.loads(content))

    def note(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Write a small JSON object under a key, after a line with its hash.

        :raises LbdartError: when the store cannot be written.
        """
        content = json.dumps(value, sort_keys=True).encode()
        with self.writing(self._path(kind, key, ".json")) as file:
            file.write(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)

    def note_for_run(self, kind: str, key: str, value: dict[str, Any]) -> None:
        """Keep an object under a key for :meth:`recall` in this run."""
        if self.run is not None:
            self.run[kind, key] = value

    def memo(self, kind: str, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return the note under a key; compute and write it when it is missing.

        :raises LbdartError: when the store cannot be written.
        """
        value = self.recall(kind, key)
        if value is None:
            value = compute()
            self.note(kind, key, value)
        return value

    @contextlib.contextmanager
    def writing(self, path: Path) -> Iterator[IO[bytes]]:
        """Open a file that appears at ``path`` only when the block ends without an error.

        :raises LbdartError: when the store cannot be written.
        """
        with self.scratch() as folder:
            temporary = folder / path.name
            with self.guarded(path):
                with temporary.open("wb") as file:
                    yield file
                path.parent.mkdir(parents=True, exist_ok=True)
                self._use(key_in(path))
                replace_file(temporary, path)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """Create a private folder on the store's file system, and delete it after the block.

        :raises LbdartError: when the store cannot be written.
        """
        base = self.root / "tmp"
        with contextlib.ExitStack() as stack:
            with self.guarded(base):
                folder = stack.enter_context(scratch_folder(base))
                self._tag(folder)
            yield folder

    def _tag(self, folder: Path) -> None:
        """Mark the store as a cache: backups skip it, and in a project's tree it is not an input."""
        tag = self.root / CACHE_TAG
        if not tag.exists():
            (folder / CACHE_TAG).write_bytes(CACHE_SIGNATURE + b"\n# The cache of lbdart_cdk.\n")
            replace_file(folder / CACHE_TAG, tag)

    def _path(self, kind: str, key: str, suffix: str) -> Path:
        return self.files / kind / key[:2] / f"{key[2:]}{suffix}"

    def guarded(self, path: Path) -> contextlib.AbstractContextManager[None]:
        """Explain errors of a block that writes to the store; errors at other paths pass through.

        :param path: the path for the message.
        :raises LbdartError: when the store cannot be written, or when its files were deleted meanwhile.
        """
        return explained(lambda error: self._explanation(error, path), OSError)

    def _explanation(self, error: OSError, path: Path) -> LbdartError | None:
        in_store = self._is_in_store(error.filename)
        if error.errno == errno.ENOENT and in_store:
            return self.vanished()
        if error.errno not in _CANNOT_WRITE or in_store is False:
            return None
        return LbdartError(
            f"The cache directory {self.root} cannot be written ({path.name}): {error.strerror}.",
            f"Make room or give write permission there, or set {CACHE_VARIABLE} to another directory.",
        )

    def _is_in_store(self, path: object) -> bool | None:
        """Tell whether the path of an error is in the store or above it; None without a path."""
        if not isinstance(path, str | Path):
            return None
        return Path(path).is_relative_to(self.root) or self.root.is_relative_to(path)

    def vanished(self) -> LbdartError:
        """Return the error about files that were deleted while a build used them."""
        return LbdartError(
            f"Files in the cache directory {self.root} were deleted while a build used them.",
            "Build again, and empty the cache only when no build is running.",
        )

    @property
    def files(self) -> Path:
        """The folder of the files of all kinds: ``wheels``, ``archives``, and the kinds of the notes."""
        return self.root / _FORMAT

    @property
    def uses(self) -> UseLog:
        """The log of the days on which each key was last used."""
        return UseLog(self.files / "used")

    def _use(self, *keys: str) -> None:
        self.uses.record(keys)


def key_in(path: Path) -> str:
    """Return the key that a file in a store is named by."""
    return path.parent.name + path.stem


def refuse_changed(path: Path, actual: str, noted: str) -> None:
    """Refuse a zip of the store with other bytes than it was kept with.

    :param actual: the SHA-256 of what was read.
    :param noted: the SHA-256 in the zip's note.
    :raises LbdartError: when they differ.
    """
    if actual != noted:
        raise LbdartError(
            f"{path} has the SHA-256 {actual}, not {noted}: it was changed after it was built.",
            "Delete it and build again, and let only jobs that you trust write to the cache directory.",
        )


def _stamp(path: Path) -> list[int]:
    """Return a file's size in bytes and its modification time in nanoseconds."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
