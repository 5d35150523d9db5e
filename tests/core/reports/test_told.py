"""How a difference is told, on a terminal and in a pull request."""

from __future__ import annotations

from lbdart_cdk.core.archive.entry import stored
from lbdart_cdk.core.reports.difference import Difference
from lbdart_cdk.core.reports.inventory import Inventory, Package
from lbdart_cdk.core.reports.told import caution, counted, markdown, row, signed


def lock(what: str, **versions: str) -> Inventory:
    return Inventory(what, "lock", tuple(Package(name, (text,)) for name, text in sorted(versions.items())))


def own(what: str, **files: bytes) -> Inventory:
    return Inventory(what, "zip", (), {name: stored(name, data) for name, data in files.items()})


def test_it_counts_what_differs() -> None:
    difference = Difference(lock("a", alpha="1", beta="1"), lock("b", alpha="2", gamma="1"))
    assert counted(difference) == "3 packages differ: 1 added, 1 removed, 1 changed."
    assert [row(change) for change in difference.changes] == [
        ("alpha", "1", "2", "changed", ""),
        ("beta", "1", "", "removed", ""),
        ("gamma", "", "1", "added", ""),
    ]
    assert counted(Difference(lock("a"), lock("b"))) == "No differences."
    assert counted(Difference(own("a", x=b"1"), own("b", x=b"2"))) == "No package differs."


def test_a_version_that_a_requirement_leaves_open_is_any() -> None:
    before, after = Inventory("a", "lock", (Package("alpha"),)), lock("b", alpha="1")
    assert row(Difference(before, after).changes[0]) == ("alpha", "any", "1", "changed", "")


def test_a_lock_beside_something_else_is_a_caution() -> None:
    assert caution(Difference(lock("uv.lock"), own("b"))).startswith("uv.lock is a lock: ")
    assert caution(Difference(lock("a"), lock("b"))) == ""


def test_growth_has_a_sign() -> None:
    assert [signed(count) for count in (0, 1, -1, 5 << 20)] == ["0 kB", "+1 kB", "-1 kB", "+5.0 MB"]


def test_markdown_is_a_table_and_obeys_no_name() -> None:
    strange = "a|b`<img>[x](y)"
    difference = Difference(lock("old.lock", **{strange: "1"}), lock("new.lock", **{strange: "*2*"}))
    heading, _, *table = markdown(difference).splitlines()
    assert heading == "**old.lock → new.lock**: 1 package differs: 1 changed."
    assert table == [
        "| Package | Before | After | Change | Unzipped |",
        "| --- | --- | --- | --- | ---: |",
        r"| a\|b\`\<img\>\[x\]\(y\) | 1 | \*2\* | changed |  |",
    ]


def test_markdown_lists_the_own_files_and_not_thousands() -> None:
    files = {f"f{at:03}": b"x" for at in range(60)}
    text = markdown(Difference(own("a.zip", app=b"1"), own("b.zip", app=b"2", **files)))
    assert "<summary>Own code: 1 file changed, 60 added</summary>" in text
    assert "- app changed" in text
    assert text.count("\n- ") == 51
    assert "- and 11 more" in text
