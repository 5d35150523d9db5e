"""The files of a wheel in the store, read from its headers once: the store keeps a note of what they say."""

from __future__ import annotations

from typing import Final

from ..archive.entry import Entry
from ..archive.noted import from_rows, to_rows
from ..keys import PACKER_FORMAT
from ..store.store import Store
from .contents import wheel_entries
from .supply import Wheel

#: The kind of the notes. It changes with what :func:`wheel_entries` yields, as all build keys do.
_KIND: Final = f"entries1-{PACKER_FORMAT}"


def kept_entries(wheel: Wheel, store: Store) -> list[Entry]:
    """Return what :func:`~lbdart_cdk.core.wheels.contents.wheel_entries` yields for a wheel in the store.

    The note is kept by the hash of the wheel, which was computed for this build.

    :raises LbdartError: when the wheel is not a zip that can be packed.
    """
    noted = store.memo(
        _KIND, wheel.sha256, lambda: {"files": to_rows(wheel_entries(wheel.path, wheel.package))}
    )
    return from_rows(noted["files"], wheel.path)
