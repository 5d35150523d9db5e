"""What builders left becomes one zip; what an installer left becomes what a builder leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.layer.package import (
    create_layer_zip_file,
    default_ignore_package_list,
    move_to_dir_python,
)
from lbdart_cdk.core.layer.path_layout import LayerPathLayout
from tests.support.installed import install
from tests.support.projects import files_in
from tests.support.wheels import make_wheel, names_in


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


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return tmp_path / "artifacts/python"


def packed(python: Path, ignored: str | Collection[str] | None = None) -> set[str]:
    """The files in the zip of a directory, without the packages' metadata."""
    path = create_layer_zip_file(python, python.parent.parent / "layer.zip", ignored, verbose=False)
    return {name.removeprefix("python/") for name in names_in(path) if ".dist-info/" not in name}


def modules(*names: str) -> set[str]:
    return {f"{name}/__init__.py" for name in names}


class TestArguments:
    """The specification's form, and that of a build directory."""

    def test_a_directory_and_the_zip_to_write(self, python: Path, tmp_path: Path) -> None:
        installed(python, "alpha.py", "beta/b.py")
        zips = [
            create_layer_zip_file(python, tmp_path / "1.zip"),
            create_layer_zip_file(python, tmp_path / "2.zip", None, True),
            create_layer_zip_file(dir_python=python, path_layer_zip=tmp_path / "new/3.zip"),
            create_layer_zip_file(
                python.rename(python.with_name("other")), path_layer_zip=tmp_path / "4.zip"
            ),
        ]
        assert [path.name for path in zips] == ["1.zip", "2.zip", "3.zip", "4.zip"]
        assert [names_in(path) for path in zips] == [["python/alpha.py", "python/beta/b.py"]] * 4
        assert len({path.read_bytes() for path in zips}) == 1

    def test_a_layout_by_position_and_by_name(self, tmp_path: Path) -> None:
        layout = LayerPathLayout(tmp_path / "pyproject.toml")
        installed(layout.dir_python, "alpha.py")
        path = layout.path_build_lambda_layer_zip
        assert create_layer_zip_file(layout) == create_layer_zip_file(path_layout=layout) == path
        assert names_in(path) == ["python/alpha.py"]

    def test_a_zip_of_before_is_replaced(self, python: Path) -> None:
        assert packed(installed(python, "alpha.py")) == {"alpha.py"}
        (python / "alpha.py").rename(python / "beta.py")
        assert packed(python) == {"beta.py"}

    @pytest.mark.parametrize("name", ["layer.zip", "new/layer.zip", "../python/layer.zip", "."])
    def test_a_zip_in_the_directory_that_it_packs(self, python: Path, name: str) -> None:
        installed(python, "alpha.py")
        with pytest.raises(LbdartError, match=r"the zip would become a part of what is packed"):
            create_layer_zip_file(python, python / name)
        assert files_in(python).keys() == {"alpha.py"}

    def test_what_does_not_fit_together(self, python: Path, tmp_path: Path) -> None:
        installed(python, "alpha.py")
        layout, path = LayerPathLayout(tmp_path / "pyproject.toml"), tmp_path / "layer.zip"
        for problem, arguments in {
            "path_layer_zip is None, not a pathlib.Path": {"dir_python": python},
            "dir_python is None, not a pathlib.Path": {"path_layer_zip": path},
            "dir_python is 'python', not": {"dir_python": "python", "path_layer_zip": path},
            "a LayerPathLayout names its own": {"path_layout": layout, "path_layer_zip": path},
            "Both path_layout and dir_python": {"path_layout": layout, "dir_python": python},
            "There is no directory": {"dir_python": tmp_path / "nowhere", "path_layer_zip": path},
        }.items():
            with pytest.raises(LbdartError, match=problem):
                create_layer_zip_file(**arguments)  # type: ignore[arg-type]
        assert not path.exists()


