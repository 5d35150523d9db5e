"""Many bundles of files become the entries of one zip."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lbdart_cdk.core.archive.entry import Entry, Stored, stored
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.packing.clash import warn_of
from lbdart_cdk.core.packing.directory import directory_bundle
from lbdart_cdk.core.packing.merge import Bundle, merge
from lbdart_cdk.core.project.target import MAX_UNZIPPED


def bundle(name: str, **files: bytes) -> Bundle:
    return Bundle(name, tuple(stored(f"{path}.py", data) for path, data in files.items()))


def heavy(name: str, size: int) -> Bundle:
    """A bundle that says it is so large; nothing reads its bytes."""
    return Bundle(name, (Entry(f"{name}.so", 0, size, 1, zipfile.ZIP_DEFLATED, False, Stored(b"")),))


def test_all_files_are_below_the_prefix() -> None:
    merged = merge([bundle("alpha", a=b"1"), bundle("beta", b=b"2")], "python/").entries
    assert {entry.name: entry.read() for entry in merged} == {"python/a.py": b"1", "python/b.py": b"2"}


def test_the_same_file_of_two_packages_is_not_worth_a_word() -> None:
    merged = merge([bundle("alpha", shared=b"1"), bundle("beta", shared=b"1")])
    assert len(merged.entries) == 1
    assert not merged.warnings


def test_where_the_later_bundle_may_win_it_does_and_it_is_said() -> None:
    merged = merge([bundle("orders", app=b"1"), bundle("include=", app=b"2")], settled=warn_of)
    assert [(entry.name, entry.read()) for entry in merged.entries] == [("app.py", b"2")]
    assert [warning.line for warning in merged.warnings] == [
        "Warning: orders and include= both bring app.py; the zip takes it from include=."
    ]


THREE = [bundle(name, shared=name.encode()) for name in ("alpha", "be-ta", "gamma")]


@pytest.mark.parametrize(
    ("prefer", "winner"),
    [
        (["alpha"], b"alpha"),
        (["Be_Ta"], b"be-ta"),
        (["gamma", "alpha"], b"gamma"),
        (["alpha", "gamma"], b"alpha"),
    ],
)
def test_the_file_of_the_preferred_package_is_taken(prefer: list[str], winner: bytes) -> None:
    merged = merge(THREE, prefer=prefer)
    assert [entry.read() for entry in merged.entries] == [winner]
    assert not merged.warnings


def test_what_is_preferred_does_not_settle_a_clash_of_others() -> None:
    with pytest.raises(LbdartError, match="alpha and be-ta both bring shared"):
        merge([*THREE[:2], bundle("gamma", other=b"1")], prefer=["gamma"])


def test_a_preferred_package_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LbdartError, match=r"names delta, .*\nName packages among alpha, be-ta, gamma"):
        merge(THREE, prefer=["alpha", "delta"])


@pytest.mark.parametrize("order", [1, -1])
def test_a_path_that_is_a_file_here_and_a_folder_there_is_refused(order: int) -> None:
    bundles = [Bundle("alpha", (stored("a/b", b""),)), Bundle("beta", (stored("a/b/c/d.py", b""),))]
    with pytest.raises(LbdartError, match=r"alpha brings the file a/b, and beta brings a/b/c/d\.py") as error:
        merge(bundles[::order], "python/")
    assert "exclude=" in error.value.remedy


def test_names_that_only_a_mac_confuses_are_two_files() -> None:
    assert len(merge([bundle("alpha", A=b"1"), bundle("beta", a=b"2")]).entries) == 2


def test_just_as_much_as_lambda_takes_is_packed() -> None:
    assert len(merge([heavy("alpha", MAX_UNZIPPED - 1), heavy("beta", 1)]).entries) == 2


def test_what_unpacks_to_more_than_lambda_takes_names_the_largest_packages() -> None:
    sizes = {"pyarrow": 150, "numpy": 60, "pandas": 50, "pytz": 2, "six": 1, "tiny": 0}
    with pytest.raises(LbdartError) as error:
        merge(heavy(name, size * 1_000_000) for name, size in sizes.items())
    assert "263,000,000 bytes" in error.value.problem
    assert "262,144,000" in error.value.problem
    assert error.value.problem.endswith(
        "the largest packages are pyarrow 150.0 MB, numpy 60.0 MB, pandas 50.0 MB, pytz 2.0 MB, six 1.0 MB."
    )
    assert "exclude=" in error.value.remedy


def packed(root: Path) -> Bundle:
    spool = root.parent / "spool"
    with spool.open("wb") as file:
        return directory_bundle(root, file, spool)


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def names(root: Path) -> set[str]:
    return {entry.name for entry in packed(root).entries}


def test_a_plain_directory_is_packed_without_bytecode(tmp_path: Path) -> None:
    files = {"alpha/__init__.py": "x = 1\n", "alpha/only.pyc": "module"}
    by_products = dict.fromkeys(("alpha/__init__.pyc", "alpha/__pycache__/x.cpython-313.pyc"), "")
    root = write(tmp_path / "tree", files | by_products)
    (root / "tool").write_text("#!/bin/sh\n")
    (root / "tool").chmod(0o700)
    bundle = packed(root)
    assert bundle.name == "tree"
    assert {entry.name: (entry.read(), entry.executable) for entry in bundle.entries} == {
        "alpha/__init__.py": (b"x = 1\n", False),
        "alpha/only.pyc": (b"module", False),
        "tool": (b"#!/bin/sh\n", True),
    }
    assert bundle.size == len(b"x = 1\nmodule#!/bin/sh\n")


@pytest.mark.parametrize(
    ("script", "stays"),
    [
        ("#!/opt/venv/bin/python3.13\nimport sys\n", False),
        ("#!/bin/sh\n'''exec' /a/long/way/to/python3.13 \"$0\" \"$@\"\n' '''\nimport sys\n", False),
        ('#!"C:\\Python\\python.exe"\nimport sys\n', False),
        ("#!/usr/bin/env python3\nimport sys\n", True),
        ("#!/bin/sh\nexec ./tool\n", True),
        ("\x7fELF", True),
        ("", True),
    ],
)
def test_a_script_that_names_a_python_of_this_machine_is_left_out(
    tmp_path: Path, script: str, stays: bool
) -> None:
    root = write(tmp_path / "tree", {"alpha.py": "", "bin/alpha": script, "alpha/bin/own": script})
    assert names(root) == {"alpha.py", "alpha/bin/own", *(["bin/alpha"] if stays else [])}


def test_what_an_installer_notes_for_itself_is_left_out(tmp_path: Path) -> None:
    records = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json")
    kept = {"alpha-1.dist-info/METADATA", "alpha-1.dist-info/entry_points.txt", "alpha/RECORD"}
    root = tmp_path / "tree"
    write(root, dict.fromkeys([".lock", *kept, *(f"alpha-1.dist-info/{name}" for name in records)], ""))
    assert names(root) == kept


class TestLinks:
    """What a builder links to is as good as there."""

    def test_links_to_files_and_folders_are_followed(self, tmp_path: Path) -> None:
        root = write(tmp_path / "tree", {"alpha.py": ""})
        write(tmp_path / "elsewhere", {"beta/__init__.py": "", "beta/sub/x.py": "", "gamma.py": ""})
        (root / "beta").symlink_to(tmp_path / "elsewhere/beta")
        (root / "gamma.py").symlink_to(tmp_path / "elsewhere/gamma.py")
        assert names(root) == {"alpha.py", "beta/__init__.py", "beta/sub/x.py", "gamma.py"}

    def test_a_directory_in_itself_is_packed_once(self, tmp_path: Path) -> None:
        root = write(tmp_path / "tree", {"alpha/__init__.py": ""})
        (root / "alpha/again").symlink_to(root)
        (root / "alpha/me").symlink_to(".")
        assert names(root) == {"alpha/__init__.py"}

    @pytest.mark.parametrize("leads_to", ["nowhere", "link"])
    def test_one_that_leads_nowhere_is_told(self, tmp_path: Path, leads_to: str) -> None:
        root = write(tmp_path / "tree", {"alpha/__init__.py": ""})
        (root / "alpha/link").symlink_to(leads_to)
        with pytest.raises(LbdartError, match=rf"/alpha/link is a link to {leads_to}, which does not exist"):
            packed(root)
