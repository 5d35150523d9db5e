"""Many bundles of files become the entries of one zip."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from lbdart_cdk.core.archive import Entry, Stored, stored
from lbdart_cdk.core.clash import announce
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.pack import MAX_UNZIPPED, Bundle, directory_bundle, merge


def bundle(name: str, **files: bytes) -> Bundle:
    return Bundle(name, tuple(stored(f"{path}.py", data) for path, data in files.items()))


def heavy(name: str, size: int) -> Bundle:
    """A bundle that says it is so large; nothing reads its bytes."""
    return Bundle(name, (Entry(f"{name}.so", 0, size, 1, zipfile.ZIP_DEFLATED, False, Stored(b"")),))


def test_all_files_are_below_the_prefix() -> None:
    merged = merge([bundle("alpha", a=b"1"), bundle("beta", b=b"2")], "python/")
    assert {entry.name: entry.read() for entry in merged} == {"python/a.py": b"1", "python/b.py": b"2"}


def test_the_same_file_of_two_packages_is_not_worth_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(merge([bundle("alpha", shared=b"1"), bundle("beta", shared=b"1")])) == 1
    assert not capsys.readouterr().err


def test_where_the_later_bundle_may_win_it_does_and_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    merged = merge([bundle("orders", app=b"1"), bundle("include=", app=b"2")], settled=announce)
    assert [(entry.name, entry.read()) for entry in merged] == [("app.py", b"2")]
    captured = capsys.readouterr()
    assert captured.err == ("Warning: orders and include= both bring app.py; the one of include= is used.\n")
    assert not captured.out


@pytest.mark.parametrize("order", [1, -1])
def test_a_path_that_is_a_file_here_and_a_folder_there_is_refused(order: int) -> None:
    bundles = [Bundle("alpha", (stored("a/b", b""),)), Bundle("beta", (stored("a/b/c/d.py", b""),))]
    with pytest.raises(LbdartError, match=r"alpha brings the file a/b, and beta brings a/b/c/d\.py") as error:
        merge(bundles[::order], "python/")
    assert "exclude=" in error.value.remedy


def test_names_that_only_a_mac_confuses_are_two_files() -> None:
    assert len(merge([bundle("alpha", A=b"1"), bundle("beta", a=b"2")])) == 2


def test_just_as_much_as_lambda_takes_is_packed() -> None:
    assert len(merge([heavy("alpha", MAX_UNZIPPED - 1), heavy("beta", 1)])) == 2


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


def test_a_plain_directory_is_packed_without_bytecode(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "alpha/__pycache__").mkdir(parents=True)
    (root / "alpha/__init__.py").write_text("x = 1\n")
    (root / "alpha/__pycache__/x.cpython-313.pyc").write_bytes(b"\0")
    (root / "tool").write_text("#!/bin/sh\n")
    (root / "tool").chmod(0o700)
    with (tmp_path / "spool").open("wb") as spool:
        packed = directory_bundle(root, spool, tmp_path / "spool")
    assert packed.name == "tree"
    assert {entry.name: (entry.read(), entry.executable) for entry in packed.entries} == {
        "alpha/__init__.py": (b"x = 1\n", False),
        "tool": (b"#!/bin/sh\n", True),
    }
    assert packed.size == len(b"x = 1\n#!/bin/sh\n")
