"""Files outside the store: each appears whole, or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..keys import sha256_of
from ..windows import replace_file
from .store import refuse_changed


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, then move the finished file or folder to ``target``.

    :raises OSError: when the target's folder cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".lbdart-") as folder:
        temporary = Path(folder, target.name)
        yield temporary
        replace_file(temporary, target)


def copy_kept(path: Path, target: Path, sha256: str) -> None:
    """Copy a zip of the store.

    :param sha256: the SHA-256 that the store noted.
    :raises LbdartError: when the copy has another SHA-256.
    :raises OSError: when the target cannot be written.
    """
    with atomic_write(target) as temporary:
        shutil.copyfile(path, temporary)
        refuse_changed(path, sha256_of(temporary), sha256)
