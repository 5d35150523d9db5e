"""How long packages take to import: the zip's own, on an interpreter that its wheels are for."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.reports.import_time import ImportTime, find_runner, import_times, modules_of
from lbdart_cdk.core.reports.inventory import Inventory
from lbdart_cdk.core.reports.zipped import zip_inventory
from tests.support.installed_zip import installed, zip_of

OTHER_CPU = "aarch64" if platform.machine() == "x86_64" else "x86_64"


def measured(inventory: Inventory, tmp_path: Path, limit: float = 20) -> dict[str, ImportTime]:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return import_times(inventory, sys.executable, folder, limit)


def test_each_package_is_imported_by_itself_with_what_it_imports(tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "a.zip",
        installed("alpha", files={"alpha.py": "import beta\nprint('hello')\n"}, place="python/"),
        installed("beta", files={"beta/__init__.py": "import time; time.sleep(0.2)\n"}, place="python/"),
    )
    times = measured(zip_inventory(path), tmp_path)
    assert {name: time.modules for name, time in times.items()} == {"alpha": ("alpha",), "beta": ("beta",)}
    assert all(0.2 <= (time.seconds or 0) < 15 for time in times.values())


def test_a_package_that_fails_says_why_and_the_others_are_measured(tmp_path: Path) -> None:
    path = zip_of(
        tmp_path / "a.zip",
        # pytest is installed here, but not in the zip.
        installed("alpha", files={"alpha.py": "import pytest\n"}),
        installed("beta", files={"beta.py": "import time; time.sleep(60)\n"}),
        installed("gamma", files={"gamma.py": "import os; os._exit(3)\n"}),
        installed("delta", files={"delta.txt": ""}),
        installed("sound", files={"sound.py": ""}),
    )
    times = measured(zip_inventory(path), tmp_path, limit=2)
    assert times["alpha"].failure == "ModuleNotFoundError: No module named 'pytest'"
    assert times["beta"].failure == "not imported within 2 s"
    assert times["gamma"].failure == "exit code 3"
    assert times["delta"] == ImportTime(())
    assert times["sound"].seconds is not None


def test_the_environment_of_this_machine_does_not_reach_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "x")
    code = "import os\nassert 'A_SECRET' not in os.environ\n"
    path = zip_of(tmp_path / "a.zip", installed("alpha", files={"alpha.py": code}))
    assert measured(zip_inventory(path), tmp_path)["alpha"].failure == ""


def test_the_modules_of_a_package_are_those_at_its_top() -> None:
    def modules(*files: str) -> tuple[str, ...]:
        from lbdart_cdk.core.archive.entry import stored
        from lbdart_cdk.core.reports.inventory import Package

        return modules_of(Package("x", files={name: stored(name, b"") for name in files}))

    assert modules("alpha/__init__.py", "alpha/deep/__init__.py", "tests/__init__.py") == ("alpha",)
    assert modules("google/cloud/storage/__init__.py", "google/cloud/_x/__init__.py") == (
        "google.cloud.storage",
    )
    assert modules("six.py", "_cffi.cpython-313-x86_64-linux-gnu.so") == ("six",)
    assert modules("_only.abi3.so") == ("_only",)
    assert modules("not-a-module/__init__.py", "data/x.json") == ()


def inventory_for(tmp_path: Path, *tags: str) -> Inventory:
    parts = [
        installed(f"alpha{at}", files={f"alpha{at}.py": ""}, tag=tag, place="python/")
        for at, tag in enumerate(tags)
    ]
    return zip_inventory(zip_of(tmp_path / "a.zip", *parts))


def test_what_is_compiled_for_another_cpu_is_not_imported(tmp_path: Path) -> None:
    inventory = inventory_for(tmp_path, "py3-none-any", f"cp313-cp313-manylinux_2_28_{OTHER_CPU}")
    with pytest.raises(LbdartError, match=f"compiled files for Linux on {OTHER_CPU}"):
        find_runner(inventory, None, tmp_path)


def test_without_the_python_that_it_is_for_nothing_is_imported(tmp_path: Path) -> None:
    inventory = inventory_for(tmp_path, f"cp399-cp399-manylinux_2_28_{platform.machine()}")
    with pytest.raises(LbdartError, match=r"there is no Python 3\.99"):
        find_runner(inventory, None, tmp_path)
    several = inventory_for(tmp_path, "cp312-cp312-any", "cp313-cp313-any")
    with pytest.raises(LbdartError, match=r"several Pythons, 3\.12 and 3\.13"):
        find_runner(several, None, tmp_path)


def test_a_zip_of_pure_python_is_imported_by_the_running_version(tmp_path: Path) -> None:
    inventory = inventory_for(tmp_path, "py3-none-any", "cp39-abi3-any")
    assert Path(find_runner(inventory, None, tmp_path)).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_a_link_is_not_followed_out_of_the_zip(tmp_path: Path) -> None:
    import zipfile

    path = zip_of(tmp_path / "a.zip", installed("alpha"))
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("out")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "..")
    inventory = zip_inventory(path)
    assert measured(inventory, tmp_path)["alpha"].seconds is not None
    assert not (tmp_path / "unpacked" / "out").exists()
