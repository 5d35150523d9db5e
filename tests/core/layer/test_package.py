"""What builders left becomes one zip; what an installer left becomes what a builder leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.layer.package import create_layer_zip_file, move_to_dir_python
from lbdart_cdk.core.layer.path_layout import LayerPathLayout
from tests.support.projects import files_in
from tests.support.wheels import names_in


def installed(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_a_package_that_a_builder_links_is_packed(tmp_path: Path) -> None:
    layout = LayerPathLayout(tmp_path / "orders/pyproject.toml")
    layout.dir_python.mkdir(parents=True)
    (layout.dir_python / "alpha").symlink_to(installed(tmp_path / "vendor/alpha", "__init__.py"))
    assert names_in(create_layer_zip_file(layout)) == ["python/alpha/__init__.py"]


class TestMove:
    def test_what_was_installed_again_takes_the_place_of_what_was_there(self, tmp_path: Path) -> None:
        python = tmp_path / "python"
        for names in (("alpha/a.py", "alpha/old.py", "beta.py"), ("alpha/a.py", "beta.py")):
            move_to_dir_python(installed(tmp_path / "site-packages", *names), python)
        assert files_in(python).keys() == {"alpha/a.py", "beta.py"}
        assert list((tmp_path / "site-packages").iterdir()) == []

    def test_a_file_takes_the_place_of_a_folder_and_of_a_link(self, tmp_path: Path) -> None:
        python = installed(tmp_path / "python", "alpha/a.py")
        (python / "beta").symlink_to(installed(tmp_path / "kept", "a.py"))
        move_to_dir_python(installed(tmp_path / "site-packages", "alpha", "beta"), python)
        assert files_in(python) == {"alpha": b"alpha", "beta": b"beta"}
        assert files_in(tmp_path / "kept") == {"a.py": b"a.py"}

    def test_other_packages_stay(self, tmp_path: Path) -> None:
        move_to_dir_python(
            installed(tmp_path / "site-packages", "alpha.py"), installed(tmp_path / "python", "beta.py")
        )
        assert files_in(tmp_path / "python").keys() == {"alpha.py", "beta.py"}

    def test_a_prefix_of_the_layer_itself(self, tmp_path: Path) -> None:
        site_packages = installed(tmp_path / "python/lib/python3.13/site-packages", "alpha.py")
        move_to_dir_python(site_packages, tmp_path / "python")
        assert files_in(tmp_path / "python").keys() == {"alpha.py"}

    @pytest.mark.parametrize("name", ["nowhere", "file"])
    def test_from_what_is_no_directory(self, tmp_path: Path, name: str) -> None:
        installed(tmp_path, "file")
        with pytest.raises(LbdartError, match=f"There is no directory {tmp_path / name} to move"):
            move_to_dir_python(tmp_path / name, tmp_path / "python")

    @pytest.mark.parametrize(
        ("site_packages", "python"), [("a", "a"), ("a", "a/python"), ("a/lib/x/site-packages", "a")]
    )
    def test_where_one_would_replace_the_other(self, tmp_path: Path, site_packages: str, python: str) -> None:
        installed(tmp_path / site_packages, "lib/alpha.py")
        before = files_in(tmp_path)
        with pytest.raises(LbdartError, match=" overlap"):
            move_to_dir_python(tmp_path / site_packages, tmp_path / python)
        assert files_in(tmp_path) == before