class TestDefaultList:
    """What the default list leaves out of a directory, by the rule for locks."""

    def test_a_package_that_nothing_requires_is_left_out_whole(self, python: Path) -> None:
        install(python, "alpha")
        install(python, "pytest", ["pytest/__init__.py", "_pytest/a.py", "py.py"], requires=["pluggy"])
        install(python, "setuptools", ["setuptools/__init__.py", "pkg_resources/__init__.py", "x.pth"])
        assert packed(python) == modules("alpha")
        path = create_layer_zip_file(python, python.parent / "layer.zip")
        assert {name.split("/")[1] for name in names_in(path)} == {"alpha", "alpha-1.0.dist-info"}

    def test_a_name_that_starts_like_one_on_the_list_is_another_package(self, python: Path) -> None:
        names = ("boto3_stubs", "pip_tools", "pytest_cov", "wheel_filename", "urllib3_future")
        for name in (*names, "boto3", "pip", "wheel"):
            install(python, name)
        assert packed(python) == modules(*names)

    def test_what_a_package_requires_stays(self, python: Path) -> None:
        install(python, "requests", requires=["urllib3>=1.26", "pysocks; extra == 'socks'"])
        install(python, "pytest_cov", requires=["pytest>=7"])
        for name in ("urllib3", "pytest", "pip"):
            install(python, name)
        assert packed(python) == modules("requests", "pytest_cov", "urllib3", "pytest")

    def test_what_only_left_out_packages_require_goes_with_them(self, python: Path) -> None:
        install(python, "alpha")
        install(python, "boto3", requires=["botocore", "jmespath"])
        install(python, "botocore", requires=["urllib3", "jmespath"])
        install(python, "urllib3")
        install(python, "jmespath")
        assert packed(python) == modules("alpha", "jmespath")

    @pytest.mark.parametrize("required", ["boto3", "botocore", "s3transfer>=0.10"])
    def test_the_sdk_stays_whole(self, python: Path, required: str) -> None:
        install(python, "alpha", requires=[required])
        for name in ("boto3", "botocore", "s3transfer", "pip"):
            install(python, name)
        assert packed(python) == modules("alpha", "boto3", "botocore", "s3transfer")

    def test_an_extra_counts_when_all_that_it_requires_is_there(self, python: Path) -> None:
        install(
            python, "alpha", requires=["boto3; extra == 'aws'", "pip; extra == 'x'", "gone; extra == 'x'"]
        )
        for name in ("boto3", "pip"):
            install(python, name)
        assert packed(python) == modules("alpha", "boto3")

    @pytest.mark.parametrize(
        ("marker", "stays"),
        [
            ("python_version < '3.10'", True),
            ("python_version >= '3.13'", True),
            ("platform_machine == 'aarch64'", True),
            ("sys_platform == 'linux'", True),
            ("sys_platform == 'win32'", False),
            ("python_version < '3'", False),
            ("implementation_name == 'pypy'", False),
        ],
    )
    def test_what_one_of_lambdas_runtimes_would_need_stays(
        self, python: Path, marker: str, stays: bool
    ) -> None:
        """A directory does not say which of them it was filled for."""
        install(python, "alpha", requires=[f"setuptools; {marker}"])
        install(python, "setuptools")
        assert packed(python) == modules("alpha", *(["setuptools"] if stays else []))

    def test_a_file_that_a_kept_package_lists_too_stays(self, python: Path) -> None:
        install(python, "alpha", ["shared/__init__.py", "alpha.py"])
        install(python, "wheel", ["shared/__init__.py", "shared/wheel.py"])
        assert packed(python) == {"shared/__init__.py", "alpha.py"}

    def test_programs_go_with_their_package(self, python: Path) -> None:
        install(python, "alpha", ["bin/alpha"])
        install(python, "pip", ["bin/pip", "pip/a.py"], record="../../bin/pip,,\npip/a.py,,\n")
        assert packed(python) == {"bin/alpha"}

    def test_a_hostile_list_reaches_nothing_outside_and_deletes_nothing(
        self, python: Path, tmp_path: Path
    ) -> None:
        installed(tmp_path, "secret")
        install(python, "alpha")
        lines = [str(tmp_path / "secret"), "../../secret", "../../../secret", ".", "", "alpha/__init__.py"]
        install(python, "pip", record="".join(f"{line},,\n" for line in [*lines, "pip/__init__.py"]))
        before = files_in(tmp_path)
        assert packed(python) == modules("alpha")
        (tmp_path / "layer.zip").unlink()
        assert files_in(tmp_path) == before

    def test_a_package_without_a_list_stays_and_is_named(
        self, python: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        install(python, "boto3", record=None, requires=["urllib3"])
        for name in ("botocore", "urllib3", "pip"):
            install(python, name)
        create_layer_zip_file(python, tmp_path / "layer.zip")
        out = capsys.readouterr().out.splitlines()
        assert packed(python) == modules("boto3", "botocore", "urllib3")
        assert out == [
            "Left out: pip (0.0 MB)",
            "Not left out, since nothing lists their files (RECORD): boto3",
        ]

    def test_modules_without_metadata_are_known_by_their_whole_name(self, python: Path) -> None:
        gone = ["boto3/__init__.py", "boto3/data/x.json", "pytest/__init__.py", "_pytest/a.py", "wheel.py"]
        stay = [
            "my_pkg/__init__.py",
            "boto3_stubs/a.py",
            "pip_tools.py",
            "orders/boto3/a.py",
            "botocore.json",
        ]
        installed(python, *gone, *stay)
        assert packed(python) == set(stay)
        assert packed(python, []) == {*gone, *stay}
        assert packed(python, ["my-pkg", "../artifacts", ".", "/"]) == {*gone, *stay} - {"my_pkg/__init__.py"}

    def test_modules_without_metadata_stay_if_a_package_requires_or_has_them(self, python: Path) -> None:
        installed(python, "urllib3/__init__.py", "pytest/__init__.py", "_pytest/a.py", "pip/__init__.py")
        install(python, "requests", requires=["urllib3"])
        install(python, "pytest_cov", requires=["pytest"])
        install(python, "vendors", ["pip/__init__.py"])
        assert packed(python) == {
            *modules("requests", "pytest_cov", "urllib3", "pytest", "pip"),
            "_pytest/a.py",
        }

    def test_the_list_can_be_added_to(self, python: Path) -> None:
        for name in ("alpha", "beta", "pip"):
            install(python, name)
        assert packed(python, [*default_ignore_package_list, "beta"]) == modules("alpha")
        assert packed(python, default_ignore_package_list + ["beta"]) == modules("alpha")  # noqa: RUF005


class TestOwnList:
    """``ignore_package_list`` in place of the default list."""

    @pytest.mark.parametrize(
        ("ignored", "left"),
        [
            ([], ("Be_ta", "boto3", "requests", "urllib3")),
            ("be.ta", ("boto3", "requests", "urllib3")),
            (("BE-TA", "boto3"), ("requests", "urllib3")),
            ({"urllib3"}, ("Be_ta", "boto3", "requests")),
            (["be", "Be_ta*", "req"], ("Be_ta", "boto3", "requests", "urllib3")),
        ],
    )
    def test_exactly_its_packages_are_left_out(
        self, python: Path, ignored: str | Collection[str], left: Iterable[str]
    ) -> None:
        install(python, "requests", requires=["urllib3"])
        for name in ("Be_ta", "boto3", "urllib3"):
            install(python, name)
        assert packed(python, ignored) == modules(*left)

    def test_what_is_left_out_is_said_in_a_line(self, python: Path, tmp_path: Path) -> None:
        lines: list[str] = []
        install(python, "alpha")
        install(python, "beta")
        (python / "beta/__init__.py").write_bytes(b"0" * 1_200_000)
        for verbose in (True, False):
            create_layer_zip_file(
                python, tmp_path / "layer.zip", ["beta", "gama"], verbose, printer=lines.append
            )
        assert lines == ["Left out: beta (1.2 MB)", "Not there to leave out: gama"]

    def test_nothing_is_left_to_pack(self, python: Path, tmp_path: Path) -> None:
        install(python, "pip")
        with pytest.raises(LbdartError, match=f"nothing to pack in {python} but pip, which") as caught:
            create_layer_zip_file(python, tmp_path / "layer.zip")
        assert "ignore_package_list=[]" in caught.value.remedy
        assert not (tmp_path / "layer.zip").exists()


class TestWheels:
    """Wheels in a build directory, beside the directory of packages."""

    @pytest.fixture
    def layout(self, tmp_path: Path) -> LayerPathLayout:
        return LayerPathLayout(tmp_path / "pyproject.toml")

    def packed(self, layout: LayerPathLayout, ignored: str | Collection[str] | None = None) -> set[str]:
        path = create_layer_zip_file(layout, ignore_package_list=ignored, verbose=False)
        return {name.removeprefix("python/") for name in names_in(path) if ".dist-info/" not in name}

    def chosen(self, layout: LayerPathLayout, name: str, requires: Iterable[str] = ()) -> None:
        """Write a wheel as a tool's builder does, which has chosen it by the lock."""
        make_wheel(layout.dir_wheels, name, requires=requires).rename(layout.dir_wheels / f"{name}.whl")

    def test_what_a_tool_chose_stays_unless_it_is_named(self, layout: LayerPathLayout) -> None:
        for name in ("alpha", "boto3"):
            self.chosen(layout, name)
        install(layout.dir_python, "pip")
        assert self.packed(layout) == modules("alpha", "boto3")
        assert self.packed(layout, ["boto3"]) == modules("alpha", "pip")
        assert self.packed(layout, []) == modules("alpha", "boto3", "pip")

    def test_the_directory_of_a_build_is_packed_with_its_wheels(self, layout: LayerPathLayout) -> None:
        self.chosen(layout, "alpha")
        path = create_layer_zip_file(
            dir_python=layout.dir_python, path_layer_zip=layout.path_build_lambda_layer_zip
        )
        assert "python/alpha/__init__.py" in names_in(path)

    def test_other_wheels_and_the_directory_are_chosen_together(self, layout: LayerPathLayout) -> None:
        make_wheel(layout.dir_wheels, "requests", requires=["urllib3"])
        make_wheel(layout.dir_wheels, "wheel")
        install(layout.dir_python, "alpha", requires=["setuptools"])
        install(layout.dir_python, "urllib3")
        make_wheel(layout.dir_wheels, "setuptools")
        assert self.packed(layout) == modules("requests", "alpha", "urllib3", "setuptools")

    def test_what_a_chosen_wheel_requires_stays_in_the_directory(self, layout: LayerPathLayout) -> None:
        self.chosen(layout, "boto3", requires=["urllib3"])
        for name in ("urllib3", "botocore", "pip"):
            install(layout.dir_python, name)
        assert self.packed(layout) == modules("boto3", "urllib3", "botocore")


class TestMove:
    def test_the_packages_replace_what_was_there(self, tmp_path: Path) -> None:
        """What is left of another release of a package is not in the layer."""
        python = installed(tmp_path / "python", "alpha/old.py", "alpha-1.dist-info/METADATA")
        move_to_dir_python(installed(tmp_path / "site-packages", "alpha/a.py", "beta"), python)
        assert files_in(python).keys() == {"alpha/a.py", "beta"}
        assert not (tmp_path / "site-packages").exists()

    def test_a_directory_that_is_not_there_yet(self, tmp_path: Path) -> None:
        python = tmp_path / "build/lambda/layer/artifacts/python"
        move_to_dir_python(installed(tmp_path / "site-packages", "alpha.py"), python)
        assert {path.name for path in python.parent.iterdir()} == {"python"}
        assert files_in(python).keys() == {"alpha.py"}

    def test_a_prefix_of_the_layer_itself(self, tmp_path: Path) -> None:
        site_packages = installed(tmp_path / "python/lib/python3.13/site-packages", "alpha.py", "lib/x.py")
        move_to_dir_python(site_packages, tmp_path / "python")
        assert files_in(tmp_path / "python").keys() == {"alpha.py", "lib/x.py"}

    def test_to_itself(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(installed(tmp_path / "python", "alpha.py"))
        for directory in (tmp_path / "python", tmp_path / "link"):
            move_to_dir_python(directory, tmp_path / "python")
        assert files_in(tmp_path / "python").keys() == {"alpha.py"}

    @pytest.mark.parametrize("name", ["nowhere", "file"])
    def test_from_what_is_no_directory(self, tmp_path: Path, name: str) -> None:
        installed(tmp_path, "file")
        with pytest.raises(FileNotFoundError, match=f"There is no directory {tmp_path / name} to move"):
            move_to_dir_python(tmp_path / name, tmp_path / "python")

    def test_into_itself(self, tmp_path: Path) -> None:
        installed(tmp_path / "a", "lib/alpha.py")
        with pytest.raises(ValueError, match="cannot be replaced by it"):
            move_to_dir_python(tmp_path / "a", tmp_path / "a/python")
        assert files_in(tmp_path).keys() == {"a/lib/alpha.py"}
