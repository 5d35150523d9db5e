"""Zips whose bytes depend on nothing but their entries."""

from __future__ import annotations

import errno
import hashlib
import io
import random
import resource
import shutil
import stat
import struct
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.archive.entry import Entry, deflated, stored
from lbdart_cdk.core.archive.names import safe_name
from lbdart_cdk.core.archive.reader import read_entries
from lbdart_cdk.core.archive.writer import write_zip
from lbdart_cdk.core.errors import LbdartError
from tests.support.wheels import make_zip

parts = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\:"), min_size=1, max_size=12
).filter(lambda part: part not in (".", ".."))
names = st.lists(parts, min_size=1, max_size=3).map("/".join)
contents = st.dictionaries(
    names, st.tuples(st.binary(max_size=2000), st.booleans(), st.booleans()), max_size=6
)


def zipped(entries: list[Entry]) -> bytes:
    buffer = io.BytesIO()
    write_zip(buffer, entries)
    return buffer.getvalue()


def packed(path: Path, entries: list[Entry]) -> Path:
    path.write_bytes(zipped(entries))
    return path


def sound_for_info_zip(path: Path) -> bool:
    """Ask the other implementation whether it finds the archive sound."""
    unzip = shutil.which("unzip")
    if unzip is None:
        return True
    tested = subprocess.run([unzip, "-tqq", path], capture_output=True, check=False)
    return tested.returncode == 0


@given(contents)
def test_what_is_written_is_what_zipfile_reads(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, tuple[bytes, bool, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    entries = []
    with (folder / "spool").open("wb") as spool:
        for name, (data, executable, compress) in content.items():
            source = folder / "file"
            source.write_bytes(data)
            source.chmod(0o755 if executable else 0o644)
            entries.append(
                deflated(name, source, spool, folder / "spool")
                if compress
                else stored(name, data, executable=executable)
            )
    path = packed(folder / "made.zip", entries)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(content)
        for info in archive.infolist():
            data, executable, compress = content[info.filename]
            assert archive.read(info) == data
            assert info.external_attr >> 16 == stat.S_IFREG | (0o755 if executable else 0o644)
            assert info.compress_type == (zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED)
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
    # And what is read is written again to the same bytes.
    assert zipped(read_entries(path)) == path.read_bytes()


@given(contents, st.randoms(use_true_random=False))
def test_the_order_of_the_entries_does_not_show(
    content: dict[str, tuple[bytes, bool, bool]], shuffler: random.Random
) -> None:
    entries = [stored(name, data, executable=executable) for name, (data, executable, _) in content.items()]
    shuffled = entries.copy()
    shuffler.shuffle(shuffled)
    assert zipped(shuffled) == zipped(entries)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_compressed_streams_are_copied_as_they_are(tmp_path: Path, method: int) -> None:
    data = bytes(range(256)) * 5000
    source = make_zip(tmp_path / "in.zip", [("a/b.bin", data), ("é.py", b"x = 1")], method=method)
    made = packed(
        tmp_path / "out.zip", [entry.renamed(f"python/{entry.name}") for entry in read_entries(source)]
    )
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(made) as after:
        for name in before.namelist():
            old, new = before.getinfo(name), after.getinfo(f"python/{name}")
            assert (old.CRC, old.compress_size, old.compress_type) == (
                new.CRC,
                new.compress_size,
                new.compress_type,
            )
            assert after.read(new) == before.read(old)
    assert sound_for_info_zip(made)


def test_entries_with_data_descriptors_and_extra_fields_are_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "streamed.zip"

    class Pipe(io.BytesIO):
        """Not seekable, so that zipfile writes sizes behind the data."""

        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo("a.py")
        info.compress_type = zipfile.ZIP_DEFLATED
        info.extra = struct.pack("<HH4s", 0x7875, 4, b"uxid")
        archive.writestr(info, b"print(1)\n" * 100)
        with archive.open("b.py", "w", force_zip64=True) as file:
            file.write(b"print(2)\n" * 100)
    path.write_bytes(pipe.getvalue())
    made = packed(tmp_path / "out.zip", read_entries(path))
    with zipfile.ZipFile(made) as again:
        assert {info.filename: (info.flag_bits, info.extra) for info in again.infolist()} == {
            "a.py": (0, b""),
            "b.py": (0, b""),
        }
        assert again.read("b.py") == b"print(2)\n" * 100
    assert sound_for_info_zip(made)


def test_an_archive_behind_other_bytes_is_read(tmp_path: Path) -> None:
    made = make_zip(tmp_path / "in.zip", [("a.py", b"x")])
    made.write_bytes(b"#!/bin/sh\n" + made.read_bytes())
    assert [(entry.name, entry.read()) for entry in read_entries(made)] == [("a.py", b"x")]


def test_folders_are_no_entries(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "in.zip", [("a/", b""), ("a/b.py", b"x")])
    assert [entry.name for entry in read_entries(path)] == ["a/b.py"]


def test_more_entries_than_the_old_format_counts(tmp_path: Path) -> None:
    made = packed(tmp_path / "many.zip", [stored(f"{number}", b"") for number in range(0xFFFF + 5)])
    with zipfile.ZipFile(made) as archive:
        assert len(archive.namelist()) == 0xFFFF + 5
    assert sound_for_info_zip(made)


def test_the_output_need_not_be_seekable() -> None:
    class Pipe:
        def __init__(self) -> None:
            self.data = b""

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

    pipe = Pipe()
    write_zip(pipe, [stored("a", b"1"), stored("b", b"2")])  # type: ignore[arg-type]
    assert pipe.data == zipped([stored("a", b"1"), stored("b", b"2")])


@given(names)
def test_names_that_stay_inside_are_safe(name: str) -> None:
    assert safe_name(name) == name


@given(
    names,
    st.sampled_from(["/{}", "../{}", "{}/../{}", "./{}", "a//{}", "{}\\b", "C:{}", "{}\0", "{}\n", "{}/.."]),
)
def test_names_that_could_leave_the_folder_are_not(name: str, pattern: str) -> None:
    with pytest.raises(zipfile.BadZipFile, match="unsafe name"):
        safe_name(pattern.format(name, name))


@pytest.mark.parametrize("size", [0, 10, (1 << 20) - 1, 1 << 20, 9 << 20])
def test_the_hash_is_that_of_what_is_written(tmp_path: Path, size: int) -> None:
    wheel = make_zip(tmp_path / "wheel.zip", [("data", random.Random(size).randbytes(size)), ("small", b"x")])
    for entries in ([], read_entries(wheel), [stored("data", bytes(size)), *read_entries(wheel)[1:]]):
        with (tmp_path / "out.zip").open("wb") as file:
            sha256 = write_zip(file, entries, b"comment")
        assert sha256 == hashlib.sha256((tmp_path / "out.zip").read_bytes()).hexdigest()


def test_a_zip_may_be_of_more_wheels_than_a_process_may_open(tmp_path: Path) -> None:
    wheels = [make_zip(tmp_path / f"{number}.zip", [(f"{number}", b"x" * number)]) for number in range(60)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 30, limits[1]))
    try:
        write_zip(io.BytesIO(), [entry for wheel in wheels for entry in read_entries(wheel)])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_a_disk_that_is_full_is_told_and_leaves_no_thread(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_zip(Full(), [stored("data", bytes(9 << 20))])
    assert [thread.name for thread in threading.enumerate() if "ThreadPool" in thread.name] == []


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x.py", "a/../../x.py", "a\\b.py", "C:/x.py", "x.py\0.txt"]
)
def test_a_hostile_archive_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "evil-1.0-py3-none-any.whl", [(name, b"x")])
    with pytest.raises(
        LbdartError, match=r"evil-1\.0-py3-none-any\.whl is not a usable zip archive: .*unsafe"
    ):
        read_entries(path)


