"""What a zip has: each file belongs to the package that lists it, whoever made the zip."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.reports.inventory import Inventory
from lbdart_cdk.core.reports.zipped import zip_inventory
from tests.support.installed_zip import installed, zip_of
from tests.support.wheels import make_zip


def versions(inventory: Inventory) -> dict[str, str]:
    return {package.name: package.version for package in inventory.packages}


def files(inventory: Inventory, name: str) -> set[str]:
    return set(inventory.by_name[name].files or {})


@pytest.mark.parametrize("place", ["", "python/", "python/lib/python3.13/site-packages/"])
def test_packages_are_found_where_lambda_finds_them(tmp_path: Path, place: str) -> None:
    path = zip_of(tmp_path / "a.zip", installed("alpha", "2.0", place=place), {f"{place}app.py": "x = 1\n"})
    inventory = zip_inventory(path)
    assert versions(inventory) == {"alpha": "2.0"}
    assert "alpha/__init__.py" in files(inventory, "alpha")
    assert set(inventory.own or {}) == {"app.py"}


def test_a_package_has_what_record_lists_and_no_other_file_of_its_folder(tmp_path: Path) -> None:
    own = {"alpha/__init__.py": b"", "alpha/deep/er/data.bin": b"\0" * 99, "alpha.libs/x.so": b"y"}
    path = zip_of(tmp_path / "a.zip", installed("alpha", files=own), {"alpha/mine.py": "x = 1\n"})
    inventory = zip_inventory(path)
    assert files(inventory, "alpha") >= set(own)
    assert set(inventory.own or {}) == {"alpha/mine.py"}


def test_packages_of_one_namespace_are_told_apart(tmp_path: Path) -> None:
    one, other = {"google/one/__init__.py": "1"}, {"google/other/__init__.py": "2"}
    path = zip_of(tmp_path / "a.zip", installed("one", files=one), installed("other", files=other))
    inventory = zip_inventory(path)
    assert set(one) <= files(inventory, "one")
    assert set(other) <= files(inventory, "other")


def test_scripts_and_data_of_a_wheel_are_its_own_wherever_an_installer_puts_them(tmp_path: Path) -> None:
    own = {"bin/run": "#!python\n", "share/doc.txt": "doc", "bin/target": "", "alpha/__init__.py": ""}
    record = ["alpha-1.0.data/scripts/run,,", "alpha-1.0.data/data/share/doc.txt,,", "../../bin/target,,"]
    record += ["alpha/__init__.py,,", "/etc/passwd,,", "../../../../elsewhere,,"]
    path = zip_of(tmp_path / "a.zip", installed("alpha", files=own, record=record, place="python/"))
    inventory = zip_inventory(path)
    assert set(own) <= files(inventory, "alpha")
    assert not inventory.own


def test_bytecode_is_of_the_package_of_its_module(tmp_path: Path) -> None:
    compiled = {"alpha/__pycache__/__init__.cpython-313.opt-1.pyc": b"1", "alpha/__init__.pyc": b"22"}
    mine = {"app.py": b"", "__pycache__/app.cpython-313.pyc": b"333"}
    inventory = zip_inventory(zip_of(tmp_path / "a.zip", installed("alpha"), compiled, mine))
    assert set(compiled) <= files(inventory, "alpha")
    assert set(inventory.own or {}) == set(mine)
    assert (inventory.bytecode.files, inventory.bytecode.unzipped) == (3, 6)


def test_without_a_record_the_name_or_top_level_txt_tells_what_a_package_has(tmp_path: Path) -> None:
    plain = installed("py_alpha", files={"py_alpha/__init__.py": "", "py_alpha/deep/x.py": ""}, record=[])
    listed = installed("PyBeta", files={"beta/__init__.py": ""}, record=[], more={"top_level.txt": "beta\n"})
    broken = installed("gamma", files={"gamma.py": ""}, record=['"half a li'])
    path = zip_of(tmp_path / "a.zip", plain, listed, broken, {"betas.py": ""})
    inventory = zip_inventory(path)
    assert files(inventory, "py-alpha") >= {"py_alpha/__init__.py", "py_alpha/deep/x.py"}
    assert "beta/__init__.py" in files(inventory, "pybeta")
    assert "gamma.py" in files(inventory, "gamma")
    assert set(inventory.own or {}) == {"betas.py"}


def test_an_egg_is_a_package(tmp_path: Path) -> None:
    egg = {"old-3.1.egg-info/PKG-INFO": "Name: old\nVersion: 3.1\n", "old.py": ""}
    single = {"older-1.egg-info": "Name: older\nVersion: 1\n"}
    inventory = zip_inventory(zip_of(tmp_path / "a.zip", egg, single))
    assert versions(inventory) == {"old": "3.1", "older": "1"}
    assert "old.py" in files(inventory, "old")


def test_what_a_package_has_vendored_is_no_package(tmp_path: Path) -> None:
    vendored = "alpha/_vendor/beta-1.0.dist-info/METADATA"
    inventory = zip_inventory(
        zip_of(tmp_path / "a.zip", installed("alpha", files={vendored: "Name: beta\n"}))
    )
    assert versions(inventory) == {"alpha": "1.0"}


def test_a_zip_without_packages_is_the_users_code(tmp_path: Path) -> None:
    inventory = zip_inventory(make_zip(tmp_path / "a.zip", [("python/app.py", "x"), ("readme.txt", "y")]))
    assert (inventory.packages, set(inventory.own or {})) == ((), {"python/app.py", "readme.txt"})


def test_two_versions_of_one_package_are_one_with_both(tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "a.zip",
        installed("alpha", "10.0", {"alpha/a.py": ""}),
        installed("alpha", "9.0", {"alpha/b.py": ""}),
    )
    assert zip_inventory(path).by_name["alpha"].versions == ("9.0", "10.0")


def test_a_hostile_name_reaches_no_terminal(tmp_path: Path) -> None:
    metadata = {"METADATA": "Name: al\x1b[31mpha\nVersion: 1.0\x1b]0;owned\x07\n"}
    inventory = zip_inventory(zip_of(tmp_path / "a.zip", installed("alpha", more=metadata)))
    (package,) = inventory.packages
    assert package.name.isprintable()
    assert package.version.isprintable()


def test_a_bad_zip_is_refused_in_one_message(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", installed("alpha"))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(LbdartError, match=r"a\.zip is not a usable zip archive"):
        zip_inventory(path)
    with pytest.raises(LbdartError, match="unsafe name"):
        zip_inventory(make_zip(tmp_path / "b.zip", [("../../etc/passwd", "x")]))
    large = {"METADATA": "Name: alpha\n" + "x" * (5 << 20)}
    with pytest.raises(LbdartError, match="METADATA has"):
        zip_inventory(zip_of(tmp_path / "c.zip", installed("alpha", more=large)))


PARTS = st.sampled_from(["alpha", "beta", "alpha-1.0.dist-info", "__pycache__", "python", "x.py", "RECORD"])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@given(
    st.dictionaries(PATHS, st.binary(max_size=40), max_size=12),
    st.lists(PATHS, max_size=4),
    st.sampled_from(["", "python/"]),
)
def test_each_file_is_counted_once(content: dict[str, bytes], listed: list[str], place: str) -> None:
    parts = installed("alpha", place=place, record=[f"{path},," for path in listed]) | content
    with TemporaryDirectory() as folder:
        path = make_zip(Path(folder, "a.zip"), parts.items())
        inventory = zip_inventory(path)
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    size = inventory.size
    assert size is not None
    assert size.unzipped == sum(info.file_size for info in infos)
    assert size.zipped == sum(info.compress_size for info in infos)
    assert Counter(entry.name for entry in inventory.entries) == Counter(info.filename for info in infos)
