"""Whose files are whose in a directory that installers filled, by their own lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lbdart_cdk.core.packing.installed import installed_in, own_files
from tests.support.installed import install, write
from tests.support.projects import files_in


def files_of(root: Path, name: str = "alpha") -> set[str]:
    return set(installed_in(root)[name].files)  # type: ignore[index]


def test_a_package_has_the_files_of_its_list_and_of_its_metadata(tmp_path: Path) -> None:
    install(tmp_path, "Alpha_One", ["alpha/a.py", "beta,gamma.py"], requires=["beta[fast]>=2; extra == 'x'"])
    packages = installed_in(tmp_path)
    (package,) = packages.values()
    assert list(packages) == ["alpha-one"]
    assert package.requires == ('beta[fast]; "x" in extras',)
    assert package.is_listed
    assert {"alpha/a.py", "beta,gamma.py", "Alpha_One-1.0.dist-info/METADATA"} <= package.files


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("alpha/a.py", {"alpha/a.py"}),
        ("./alpha//a.py", {"alpha/a.py"}),
        ("alpha/../beta.py", {"beta.py"}),
        ("bin/alpha", {"bin/alpha"}),  # uv pip install --target
        ("../../bin/alpha", {"bin/alpha"}),  # pip install --target
        ("../../../bin/alpha", set()),  # a virtual environment; the file is not in site-packages
        ("../alpha.py", set()),
        ("../../../../../../etc/passwd", set()),
        ("/etc/passwd", set()),
        ("{root}/alpha.py", {"alpha.py"}),
        ("{root}", set()),
        (".", set()),
        ("../..", set()),
        ("\0", {"\0"}),
        ("a" * 5000, {"a" * 5000}),
    ],
)
def test_only_what_is_in_the_directory_is_a_file_of_a_package(
    tmp_path: Path, line: str, files: set[str]
) -> None:
    root = tmp_path / "python"
    install(root, "alpha", record=f"{line.format(root=root)},,\n")
    assert {name for name in files_of(root) if not name.startswith("alpha-1.0.dist-info")} == files
    assert installed_in(root)["alpha"].is_listed is bool(files)  # type: ignore[index]


@pytest.mark.parametrize("record", [None, "", "\n\n", ",,\n", 'alpha/a.py,,\n"alpha/b.py', "x" * 200_000])
def test_without_a_list_that_can_be_read_only_the_metadata_is_known(
    tmp_path: Path, record: str | None
) -> None:
    install(tmp_path, "alpha", ["alpha/a.py"], record=record)
    assert not installed_in(tmp_path)["alpha"].is_listed  # type: ignore[index]
    assert "alpha/a.py" not in files_of(tmp_path)


def test_a_list_of_bytes_that_are_no_text(tmp_path: Path) -> None:
    install(tmp_path, "alpha")
    (tmp_path / "alpha-1.0.dist-info/RECORD").write_bytes(b"alpha/a.py,,\n\xff\xfe.py,,\n")
    assert "alpha/a.py" in files_of(tmp_path)


def test_an_installation_without_a_wheel_has_its_own_list(tmp_path: Path) -> None:
    egg: Mapping[str, str] = {
        "PKG-INFO": "Metadata-Version: 1.1\nName: alpha\nVersion: 1.0\n",
        "requires.txt": 'beta>=1\n\n[fast]\ngamma\n\n[:python_version < "3.10"]\ndelta\n\n'
        '[slow:python_version >= "3.10"]\nepsilon\n',
        "installed-files.txt": "../alpha.py\n../alpha/b.py\nPKG-INFO\n../../../bin/alpha\n",
    }
    write(tmp_path, {f"alpha-1.0-py3.13.egg-info/{name}": text for name, text in egg.items()})
    package = installed_in(tmp_path)["alpha"]  # type: ignore[index]
    assert {"alpha.py", "alpha/b.py", "bin/alpha", "alpha-1.0-py3.13.egg-info/PKG-INFO"} <= package.files
    assert package.is_listed
    assert package.requires == (
        "beta",
        'gamma; "fast" in extras',
        'delta; python_version < "3.10"',
        'epsilon; python_version >= "3.10" and "slow" in extras',
    )


def test_metadata_in_one_file_has_a_name_and_no_list(tmp_path: Path) -> None:
    write(tmp_path, {"alpha-1.0.egg-info": "Name: alpha\nVersion: 1.0\n"})
    package = installed_in(tmp_path)["alpha"]  # type: ignore[index]
    assert package.files == {"alpha-1.0.egg-info"}
    assert not package.is_listed


def test_the_metadata_of_a_version_before_an_update_belongs_to_the_package(tmp_path: Path) -> None:
    install(tmp_path, "alpha", ["alpha/old.py"], version="1.0")
    install(tmp_path, "alpha", ["alpha/new.py"], version="2.0", requires=["beta"])
    package = installed_in(tmp_path)["alpha"]  # type: ignore[index]
    assert {"alpha/old.py", "alpha/new.py", "alpha-1.0.dist-info/METADATA"} <= package.files
    assert package.requires == ("beta",)


def test_packages_of_a_prefix_are_there_too(tmp_path: Path) -> None:
    site = "lib/python3.13/site-packages"
    install(tmp_path / site, "alpha", ["alpha/a.py"], record="alpha/a.py,,\n../../../bin/alpha,,\n")
    assert {f"{site}/alpha/a.py", "bin/alpha"} <= files_of(tmp_path)


def test_a_file_that_another_package_lists_is_not_a_packages_own(tmp_path: Path) -> None:
    install(tmp_path, "alpha", ["shared/__init__.py", "shared/alpha.py"])
    install(tmp_path, "beta", ["shared/__init__.py", "shared/beta.py"])
    before = files_in(tmp_path)
    packages = installed_in(tmp_path)
    own = own_files(packages, set(packages) - {"beta"})
    assert {name for name in own["alpha"] if "-info" not in name} == {"shared/alpha.py"}  # type: ignore[index]
    both = own_files(packages, set(packages))
    assert "shared/__init__.py" in both["alpha"] & both["beta"]  # type: ignore[index]
    assert files_in(tmp_path) == before


def test_a_directory_that_is_not_there_has_no_packages(tmp_path: Path) -> None:
    assert installed_in(tmp_path / "nowhere") == {}
