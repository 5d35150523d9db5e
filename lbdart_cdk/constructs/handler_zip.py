"""Packs the code of the custom resources' handler: only what the handler imports.

An edit of any other module does not change the zip, so it updates no handler in any stack.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Final

from ..core.archive.entry import stored
from ..core.archive.writer import write_zip

#: The modules of ``lbdart_cdk`` that the handler imports, as path patterns.
_IMPORTED: Final = (
    "core/publishing/*.py",
    "core/archive/end_record.py",
    "core/arguments.py",
    "core/errors.py",
)
#: The packages of these modules; the zip has an empty ``__init__.py`` for each.
_PACKAGES: Final = ("", "core/", "core/archive/")


@cache
def handler_zip() -> bytes:
    """Return the zip; its bytes depend only on the files in it."""
    package = Path(__file__).parents[1]
    # A checkout has the folder beside the package, an installed wheel inside it.
    runtime = next(path for path in (package / "runtime", package.parent / "runtime") if path.is_dir())
    files = {f"runtime/{path.name}": path.read_bytes() for path in runtime.glob("*.py")}
    for pattern in _IMPORTED:
        for path in package.glob(pattern):
            files[f"lbdart_cdk/{path.relative_to(package).as_posix()}"] = path.read_bytes()
    files |= {f"lbdart_cdk/{folder}__init__.py": b"" for folder in _PACKAGES}
    buffer = io.BytesIO()
    write_zip(buffer, [stored(name, content) for name, content in files.items()])
    return buffer.getvalue()
