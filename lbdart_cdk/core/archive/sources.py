"""The files that the streams of a zip are read from."""

from __future__ import annotations

from collections import OrderedDict
from types import TracebackType
from typing import IO, TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path

#: Files that are open at once: a zip may be of more wheels than a process may open files.
_OPEN: Final = 16


class Sources:
    """Keeps the files open that were read last: a zip has thousands of streams of a few wheels."""

    def __init__(self) -> None:
        self._files: OrderedDict[Path, IO[bytes]] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def open(self, path: Path) -> IO[bytes]:
        """Return a file, without a buffer and at any position; it is closed with all others."""
        file = self._files.get(path)
        if file is None:
            if len(self._files) == _OPEN:
                self._files.popitem(last=False)[1].close()
            file = self._files[path] = path.open("rb", buffering=0)
        else:
            self._files.move_to_end(path)
        return file
