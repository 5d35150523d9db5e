"""What an ELF file asks for is read as the loader reads it, and a damaged one harms nobody."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.native.elf import Elf, UnreadableElfError, read_elf
from tests.support.elf import AARCH64, I386, PPC64, make_elf

FULL = make_elf(
    needed=["libc.so.6", "libfoo.so.1"],
    versions={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.34"], "libfoo.so.1": ["FOO_1"]},
    weak={"libm.so.6": ["GLIBC_2.39"]},
    soname="libown.so.2",
    rpath="/old",
    runpath="$ORIGIN/../demo.libs:/opt/lib",
    module="_demo",
)


def read(content: bytes, module: str = "") -> Elf | None:
    return read_elf(io.BytesIO(content), module)


def test_everything_the_loader_looks_at_is_read() -> None:
    assert read(FULL, "_demo") == Elf(
        machine="x86_64",
        soname="libown.so.2",
        needed=("libc.so.6", "libfoo.so.1"),
        search=("$ORIGIN/../demo.libs", "/opt/lib"),
        versions=(("libc.so.6", "GLIBC_2.17"), ("libc.so.6", "GLIBC_2.34"), ("libfoo.so.1", "FOO_1")),
        module=True,
    )


def test_a_module_initialises_the_name_it_is_imported_by() -> None:
    other = read(FULL, "other")
    assert other is not None
    assert not other.module


def test_the_old_search_path_counts_where_there_is_no_new_one() -> None:
    elf = read(make_elf(rpath="$ORIGIN/.libs"))
    assert elf is not None
    assert elf.search == ("$ORIGIN/.libs",)


@pytest.mark.parametrize(
    ("content", "machine"),
    [
        (make_elf(machine=AARCH64), "aarch64"),
        (make_elf(machine=I386, bits=32), "386 (32-bit)"),
        (make_elf(bits=32), "x86_64 (32-bit)"),
        (make_elf(machine=PPC64, little=False), "ppc64 (64-bit, big-endian)"),
        (make_elf(machine=0xFEED), "machine 65261 (64-bit)"),
    ],
)
def test_every_machine_has_a_name(content: bytes, machine: str) -> None:
    elf = read(content)
    assert elf is not None
    assert (elf.machine, elf.needed) == (machine, ("libc.so.6",))


def test_an_object_file_is_never_loaded() -> None:
    assert read(make_elf(kind=1)) is None


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to compare with")
def test_what_a_compiler_makes_is_read_alike(tmp_path: Path) -> None:
    source = tmp_path / "demo.c"
    source.write_text("#include <math.h>\ndouble PyInit_demo(double x) { return pow(x, x); }\n")
    command = ["cc", "-shared", "-fPIC", "-o", "demo.so", "demo.c", "-lm", "-Wl,-rpath,$ORIGIN/libs"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    elf = read((tmp_path / "demo.so").read_bytes(), "demo")
    assert elf is not None
    assert elf.module
    assert "libm.so.6" in elf.needed
    assert elf.search == ("$ORIGIN/libs",)
    assert any(library == "libm.so.6" for library, _ in elf.versions)


@pytest.mark.parametrize("length", [4, 15, 20, 63, 64, 100, 150, 176, 200, len(FULL) - 20])
def test_a_truncated_file_cannot_be_read(length: int) -> None:
    with pytest.raises(UnreadableElfError, match=r"."):
        read(FULL[:length])


def test_a_wild_number_of_program_headers_is_not_believed() -> None:
    content = bytearray(FULL)
    struct.pack_into("<H", content, 56, 0xFFFF)
    with pytest.raises(UnreadableElfError, match="65535 program headers"):
        read(bytes(content))


def test_more_versions_than_a_file_can_need_are_given_up() -> None:
    with pytest.raises(UnreadableElfError, match="more than 4096 symbol versions"):
        read(make_elf(versions={"libc.so.6": [f"V_{number}" for number in range(5000)]}))


def test_names_are_shown_without_control_characters() -> None:
    elf = read(make_elf(needed=["lib\n\x1b[31m.so"]))
    assert elf is not None
    assert elf.needed == (r"'lib\n\x1b[31m.so'",)


@given(
    st.lists(st.tuples(st.integers(0, len(FULL) - 8), st.integers(0, 2**64 - 1)), min_size=1, max_size=6),
    st.sampled_from([1, 2, 4, 8]),
)
def test_no_damage_ends_in_anything_but_an_answer(changes: list[tuple[int, int]], width: int) -> None:
    content = bytearray(FULL)
    for place, value in changes:
        content[place : place + width] = value.to_bytes(8, "little")[:width]
    with _answered():
        read(bytes(content), "_demo")


@given(st.binary(max_size=400))
def test_no_bytes_after_the_magic_end_in_anything_but_an_answer(rest: bytes) -> None:
    with _answered():
        read(b"\x7fELF" + rest)


@contextmanager
def _answered() -> Iterator[None]:
    """Either way is right: an answer, or what is wrong in one line."""
    try:
        yield
    except UnreadableElfError as error:
        assert str(error).splitlines() == [str(error)]  # noqa: PT017
