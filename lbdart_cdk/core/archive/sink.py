"""Where a zip is written to: a file, with the SHA-256 of what is written."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import IO, Final, Self

#: Bytes that are written at once: the thousands of headers and streams of a zip are small.
_BATCH: Final = 1 << 20
#: Batches that may wait for the thread that hashes them; so many are in memory at most.
_WAITING: Final = 4


class Sink:
    """Writes to a file in large batches. While one is written, another thread hashes the one before.

    :param file: the file; it need not be seekable.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._parts: list[bytes] = []
        self._size = 0
        self._digest = hashlib.sha256()
        self._hashing: deque[Future[None]] = deque()
        self._pool = ThreadPoolExecutor(1)  # starts its thread with the first batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def write(self, data: bytes) -> None:
        """Write bytes, now or with later ones."""
        self._parts.append(data)
        self._size += len(data)
        if self._size >= _BATCH:
            batch = self._next_batch()
            if len(self._hashing) == _WAITING:
                self._hashing.popleft().result()
            self._hashing.append(self._pool.submit(self._digest.update, batch))
            self._file.write(batch)

    def finish(self) -> str:
        """Write what is left, and return the SHA-256 of all bytes, in hexadecimal."""
        batch = self._next_batch()
        self._file.write(batch)
        while self._hashing:
            self._hashing.popleft().result()
        self._digest.update(batch)
        return self._digest.hexdigest()

    def _next_batch(self) -> bytes:
        batch = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._size = [], 0
        return batch
