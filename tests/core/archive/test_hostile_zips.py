"""Wheels are other people's files: what comes out is sound for every reader, or an error that says why."""

from __future__ import annotations

import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbdart_cdk.core.archive.entry import Entry, Stored
from lbdart_cdk.core.archive.names import own_name
from lbdart_cdk.core.archive.reader import read_entries
from lbdart_cdk.core.archive.writer import write_zip
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.packing.merge import Bundle, merge
from lbdart_cdk.core.project.target import MAX_UNZIPPED
from lbdart_cdk.core.wheels.contents import wheel_entries
from lbdart_cdk.core.wheels.integrity import inflate
from lbdart_cdk.core.wheels.metadata import dist_info_of
from tests.support.raw_zip import DEFLATED, STORED, UTF8, File, many, overlapping, raw_zip, unicode_path
from tests.support.readers import (
    listed_by_jar,
    needs_info_zip,
    needs_jar,
    read_by_all,
    refused_by_info_zip,
    with_jar,
)

EVIL = "evil-1.0-py3-none-any.whl"
CODE = b"print('hello')\n" * 50


def layer_of(content: bytes, folder: Path) -> Path:
    """Take a wheel the whole way that one goes from the store into a layer."""
    wheel, layer = folder / EVIL, folder / "layer.zip"
    wheel.write_bytes(content)
    bundle = Bundle("evil", tuple(wheel_entries(wheel, EVIL)))
    entries = merge([bundle], "python/").entries
    inflate(bundle.entries, EVIL)
    with layer.open("wb") as file:
        write_zip(file, entries)
    return layer


def deflated(data: bytes) -> bytes:
    return File(b"", data).compressed()


def embedded(**more: object) -> bytes:
    """A whole other archive, to be hidden where some reader finds it."""
    return raw_zip(File(b"evil.py", b"import evil\n"), **more)  # type: ignore[arg-type]


