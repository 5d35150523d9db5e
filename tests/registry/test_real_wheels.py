"""Real wheels, right and wrong for each runtime, from the index that pip is set up with on this machine.

Skipped, with the reason, where that index cannot be reached or lacks a wheel. What is asserted holds for what
the files of a wheel ask for, and not for its tags alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import pytest

from lbdart_cdk.core.native.check import CheckResult, check
from lbdart_cdk.core.native.found import NativeScan
from lbdart_cdk.core.native.scan import scan_entries
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.wheels.contents import wheel_entries

#: The same process downloads all wheels, so each is downloaded once.
pytestmark = pytest.mark.registry

#: The settings that tests run without, as they were when Python started.
_SETTINGS = {name: os.environ[name] for name in os.environ if name.startswith("PIP_") or name == "HOME"}
_PLACE = "wheels"


class Registry:
    """Wheels of the index, each downloaded once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cache  # noqa: B019  (one for the session)
    def wheel(self, requirement: str, python: str, *platforms: str) -> Path:
        """Return the wheel that pip takes for a Python and platforms; skip when there is none to be had."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        command += ["--python-version", python, "--dest", str(folder), requirement]
        for platform in platforms:
            command += ["--platform", platform]
        environment = {name: value for name, value in os.environ.items() if name != "PIP_CONFIG_FILE"}
        ended = subprocess.run(
            command, env=environment | _SETTINGS, capture_output=True, text=True, timeout=120, check=False
        )
        if ended.returncode:
            reason = (
                "the index of pip cannot be reached" if _unreachable(ended.stderr) else "it has no such wheel"
            )
            pytest.skip(f"{requirement} for {python} on {platforms[0]}: {reason}")
        (wheel,) = folder.glob("*.whl")
        return wheel


def _unreachable(said: str) -> bool:
    return any(sign in said for sign in ("Connection", "Max retries", "Temporary failure", "Timeout"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry(tmp_path_factory.mktemp(_PLACE))


def platforms_of(target: Target) -> list[str]:
    return [platform for platform in target.platforms() if platform.startswith("manylinux")]


def scanned(wheel: Path, scratch: Path) -> NativeScan:
    return scan_entries(wheel.name.split("-")[0], wheel_entries(wheel), scratch)


def checked(wheel: Path, target: Target, scratch: Path) -> CheckResult:
    return check([scanned(wheel, scratch)], target)


def retagged(wheel: Path, old: str, new: str) -> Path:
    """Return the wheel under a name, and with metadata, that say something else than its files."""
    name = "-".join([*wheel.name.split("-")[:2], new]) + ".whl"
    lying = wheel.with_name("lying") / name
    lying.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(lying, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            data = source.read(info)
            if info.filename.endswith(".dist-info/WHEEL"):
                lines = [line for line in data.splitlines() if line and not line.startswith(b"Tag:")]
                data = b"\n".join([*lines, f"Tag: {new}".encode(), b""])
            target.writestr(info, data)
    assert old in wheel.name
    return lying


RUNTIMES = [Target((3, 11)), Target((3, 12), "arm64"), Target((3, 13))]
#: Releases that have wheels for all of them: glibc 2.17, and compiled by C, C++ and Rust.
EVERYWHERE = (
    "numpy==2.2.6",
    "orjson==3.11.4",
    "cryptography==44.0.0",
    "psycopg2-binary==2.9.10",
    "pydantic-core==2.41.5",
)


@pytest.mark.parametrize("target", RUNTIMES, ids=str)
@pytest.mark.parametrize("requirement", EVERYWHERE)
def test_what_is_for_the_runtime_loads(
    registry: Registry, requirement: str, target: Target, tmp_path: Path
) -> None:
    wheel = registry.wheel(requirement, target.python_version, *platforms_of(target))
    found = scanned(wheel, tmp_path)
    assert found.files, "there is something to check"
    assert all(file.elf is not None for file in found.files)
    assert check([found], target) == CheckResult()


@pytest.mark.parametrize("requirement", ["pyarrow==22.0.0", "pandas==2.3.3"])
def test_the_large_ones_load(registry: Registry, requirement: str, tmp_path: Path) -> None:
    target = Target((3, 13))
    wheel = registry.wheel(requirement, target.python_version, *platforms_of(target))
    assert checked(wheel, target, tmp_path) == CheckResult()


@pytest.mark.parametrize("requirement", ["orjson==3.11.4", "cryptography==44.0.0", "psycopg2-binary==2.9.10"])
def test_a_wheel_for_musl_is_refused(registry: Registry, requirement: str, tmp_path: Path) -> None:
    wheel = registry.wheel(requirement, "3.13", "musllinux_1_2_x86_64", "musllinux_1_1_x86_64")
    found = checked(wheel, Target((3, 13)), tmp_path)
    text = " ".join(found.errors)
    assert "is linked with musl" in text or "modules that CPython 3.13 cannot import" in text


@pytest.mark.parametrize("requirement", EVERYWHERE)
def test_a_wheel_for_the_other_machine_is_refused(
    registry: Registry, requirement: str, tmp_path: Path
) -> None:
    wheel = registry.wheel(requirement, "3.13", *platforms_of(Target((3, 13), "arm64")))
    found = checked(wheel, Target((3, 13)), tmp_path)
    assert all("is built for aarch64, not for x86_64" in error for error in found.errors)
    assert found.errors


@pytest.mark.parametrize("requirement", ["numpy==2.2.6", "orjson==3.11.4", "pydantic-core==2.41.5"])
def test_a_wheel_for_another_python_is_refused(registry: Registry, requirement: str, tmp_path: Path) -> None:
    wheel = registry.wheel(requirement, "3.12", *platforms_of(Target((3, 12))))
    assert (
        "has modules that CPython 3.13 cannot import" in checked(wheel, Target((3, 13)), tmp_path).errors[0]
    )


def test_an_abi3_wheel_is_for_every_later_python(registry: Registry, tmp_path: Path) -> None:
    wheel = registry.wheel("cryptography==44.0.0", "3.11", *platforms_of(Target((3, 11))))
    assert checked(wheel, Target((3, 13)), tmp_path) == CheckResult()


def test_a_newer_glibc_is_refused_where_the_older_one_is(registry: Registry, tmp_path: Path) -> None:
    wheel = registry.wheel("cryptography==45.0.7", "3.13", "manylinux_2_34_x86_64")
    assert checked(wheel, Target((3, 13)), tmp_path) == CheckResult()
    (error,) = checked(wheel, Target((3, 11)), tmp_path).errors
    assert "needs GLIBC_2.3" in error
    assert "but python3.11 has GLIBC_2.26" in error


def test_a_glibc_newer_than_any_runtimes_is_refused(registry: Registry, tmp_path: Path) -> None:
    wheel = registry.wheel("shiboken6==6.9.0", "3.13", "manylinux_2_39_aarch64")
    (error,) = checked(wheel, Target((3, 13), "arm64"), tmp_path).errors
    assert "needs GLIBC_2.38 of libc.so.6, but python3.13 has GLIBC_2.34" in error


def test_a_wheel_that_lies_about_its_glibc_is_found_out(registry: Registry, tmp_path: Path) -> None:
    honest = registry.wheel("cryptography==45.0.7", "3.13", "manylinux_2_34_x86_64")
    lying = retagged(honest, "manylinux_2_34_x86_64", "cp39-abi3-manylinux_2_17_x86_64")
    (error,) = checked(lying, Target((3, 11)), tmp_path).errors
    assert error.startswith("cryptography 45.0.7 (tagged cp39-abi3-manylinux_2_17_x86_64) needs GLIBC_2.3")


def test_a_wheel_that_lies_about_its_machine_is_found_out(registry: Registry, tmp_path: Path) -> None:
    honest = registry.wheel("orjson==3.11.4", "3.13", *platforms_of(Target((3, 13), "arm64")))
    lying = retagged(honest, "aarch64", "cp313-cp313-manylinux_2_17_x86_64")
    assert "is built for aarch64, not for x86_64" in checked(lying, Target((3, 13)), tmp_path).errors[0]


def test_a_wheel_that_lies_about_its_python_is_found_out(registry: Registry, tmp_path: Path) -> None:
    honest = registry.wheel("orjson==3.11.4", "3.12", *platforms_of(Target((3, 12))))
    lying = retagged(honest, "cp312", "cp313-cp313-manylinux_2_17_x86_64")
    assert (
        "has modules that CPython 3.13 cannot import" in checked(lying, Target((3, 13)), tmp_path).errors[0]
    )


@pytest.mark.parametrize(
    ("requirement", "library"),
    [("opencv-python==4.11.0.86", "libGL.so.1"), ("lightgbm==4.6.0", "libgomp.so.1")],
)
def test_the_libraries_that_people_miss_in_lambda_are_told_before(
    registry: Registry, requirement: str, library: str, tmp_path: Path
) -> None:
    target = Target((3, 13))
    found = checked(registry.wheel(requirement, "3.13", *platforms_of(target)), target, tmp_path)
    assert found.errors == ()
    (warned,) = found.warnings
    assert f"needs {library}" in warned.text


@pytest.mark.parametrize("target", [Target((3, 9)), Target((3, 11))], ids=str)
def test_amazon_linux_2_in_lambda_has_no_expat(registry: Registry, target: Target, tmp_path: Path) -> None:
    wheel = registry.wheel("rasterio==1.3.11", target.python_version, *platforms_of(target))
    (warned,) = checked(wheel, target, tmp_path).warnings
    assert "needs libexpat.so.1" in warned.text


def test_stray_modules_for_other_interpreters_are_not_mentioned(registry: Registry, tmp_path: Path) -> None:
    """This wheel also has the modules for seven other interpreters, three of them with musl."""
    target = Target((3, 10), "arm64")
    wheel = registry.wheel("pandas==2.2.3", target.python_version, *platforms_of(target))
    assert checked(wheel, target, tmp_path) == CheckResult()


@pytest.mark.skipif(shutil.which("readelf") is None, reason="there is no readelf to compare with")
def test_what_is_read_is_what_readelf_reads(registry: Registry, tmp_path: Path) -> None:
    wheel = registry.wheel("psycopg2-binary==2.9.10", "3.13", *platforms_of(Target((3, 13))))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    for file in scanned(wheel, tmp_path).files:
        assert file.elf is not None
        command = ["readelf", "--dynamic", "--version-info", "--wide", str(tmp_path / "unpacked" / file.path)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        needed = [line.split("[")[1].rstrip("]") for line in said.splitlines() if "(NEEDED)" in line]
        assert list(file.elf.needed) == needed
        assert all(f"Name: {version} " in said for _, version in file.elf.versions)
