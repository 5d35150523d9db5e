"""The archive comment: what a zip says of itself, and how little of it is read for that."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.archive.end_record import TAIL, comment_of
from lbdart_cdk.core.archive.entry import stored
from lbdart_cdk.core.archive.writer import write_zip
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing.identity import LayerIdentity, marked

ONE = LayerIdentity("ab" * 32)
OTHER = LayerIdentity("12" * 32)
END = b"PK\x05\x06"


def zipped(comment: bytes = b"", entries: int = 1) -> bytes:
    buffer = io.BytesIO()
    write_zip(buffer, [stored(f"python/{number}.py", b"x = 1\n") for number in range(entries)], comment)
    return buffer.getvalue()


def test_the_comment_has_the_documented_form() -> None:
    assert ONE.comment == f"lbdart:2 build_key={'ab' * 32}".encode()
    assert LayerIdentity.parse(ONE.comment) == ONE


@pytest.mark.parametrize("entries", [0, 1, 0xFFFF + 5], ids=["empty", "one", "zip64"])
@pytest.mark.parametrize("comment", [b"", ONE.comment, b"x" * 0xFFFF], ids=["none", "ours", "longest"])
def test_the_end_of_a_zip_tells_its_comment(entries: int, comment: bytes) -> None:
    whole = zipped(comment, entries)
    assert comment_of(whole[-TAIL:]) == comment
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert (archive.comment, len(archive.namelist())) == (comment, entries)


@given(st.binary(max_size=300))
def test_the_tail_of_anything_else_tells_none_or_a_comment_at_its_very_end(tail: bytes) -> None:
    for hostile in (tail, END + tail, tail + END, tail + END + bytes(18)):
        comment = comment_of(hostile)
        assert comment is None or hostile.endswith(struct.pack("<H", len(comment)) + comment)


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        END,
        zipped(ONE.comment)[:-1],
        zipped(ONE.comment) + b"\0",
        zipped(ONE.comment)[-len(ONE.comment) :],
        # A comment that holds an end record itself: two readers, two archives.
        zipped(zipped(ONE.comment)[-22 - len(ONE.comment) :]),
    ],
    ids=["empty", "a bare mark", "cut off", "followed", "without its end record", "two end records"],
)
def test_what_is_not_the_end_of_exactly_one_zip_tells_nothing(tail: bytes) -> None:
    assert comment_of(tail) is None


def test_an_end_record_of_a_zip_inside_is_not_taken_for_the_outer() -> None:
    buffer = io.BytesIO()
    write_zip(buffer, [stored("python/inner.zip", zipped(OTHER.comment))], ONE.comment)
    assert comment_of(buffer.getvalue()) == ONE.comment


@pytest.mark.parametrize(
    "comment",
    [
        b"",
        b"made by hand",
        ONE.comment + b" ",
        ONE.comment.upper(),
        ONE.comment.replace(b"lbdart:2", b"lbdart:1"),
        ONE.comment.replace(b"ab", b"zz"),
        ONE.comment + b"\n" + OTHER.comment,
    ],
)
def test_another_form_is_none_of_ours(comment: bytes) -> None:
    assert LayerIdentity.parse(comment) is None


@pytest.mark.parametrize("comment", [b"", b"made by hand", b"x" * 0xFFFF])
@pytest.mark.parametrize("entries", [3, 0xFFFF + 5], ids=["few", "zip64"])
def test_a_zip_of_other_origin_gets_its_comment_on_a_copy(
    tmp_path: Path, comment: bytes, entries: int
) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(zipped(comment, entries))
    before = path.read_bytes()
    with marked(path, ONE) as copy:
        assert copy.read_bytes() == zipped(ONE.comment, entries)
    assert path.read_bytes() == before
    assert not copy.exists()


def test_a_zip_of_ours_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(zipped(ONE.comment))
    with marked(path, ONE) as same:
        assert same == path


def test_a_zip_of_another_build_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(zipped(OTHER.comment))
    with pytest.raises(LbdartError, match=f"has the build key {OTHER.build_key}"), marked(path, ONE):
        pass


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer.zip"
    path.write_bytes(b"<html>")
    with pytest.raises(LbdartError, match="does not end like a zip"), marked(path, ONE):
        pass
