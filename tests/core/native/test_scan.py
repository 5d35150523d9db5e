"""NativeScan of a wheel: every compiled file in it, read once and kept."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.selection import LockedFile
from lbdart_cdk.core.native import scan as scan_module
from lbdart_cdk.core.native.found import scan_from_json
from lbdart_cdk.core.native.scan import scan_entries, scan_wheel
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.contents import wheel_entries
from lbdart_cdk.core.wheels.integrity import refuse_damaged
from tests.support.elf import make_elf
from tests.support.raw_zip import File, raw_zip
from tests.support.wheels import make_wheel

FILES: dict[str, bytes | str] = {
    "demo/__init__.py": "",
    "demo/_demo.cpython-313-x86_64-linux-gnu.so": make_elf(versions={"libc.so.6": ["GLIBC_2.17"]}),
    "demo/_demo.py": "",
    "demo/plain.so": make_elf(module="plain", runpath="$ORIGIN/../demo.libs"),
    "demo/tool": make_elf(kind=2),
    "demo/part.o": make_elf(kind=1),
    "demo/broken.so": make_elf()[:90],
    "demo.libs/libone-12345678.so.1": make_elf(soname="libone-12345678.so.1"),
}  # fmt: skip
TAG = "cp313-cp313-manylinux_2_17_x86_64"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "wheels", "demo", tag=TAG, files=FILES)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_every_compiled_file_is_found_whatever_its_name(tmp_path: Path, method: int) -> None:
    wheel = make_wheel(tmp_path / "wheels", "demo", tag=TAG, files=FILES, method=method)
    scanned = scan_entries("demo", wheel_entries(wheel), tmp_path)
    assert (scanned.package, scanned.version, scanned.tags) == ("demo", "1.0", (TAG,))
    assert [
        (file.path, file.module, file.tag, file.fallback, file.elf is None) for file in scanned.files
    ] == [
        ("demo.libs/libone-12345678.so.1", "", "", False, False),
        ("demo/_demo.cpython-313-x86_64-linux-gnu.so", "_demo", "cpython-313-x86_64-linux-gnu", True, False),
        ("demo/broken.so", "broken", "", False, True),
        ("demo/plain.so", "plain", "", False, False),
        ("demo/tool", "", "", False, False),
    ]


def test_facts_are_what_json_makes_of_them(wheel: Path, tmp_path: Path) -> None:
    scanned = scan_entries("demo", wheel_entries(wheel), tmp_path)
    assert scan_from_json(json.loads(json.dumps(asdict(scanned)))) == scanned


def in_store(store: Store, wheel: Path) -> Path:
    kept = store.wheel("ab" + "0" * 62)
    kept.parent.mkdir(parents=True)
    return wheel.rename(kept)


def test_a_wheel_is_read_once_in_its_life(wheel: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = in_store(store, wheel)
    first = scan_wheel("demo", kept, store)
    monkeypatch.setattr(scan_module, "wheel_entries", None)
    assert scan_wheel("demo", kept, store) == first


def test_many_threads_find_what_one_finds(wheel: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = scan_wheel("demo", in_store(store, wheel), store)
    (noted,) = store.root.glob("v1/native*/**/*.json")
    noted.unlink()
    monkeypatch.setattr(scan_module, "_ALONE", 0)
    monkeypatch.setattr(scan_module, "_BATCH", 10)
    assert scan_wheel("demo", store.wheel("ab" + "0" * 62), store) == alone


def test_what_is_scanned_is_also_checked(wheel: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = in_store(store, wheel)
    scan_wheel("demo", kept, store)
    monkeypatch.setattr(zlib, "decompressobj", lambda *_: pytest.fail("inflated again"))
    refuse_damaged([LockedFile(canonicalize_name("demo"), wheel.name, wheel, "ab" + "0" * 62)], store)


@pytest.mark.parametrize("name", ["demo/data.txt", "demo/native.so"])
def test_a_damaged_file_is_refused_and_nothing_is_noted(tmp_path: Path, store: Store, name: str) -> None:
    """Also when its first bytes, which show that it is no program, are sound."""
    content = make_elf(padding=9000) if name.endswith(".so") else bytes(9000)
    files = [File(name.encode(), content, crc=7), File(b"demo-1.0.dist-info/METADATA", b"Name: demo\n")]
    damaged = tmp_path / "demo-1.0-py3-none-any.whl"
    damaged.write_bytes(raw_zip(*files))
    kept = in_store(store, damaged)
    with pytest.raises(LbdartError, match="does not match its size and CRC"):
        scan_wheel("demo", kept, store)
    assert not list(store.root.glob("v1/*/**/*.json"))


@pytest.mark.parametrize(
    "note",
    ["", "[]", "{}", '{"package": 1}', '{"package": "a", "version": "", "tags": [], "files": [{}]}'],
)
def test_a_note_that_cannot_be_understood_was_never_made(wheel: Path, store: Store, note: str) -> None:
    kept = in_store(store, wheel)
    first = scan_wheel("demo", kept, store)
    (noted,) = store.root.glob("v1/native*/**/*.json")
    noted.write_text(note)
    assert scan_wheel("demo", kept, store) == first
    assert not list((store.root / "tmp").iterdir())


def test_a_file_that_no_function_can_hold_is_not_unpacked(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_module, "MAX_UNZIPPED", 500)
    bomb = make_wheel(tmp_path / "wheels", "bomb", files={"bomb.so": make_elf(padding=1 << 20)})
    (file,) = scan_entries("bomb", wheel_entries(bomb), tmp_path).files
    assert file.problem == "it is larger than Lambda allows"


def test_a_damaged_stream_is_unreadable_and_no_crash(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", "demo", files={"demo.so": make_elf(padding=5000)})
    (entry,) = (member for member in wheel_entries(wheel) if member.name == "demo.so")
    content = bytearray(wheel.read_bytes())
    offset = entry.content.offset  # type: ignore[attr-defined]
    content[offset + entry.compressed_size - 20 : offset + entry.compressed_size] = b"\xff" * 20
    wheel.write_bytes(content)
    (file,) = scan_entries("demo", [entry], tmp_path).files
    assert file.elf is None
    assert file.problem
