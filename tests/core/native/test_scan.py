"""NativeScan of a wheel: every compiled file in it, read once and kept."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest

from lbdart_cdk.core.native import scan as scan_module
from lbdart_cdk.core.native.scan import scan_entries, scan_from_json, scan_wheel
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.contents import wheel_entries
from tests.support.elf import make_elf
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
    monkeypatch.setattr(scan_module, "scan_entries", None)
    assert scan_wheel("demo", kept, store) == first


@pytest.mark.parametrize(
    "note",
    ["", "[]", "{}", '{"package": 1}', '{"package": "a", "version": "", "tags": [], "files": [{}]}'],
)
def test_a_note_that_cannot_be_understood_was_never_made(wheel: Path, store: Store, note: str) -> None:
    kept = in_store(store, wheel)
    first = scan_wheel("demo", kept, store)
    (noted,) = (path for path in store.root.rglob("*.json"))
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
