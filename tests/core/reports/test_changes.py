"""What changed is named as the user knows it: a package, a file, an option."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.inputs import BuildInputs
from lbdart_cdk.core.reports.changes import Change, FileChanges, changes, grouped
from lbdart_cdk.core.store.store import Store
from tests.support.wheels import make_wheel, sha256

A, B = "a" * 64, "b" * 64


def told(old: BuildInputs, new: BuildInputs, store: Store) -> list[str]:
    return [f"{change.group}: {change}" for change in changes([old], [new], store)]


def layer(**inputs: object) -> BuildInputs:
    return BuildInputs("layer", {}, **inputs)  # type: ignore[arg-type]


def test_packages_are_told_by_their_versions(store: Store) -> None:
    old = layer(
        packages={"alpha": A, "beta": A, "gone": A}, versions={"alpha": "1", "beta": "1", "gone": "3"}
    )
    new = layer(
        packages={"alpha": B, "beta": B, "more": A}, versions={"alpha": "2", "beta": "1", "more": "4"}
    )
    assert told(old, new, store) == [
        "packages: alpha 1 -> 2",
        "packages: beta 1 (aaaaaaaaaaaa) -> (bbbbbbbbbbbb)",
        "packages: gone 3 was removed",
        "packages: more 4 was added",
    ]


def test_a_commit_is_told_as_such(store: Store) -> None:
    old, new = layer(packages={"alpha": "a" * 40}), layer(packages={"alpha": "b" * 40})
    assert told(old, new, store) == ["packages: alpha aaaaaaaaaaaa -> bbbbbbbbbbbb"]


def test_the_files_of_a_local_package_are_told_where_both_wheels_are_kept(
    tmp_path: Path, store: Store
) -> None:
    def part(key: str, version: str, **files: bytes | str) -> BuildInputs:
        contents = {f"lib/{name}.py": content for name, content in files.items()}
        wheel = make_wheel(tmp_path / key, "lib", version, files=contents)
        identity = sha256(wheel)
        with store.scratch() as folder:
            store.keep_archive(key, wheel.rename(folder / wheel.name), identity)
        return layer(packages={"lib": identity}, wheels={"lib": key})

    old, new = part(A, "1.0", a="1", b="1", c="1"), part(B, "1.1", a="1", b="2", d="1")
    (change,) = changes([old], [new], store)
    metadata = ".dist-info/METADATA"
    assert change.files == FileChanges((metadata, "lib/b.py"), ("lib/d.py",), ("lib/c.py",))
    assert str(change) == (
        f"lib: 2 files changed: {metadata}, lib/b.py; 1 file added: lib/d.py; 1 file removed: lib/c.py"
    )
    store.archive(A).unlink()
    (change,) = changes([old], [new], store)
    assert change.files is None
    assert str(change) == f"lib {old.packages['lib'][:12]} -> {new.packages['lib'][:12]}"


def test_the_files_of_code_are_told(store: Store) -> None:
    old = BuildInputs("source", {"tree": A}, files={"orders/app.py": "1", "orders/pricing.py": "1"})
    new = BuildInputs("source", {"tree": B}, files={"orders/app.py": "2", "orders/pricing.py": "2"})
    assert told(old, new, store) == ["own code: 2 files changed: orders/app.py, orders/pricing.py"]
    same = BuildInputs("source", {"tree": B}, files=old.files)
    assert told(old, same, store) == ["own code: no file, but what git says of the project"]


def test_own_code_can_come_and_go(store: Store) -> None:
    own, none = BuildInputs("layer", {"own_code": A}), BuildInputs("layer", {})
    assert told(none, own, store) == ["own code: aaaaaaaaaaaa was added"]
    assert told(own, none, store) == ["own code: aaaaaaaaaaaa was removed"]


def test_target_and_options_have_old_and_new(store: Store) -> None:
    old = BuildInputs("layer", {"python": "3.12", "format": "3", "prefer": "a"})
    new = BuildInputs("layer", {"python": "3.13", "format": "4", "exclude_files": "*.pyi"})
    assert told(old, new, store) == [
        "target: runtime: python3.12 -> python3.13",
        "options: exclude_files: not set -> *.pyi",
        "options: prefer: a -> not set",
        "packer: format: 3 -> 4",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ({}, {"A": "12ab"}, ["environment: A is new"]),
        ({"A": "12ab"}, {}, ["environment: A is gone"]),
        ({"A": "12ab"}, {"A": "34cd"}, ["environment: A has another value"]),
        ({"A": ""}, {"A": "34cd"}, []),  # of a published build only the names are known
        ({"A": ""}, {}, ["environment: A is gone"]),
    ],
)
def test_of_variables_no_value_is_told(
    store: Store, old: dict[str, str], new: dict[str, str], line: list[str]
) -> None:
    assert told(layer(environment=old), layer(environment=new), store) == line


def test_what_is_not_known_of_a_build_is_no_change(store: Store) -> None:
    old, new = layer(packages={"alpha": A}), BuildInputs("layer", {"python": "3.13"}, {"alpha": B})
    assert [change.name for change in changes([old], [new], store, ["packages"])] == ["alpha"]
    # An SBOM of an earlier release does not tell what a package of the user was built from.
    old, new = layer(packages={"lib": ""}, versions={"lib": "1.0"}), layer(packages={"lib": B})
    assert changes([old], [new], store) == []
    assert told(old, layer(), store) == ["packages: lib 1.0 was removed"]


def test_patterns_of_code_and_names_of_packages_are_not_mixed_up(store: Store) -> None:
    parts = [BuildInputs("source", {"exclude": "*.md"}), BuildInputs("layer", {"exclude": "six"})]
    assert grouped(parts)["options"] == {"exclude": "six", "exclude_code": "*.md"}
    assert changes(parts, parts, store) == []
    other = [BuildInputs("source", {"exclude": "*.txt"}), parts[1]]
    assert changes(parts, other, store) == [Change("options", "exclude_code", "*.md", "*.txt")]


def test_many_files_are_counted_and_the_first_are_named() -> None:
    files = FileChanges(tuple(f"{number}.py" for number in range(9)))
    assert str(files).startswith("9 files changed: 0.py, 1.py,")
    assert str(files).endswith(" and 3 more")