CARRIED_OVER: dict[str, tuple[bytes, dict[str, bytes]]] = {
    "stored and deflated": (
        raw_zip(File(b"a.py", CODE, STORED), File(b"b.py", CODE)),
        {"a.py": CODE, "b.py": CODE},
    ),
    "data descriptors": (raw_zip(File(b"a.py", CODE, descriptor=True)), {"a.py": CODE}),
    "zip64 fields": (raw_zip(File(b"a.py", CODE, zip64=True)), {"a.py": CODE}),
    "a zip64 end record": (raw_zip(File(b"a.py", CODE), zip64_end=True), {"a.py": CODE}),
    "bytes before the archive": (raw_zip(File(b"a.py", CODE), prefix=b"#!/bin/sh\n" * 9), {"a.py": CODE}),
    "a file that the directory does not name": (
        raw_zip(File(b"evil.py", CODE, hidden=True), File(b"a.py", CODE)),
        {"a.py": CODE},
    ),
    "bytes between the files": (raw_zip(File(b"a.py", CODE), File(b"b.py"), gap=b"PK\1\2" * 9),
                                {"a.py": CODE, "b.py": b"x = 1\n"}),
    "an archive as a file": (raw_zip(File(b"inner.zip", embedded(), STORED)), {"inner.zip": embedded()}),
    "a comment": (raw_zip(File(b"a.py", CODE), comment=b"made by hand"), {"a.py": CODE}),
    "a name in UTF-8": (raw_zip(File("é/ü.py".encode(), CODE, flags=UTF8)), {"é/ü.py": CODE}),
    "a name in code page 437": (raw_zip(File("é.py".encode("cp437"), CODE)), {"é.py": CODE}),
    "a second name that is the first": (
        raw_zip(File(b"a.py", CODE, extra=unicode_path(b"a.py", b"a.py"))),
        {"a.py": CODE},
    ),
    "names that differ in case": (
        raw_zip(File(b"A.py", CODE), File(b"a.py", b"")),
        {"A.py": CODE, "a.py": b""},
    ),
    "names that Unicode composes in two ways": (
        raw_zip(*(File(unicodedata.normalize(form, "é.py").encode(), form.encode(), flags=UTF8)
                  for form in ("NFC", "NFD"))),
        {unicodedata.normalize(form, "é.py"): form.encode() for form in ("NFC", "NFD")},
    ),
    "folders": (raw_zip(File(b"a/", b"", STORED, mode=0o40755), File(b"a/b.py", CODE)), {"a/b.py": CODE}),
    "modes of DOS": (raw_zip(File(b"a.py", CODE, mode=0, system=0)), {"a.py": CODE}),
    "a setuid program": (raw_zip(File(b"tool", CODE, mode=0o104755)), {"tool": CODE}),
    "an empty file that is called deflated": (raw_zip(File(b"a.py", b"", stream=b"")), {"a.py": b""}),
    "no file": (raw_zip(), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CARRIED_OVER)
def test_what_is_odd_but_clear_is_carried_over(name: str, tmp_path: Path) -> None:
    content, files = CARRIED_OVER[name]
    assert read_by_all(layer_of(content, tmp_path)) == {
        f"python/{path}": data for path, data in files.items()
    }


@needs_jar
def test_java_reads_it_too(tmp_path: Path) -> None:
    wanted: dict[str, bytes] = {}
    bundles = []
    for number, (content, files) in enumerate(CARRIED_OVER.values()):
        (wheel := tmp_path / f"{number}.whl").write_bytes(content)
        bundles.append(
            Bundle(str(number), tuple(e.renamed(f"{number}/{e.name}") for e in read_entries(wheel)))
        )
        wanted |= {f"{number}/{path}": data for path, data in files.items()}
    with (tmp_path / "all.zip").open("wb") as file:
        write_zip(file, merge(bundles).entries)
    assert with_jar(tmp_path / "all.zip") == wanted


@pytest.mark.parametrize("count", [0xFFFF, 0x10005])
@needs_jar
@needs_info_zip
def test_more_files_than_the_old_format_counts(count: int, tmp_path: Path) -> None:
    layer = layer_of(many(f"{number % 600}/{number}" for number in range(count)), tmp_path)
    assert not refused_by_info_zip(layer)
    with zipfile.ZipFile(layer) as archive:
        assert len(archive.infolist()) == count
    assert len(listed_by_jar(layer)) == count


REFUSED: dict[str, tuple[bytes, str]] = {
    "an absolute name": (raw_zip(File(b"/etc/passwd")), "unsafe name '/etc/passwd'"),
    "a name that leaves": (raw_zip(File(b"a/../../b.py")), "unsafe name"),
    "a folder that leaves": (raw_zip(File(b"../a/", b"", STORED)), "unsafe name"),
    "a backslash": (raw_zip(File(b"..\\a.py")), "unsafe name"),
    "a drive": (raw_zip(File(b"C:a.py")), "unsafe name"),
    "an empty name": (raw_zip(File(b"")), "unsafe name ''"),
    "an empty part": (raw_zip(File(b"a//b.py")), "unsafe name"),
    "NUL": (raw_zip(File(b"a.py\0.txt")), "unsafe name"),
    "a line break": (raw_zip(File(b"a\n.py")), "unsafe name"),
    "an escape sequence": (raw_zip(File(b"\x1b[2Ja.py")), "unsafe name"),
    "no Unicode": (raw_zip(File(b"\xff\xfe.py", flags=UTF8)), "codec can't decode"),
    "a file name that no file can have": (raw_zip(File(b"a" * 256)), "too long"),
    "a file name too long in UTF-8": (raw_zip(File(b"\x82" * 200)), "too long"),
    "a path too long": (raw_zip(File(b"a/" * 2100 + b"b")), "too long"),
    "a symbolic link": (raw_zip(File(b"a.py", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)),
                        "a.py is a symbolic link"),
    "a device": (raw_zip(File(b"a.py", b"", mode=stat.S_IFCHR | 0o666)), "a.py is not a regular file"),
    "a folder that is a file": (raw_zip(File(b"a", CODE, mode=stat.S_IFDIR | 0o755)), "a is not a regular"),
    "encryption": (raw_zip(File(b"a.py", flags=1)), "a.py is encrypted"),
    "strong encryption": (raw_zip(File(b"a.py", flags=0x40)), "a.py is encrypted"),
    "masked headers": (raw_zip(File(b"a.py", flags=0x2000)), "a.py is encrypted"),
    "a patch": (raw_zip(File(b"a.py", flags=0x20)), "a.py is encrypted"),
    "an unknown compression": (raw_zip(File(b"a.py", method=99)), "a.py uses compression method 99"),
    "LZMA": (raw_zip(File(b"a.py", method=14)), "a.py uses compression method 14"),
    "a second name": (raw_zip(File(b"a.py", extra=unicode_path(b"a.py", b"b.py"))), "a.py has a second name"),
    "a file twice": (raw_zip(File(b"a.py"), File(b"a.py", CODE)), "two files with the name a.py"),
    "another name before the file": (raw_zip(File(b"a.py", local_name=b"b.py")), "does not match"),
    "a shorter name before the file": (raw_zip(File(b"a.py", local_name=b".py")), "does not match"),
    "another size before the file": (raw_zip(File(b"a.py", local_size=3)), "does not match"),
    "another length before the file": (raw_zip(File(b"a.py", local_compressed_size=3)), "does not match"),
    "another CRC before the file": (raw_zip(File(b"a.py", local_crc=3)), "does not match"),
    "another method before the file": (raw_zip(File(b"a.py", local_method=STORED)), "does not match"),
    "encryption before the file": (raw_zip(File(b"a.py", local_flags=1)), "does not match"),
    "no header before the file": (raw_zip(File(b"a.py"), File(b"b.py", offset=3)), "no local header"),
    "a file outside of the archive": (raw_zip(File(b"a.py", offset=0x7FFFFFFF)), "no local header"),
    "a file before the archive": (raw_zip(File(b"a.py"))[10:], "no local header"),
    "a stream longer than the archive": (
        raw_zip(File(b"a.py", CODE, STORED, size=10**6, compressed_size=10**6)), "files overlap"),
    "a stream into the next file": (
        raw_zip(File(b"a", b"x" * 9, STORED, size=20, compressed_size=20), File(b"b")), "files overlap"),
    "files that share a stream": (
        raw_zip(File(b"a"), File(b"a", offset=0, directory_only=True)), "files overlap"),
    "a wrong CRC": (raw_zip(File(b"a.py", CODE, crc=1)), "a.py does not match its size"),
    "a wrong CRC of a stored file": (raw_zip(File(b"a.py", CODE, STORED, crc=1)), "a.py does not match"),
    "a size too small": (raw_zip(File(b"a.py", CODE, size=7)), "a.py does not match its size"),
    "a size too large": (raw_zip(File(b"a.py", CODE, size=1007)), "a.py does not match its size"),
    "a stored file with two sizes": (raw_zip(File(b"a.py", CODE, STORED, size=7)), "cannot be 7 bytes"),
    "a ratio that deflate does not have": (raw_zip(File(b"a.py", CODE, size=10**8)), "cannot be 100000000"),
    "a damaged stream": (raw_zip(File(b"a.py", CODE, stream=b"\xff" * 40)), "a.py has a damaged stream"),
    "a stream without its end": (raw_zip(File(b"a.py", CODE, stream=deflated(CODE)[:-3])), "a.py (has|does)"),
    "bytes behind the stream": (raw_zip(File(b"a.py", CODE, stream=deflated(CODE) + b"evil")),
                                "a.py has a stream that does not end at its declared end"),
    "two streams in one": (raw_zip(File(b"a.py", CODE, stream=deflated(CODE) + deflated(b"evil"))),
                           "a.py has a stream that does not end at its declared end"),
    "a file and a folder": (raw_zip(File(b"a"), File(b"a/b.py")), "one path cannot be a file and a folder"),
    "an archive behind the archive": (raw_zip(File(b"a.py"), comment=embedded()), "one end record"),
    "an end in the comment": (raw_zip(File(b"a.py"), comment=embedded(comment=b"x" * 9)), "one end record"),
    "an archive before the archive": (raw_zip(File(b"a.py"), prefix=embedded()), "one end record"),
    "an archive between the files": (raw_zip(File(b"a.py"), File(b"b.py"), gap=embedded()), "one end record"),
    "bytes behind the archive": (raw_zip(File(b"a.py"), tail=b"evil"), "one end record"),
    "a newer format": (
        raw_zip(File(b"a.py")).replace(b"PK\1\2\x2d\x03\x2d\0", b"PK\1\2\x2d\x03\xff\0"), "version"),
    "no directory": (raw_zip(File(b"a.py"))[:-22], "not a zip file"),
    "half an archive": (raw_zip(File(b"a.py", CODE * 99))[:-40], "not a zip file"),
    "an extra field that is cut off": (raw_zip(File(b"a.py", extra=b"\1\0\x18\0\xff")), "orrupt extra"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_unsafe_or_unclear_is_refused(name: str, tmp_path: Path) -> None:
    content, message = REFUSED[name]
    with pytest.raises(LbdartError, match=message) as error:
        layer_of(content, tmp_path)
    assert "evil" in error.value.problem
    assert "\n" not in error.value.problem
    assert not (tmp_path / "layer.zip").exists()


def test_a_bomb_of_overlapping_files_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(LbdartError, match=r"header that does not match|its files overlap"):
        layer_of(overlapping(0xFFF0, bytes(10**6)), tmp_path)


def test_a_bomb_is_refused_by_what_it_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "decompressobj", lambda *_: pytest.fail("inflated"))
    zeros = bytes(40_000_000)
    compressed = deflated(zeros)
    files = [File(b"%d" % number, zeros, stream=compressed) for number in range(7)]
    with pytest.raises(LbdartError, match=f"280,000,000 bytes, but Lambda allows {MAX_UNZIPPED:,}"):
        layer_of(raw_zip(*files), tmp_path)


def test_a_bomb_that_claims_little_is_inflated_to_no_more(tmp_path: Path) -> None:
    (wheel := tmp_path / EVIL).write_bytes(raw_zip(File(b"a", bytes(50_000_000), size=1000)))
    (entry,) = read_entries(wheel)
    taken = 0
    with pytest.raises(zipfile.BadZipFile, match="does not match"):  # noqa: PT012
        for piece in entry.pieces():
            taken += len(piece)
    assert taken <= 1000


def test_metadata_that_is_a_bomb_is_not_inflated(tmp_path: Path) -> None:
    name = b"evil-1.0.dist-info/METADATA"
    (tmp_path / EVIL).write_bytes(raw_zip(File(name, bytes(20_000_000))))
    with pytest.raises(LbdartError, match=r"METADATA has 20000000 bytes"):
        _ = dist_info_of(tmp_path / EVIL).requires


# What a property draws from: everything that is right, and for each field something that is not.
NAMES = st.sampled_from(
    [b"a.py", b"a", b"a/b.py", b"B.py", b"../c", b"/d", "é".encode(), b"\xff", b"e\0", b""]
)
FILES = st.builds(
    File,
    name=st.one_of(NAMES, st.binary(max_size=6)),
    data=st.sampled_from([b"", b"x", CODE]),
    method=st.sampled_from([DEFLATED, DEFLATED, STORED, 12]),
    flags=st.sampled_from([0, 0, 0, UTF8, 1, 8]),
    stream=st.one_of(st.none(), st.none(), st.binary(max_size=30)),
    crc=st.sampled_from([None, None, None, 0]),
    size=st.one_of(st.none(), st.none(), st.integers(0, 2**32 - 1)),
    compressed_size=st.one_of(st.none(), st.none(), st.integers(0, 100)),
    local_name=st.one_of(st.none(), st.none(), NAMES),
    local_method=st.sampled_from([None, None, STORED, DEFLATED]),
    local_size=st.one_of(st.none(), st.none(), st.integers(0, 100)),
    extra=st.one_of(st.just(b""), st.just(b""), st.binary(max_size=30)),
    local_extra=st.one_of(st.just(b""), st.binary(max_size=30)),
    mode=st.sampled_from([0o100644, 0o100644, 0o100755, 0, 0o120777, 0o177777]),
    descriptor=st.booleans(),
    zip64=st.booleans(),
    offset=st.one_of(st.none(), st.none(), st.none(), st.integers(0, 200)),
    hidden=st.booleans(),
)
ZIPS = st.builds(
    lambda files, **more: raw_zip(*files, **more),
    st.lists(FILES, max_size=4),
    prefix=st.one_of(st.just(b""), st.binary(max_size=30)),
    comment=st.one_of(st.just(b""), st.binary(max_size=30), st.just(embedded())),
    tail=st.one_of(st.just(b""), st.just(b""), st.binary(max_size=30)),
    count=st.one_of(st.none(), st.integers(0, 5)),
    zip64_end=st.booleans(),
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=ZIPS)
def test_any_zip_is_carried_over_whole_or_refused(content: bytes, tmp_path: Path) -> None:
    try:
        layer = layer_of(content, tmp_path)
    except LbdartError:
        return
    names = set(read_by_all(layer))
    assert all(name.startswith("python/") and ".." not in name for name in names)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=4)), max_size=4))
def test_any_damage_to_a_zip_is_carried_over_whole_or_refused(
    damage: list[tuple[int, bytes]], tmp_path: Path
) -> None:
    content = bytearray(
        raw_zip(File(b"a.py", CODE), File(b"b/c.py", CODE, STORED, descriptor=True), File(b"d", zip64=True))
    )
    for place, value in damage:
        place %= len(content)  # noqa: PLW2901
        content[place : place + len(value)] = value
    try:
        layer = layer_of(bytes(content), tmp_path)
    except LbdartError:
        return
    read_by_all(layer)


def test_the_writer_says_when_a_zip_gets_too_large() -> None:
    class Sink:
        def write(self, data: bytes) -> int:
            return len(data)

    entries = [Entry(f"{n}", 0, 1, 1 << 31, DEFLATED, False, Stored(b"")) for n in range(3)]
    with pytest.raises(LbdartError, match="larger than 4 GiB"):
        write_zip(Sink(), entries)  # type: ignore[arg-type]


def test_a_file_of_the_users_with_a_name_that_no_zip_has_is_refused(tmp_path: Path) -> None:
    for name in ("a\udcff.py", "a\\b.py", "new\nline.py"):
        with pytest.raises(LbdartError, match="has a name"):
            own_name(name)
