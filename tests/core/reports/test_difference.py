"""What differs between two inventories."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.archive.entry import Entry, stored
from lbdart_cdk.core.reports.difference import Change, Difference, Files
from lbdart_cdk.core.reports.inventory import Inventory, Package
from lbdart_cdk.core.reports.zipped import zip_inventory
from tests.support.installed_zip import installed, zip_of


def lock(**versions: str) -> Inventory:
    return Inventory(
        "a.lock", "lock", tuple(Package(name, (text,)) for name, text in sorted(versions.items()))
    )


def told(difference: Difference) -> dict[str, str]:
    return {change.name: change.kind for change in difference.changes}


def test_packages_are_added_removed_and_changed() -> None:
    difference = Difference(lock(alpha="1", beta="1", same="1"), lock(alpha="2", gamma="1", same="1"))
    assert told(difference) == {"alpha": "changed", "beta": "removed", "gamma": "added"}
    assert all(change.bytes is None for change in difference.changes)


def test_two_spellings_of_a_version_are_one() -> None:
    assert not Difference(lock(alpha="1.0", beta="2024.01.1"), lock(alpha="1.0.0", beta="2024.1.1"))


def test_other_hashes_of_the_same_version_are_a_change_between_two_of_a_kind() -> None:
    before, after = (Inventory("x", "lock", (Package("a", ("1",), frozenset({pin})),)) for pin in "12")
    (change,) = Difference(before, after).changes
    assert (change.kind, change.is_same_version) == ("changed", True)
    assert not Difference(before, replace(after, kind="sbom"))


def test_two_zips_are_compared_byte_by_byte(tmp_path: Path) -> None:
    before = zip_of(tmp_path / "a.zip", installed("alpha"), installed("beta"), {"app.py": "1", "old.py": ""})
    after = zip_of(
        tmp_path / "b.zip",
        installed("alpha", files={"alpha/__init__.py": "NAME = 'ALPHA'\n", "alpha/new.py": "x"}),
        installed("beta"),
        {"app.py": "2", "new.py": ""},
    )
    difference = Difference(zip_inventory(before), zip_inventory(after))
    (change,) = difference.changes
    assert change.is_same_version
    assert change.files == Files(added=("alpha/new.py",), changed=("alpha/__init__.py",))
    assert difference.own == Files(("new.py",), ("old.py",), ("app.py",))


def test_a_layer_and_a_function_of_the_same_packages_do_not_differ(tmp_path: Path) -> None:
    function = zip_of(tmp_path / "a.zip", installed("alpha"), {"app.py": ""})
    layer = zip_of(tmp_path / "b.zip", installed("alpha", place="python/"), {"python/app.py": ""})
    assert not Difference(zip_inventory(function), zip_inventory(layer))


def test_what_installers_note_is_no_difference(tmp_path: Path) -> None:
    one = zip_of(tmp_path / "a.zip", installed("alpha", more={"INSTALLER": "pip"}))
    other = zip_of(tmp_path / "b.zip", installed("alpha", more={"INSTALLER": "uv", "REQUESTED": ""}))
    assert not Difference(zip_inventory(one), zip_inventory(other))


def test_equal_checksums_are_no_proof() -> None:
    # Two texts of one length with one CRC-32.
    entries = [replace(stored("app.py", text), crc=1) for text in (b"aaaa", b"bbbb")]
    before, after = (Inventory("x", "zip", (), {"app.py": entry}) for entry in entries)
    try:
        differs = bool(Difference(before, after))
    except Exception:
        differs = True
    assert differs


NAMES = st.text(string.ascii_lowercase[:4], min_size=1, max_size=1)
CONTENT = st.dictionaries(NAMES, st.binary(max_size=3), max_size=3)


def entries(content: Mapping[str, bytes]) -> dict[str, Entry]:
    return {name: stored(name, data) for name, data in content.items()}


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    named = draw(st.dictionaries(NAMES, st.tuples(st.sampled_from(["1", "2"]), CONTENT)))
    packages = tuple(
        Package(name, (version,), files=entries(content))
        for name, (version, content) in sorted(named.items())
    )
    return Inventory("a.zip", "zip", packages, entries(draw(CONTENT)))


@given(inventories())
def test_nothing_differs_from_itself(one: Inventory) -> None:
    assert not Difference(one, one)


@given(inventories(), inventories())
def test_the_way_back_is_the_mirror(one: Inventory, other: Inventory) -> None:
    there, back = Difference(one, other), Difference(other, one)
    assert tuple(map(mirrored, there.changes)) == back.changes
    assert flipped(there.own) == back.own
    assert there.bytes == -(back.bytes or 0)


def mirrored(change: Change) -> Change:
    return Change(change.name, change.after, change.before, flipped(change.files))


def flipped(files: Files) -> Files:
    return Files(files.removed, files.added, files.changed)


@given(inventories(), inventories())
def test_bytes_add_up(one: Inventory, other: Inventory) -> None:
    difference = Difference(one, other)
    own = other.own_size.unzipped - one.own_size.unzipped
    assert difference.bytes == own + sum(change.bytes or 0 for change in difference.changes)