def damage(path: Path, offset_in_directory: int, value: bytes) -> None:
    """Change a field of the first header in a zip's directory."""
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02") + offset_in_directory
    content[start : start + len(value)] = value
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (8, b"\x01\x00", "a.py is encrypted"),
        (10, b"\x0c\x00", "a.py uses compression method 12"),
        (38, struct.pack("<L", (stat.S_IFLNK | 0o777) << 16), "a.py is a symbolic link"),
        (42, b"\x05\x00\x00\x00", "a.py has no local header"),
    ],
)
def test_what_cannot_be_carried_over_is_refused(
    tmp_path: Path, offset: int, value: bytes, message: str
) -> None:
    path = make_zip(tmp_path / "in.zip", [("a.py", b"print(1)")])
    damage(path, offset, value)
    with pytest.raises(LbdartError, match=f"in.zip is not a usable zip archive: {message}"):
        read_entries(path)


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alpha-1.0-py3-none-any.whl"
    path.write_bytes(b"<html>Please log in</html>")
    with pytest.raises(LbdartError, match="is not a usable zip archive"):
        read_entries(path)


def test_a_stream_that_ends_early_is_noticed(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "in.zip", [("a.bin", b"x" * 1000)], method=zipfile.ZIP_STORED)
    (entry,) = read_entries(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(LbdartError, match=r"in\.zip ends in the middle"):
        zipped([entry])


def test_the_same_file_is_told_by_its_bytes() -> None:
    assert stored("a", b"1").same_file(stored("b", b"1"))
    assert not stored("a", b"1").same_file(stored("a", b"2"))
