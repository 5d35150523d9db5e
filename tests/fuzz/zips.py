"""Fuzz the reader and writer of zips: any bytes become a zip that Python finds sound, or an LbdartError.

``python -m tests.fuzz.zips -max_total_time=60`` (options as libFuzzer has them: ``-runs=``, ``-seed=``, a
folder that keeps what was found).
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

with atheris.instrument_imports(include=["lbdart_cdk.core.archive", "lbdart_cdk.core.wheels", "zipfile"]):
    from lbdart_cdk.core.archive.writer import write_zip
    from lbdart_cdk.core.errors import LbdartError
    from lbdart_cdk.core.packing.merge import Bundle, merge
    from lbdart_cdk.core.wheels.contents import wheel_entries
    from lbdart_cdk.core.wheels.integrity import inflate
    from lbdart_cdk.core.wheels.metadata import dist_info_of

from tests.support.raw_zip import STORED, UTF8, File, raw_zip, unicode_path

SEEDS = (
    raw_zip(File(b"a.py"), File(b"b/c.py", b"x", STORED, descriptor=True), File(b"d", zip64=True)),
    raw_zip(File(b"e-1.dist-info/METADATA", b"Name: e\nRequires-Dist: a; python_version > '3'\n")),
    raw_zip(File("é".encode(), flags=UTF8), File(b"a.py", extra=unicode_path(b"a.py", b"a.py"))),
    raw_zip(File(b"a/", b"", STORED), File(b"a/b", b""), zip64_end=True, comment=b"PK", prefix=b"#!"),
)
FOLDER = Path(tempfile.mkdtemp())


def try_zip(content: bytes) -> None:
    """Take the bytes the way of a wheel into a layer."""
    wheel, layer = FOLDER / "fuzz.whl", FOLDER / "layer.zip"
    wheel.write_bytes(content)
    try:
        bundle = Bundle("fuzz", tuple(wheel_entries(wheel)))
        _ = dist_info_of(wheel).requires
        entries = merge([bundle], "python/").entries
        inflate(bundle.entries, "fuzz")
    except LbdartError:
        return
    with layer.open("wb") as file:
        write_zip(file, entries)
    with zipfile.ZipFile(layer) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(entry.name for entry in entries)
        assert all(".." not in name.split("/") and name.startswith("python/") for name in archive.namelist())


def main() -> None:
    """Run until libFuzzer's options say so."""
    corpus = FOLDER / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS):
        (corpus / str(number)).write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], try_zip)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
