"""What loads on a target and what does not: the rules, one test each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.native.check import CODE_ROOT, CheckResult, check
from lbdart_cdk.core.native.found import NativeScan
from lbdart_cdk.core.native.scan import scan_entries
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.wheels.contents import wheel_entries
from tests.support.elf import AARCH64, I386, PPC64, make_elf
from tests.support.wheels import make_wheel

PYTHON_3_13 = Target((3, 13))
PYTHON_3_11 = Target((3, 11))
OWN = ".cpython-313-x86_64-linux-gnu.so"
TAG = "cp313-cp313-manylinux_2_34_x86_64"
MODULE = make_elf(module="_demo")


class Bench:
    """Makes wheels of compiled files, and has them checked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def scan(self, files: Mapping[str, bytes | str], name: str = "demo", tag: str = TAG) -> NativeScan:
        wheel = make_wheel(self.folder / name, name, tag=tag, files=files)
        return scan_entries(name, wheel_entries(wheel), self.folder)

    def check(
        self, files: Mapping[str, bytes | str], target: Target = PYTHON_3_13, *, tag: str = TAG
    ) -> CheckResult:
        return check([self.scan(files, tag=tag)], target)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def said(found: CheckResult) -> str:
    return " | ".join((*found.errors, *(f"{warning.id} {warning.text}" for warning in found.warnings)))


@pytest.mark.parametrize("name", [f"demo/_demo{OWN}", "demo/_demo.abi3.so", "demo/_demo.so"])
def test_what_fits_is_not_mentioned(bench: Bench, name: str) -> None:
    assert bench.check({name: MODULE}) == CheckResult()


def test_a_package_without_compiled_files_is_not_mentioned(bench: Bench) -> None:
    assert bench.check({"demo.py": "", "native.so": "no ELF file at all", "empty.so": b""}) == CheckResult()


def test_a_module_for_another_machine_is_an_error_that_says_all(bench: Bench) -> None:
    found = bench.check({"demo/_demo.abi3.so": make_elf(machine=AARCH64, module="_demo")})
    assert found.errors == (
        f"demo 1.0 (tagged {TAG}) is built for aarch64, not for x86_64 (demo/_demo.abi3.so)",
    )
    with pytest.raises(LbdartError) as caught:
        found.raise_errors(PYTHON_3_13)
    assert caught.value.problem == (
        f"This does not load on python3.13 on x86_64 (glibc 2.34): {found.errors[0]}."
    )


@pytest.mark.parametrize(
    ("content", "machine"),
    [
        (make_elf(machine=I386, bits=32, module="_demo"), "386 (32-bit)"),
        (make_elf(bits=32, module="_demo"), "x86_64 (32-bit)"),
        (make_elf(machine=PPC64, little=False, module="_demo"), "ppc64 (64-bit, big-endian)"),
    ],
)
def test_so_is_one_of_another_width_or_byte_order(bench: Bench, content: bytes, machine: str) -> None:
    found = bench.check({"demo/_demo.abi3.so": content})
    assert [f"is built for {machine}, not" in error for error in found.errors] == [True]


def test_libraries_of_a_wheel_for_another_machine_are_an_error_though_no_import_loads_them(
    bench: Bench,
) -> None:
    files = {"demo/lib/libdemo.so": make_elf(machine=AARCH64)}
    assert "is built for aarch64" in bench.check(files).errors[0]


def test_a_helper_for_another_machine_beside_the_right_one_is_a_warning(bench: Bench) -> None:
    """Debuggers, say, bring what they attach for every machine."""
    files = {f"demo/attach_{name}.so": make_elf(machine=machine) for name, machine in (("a", 62), ("b", 183))}
    found = bench.check(files, tag="py3-none-any")
    assert found.errors == ()
    assert [warning.id for warning in found.warnings] == ["lbdart_cdk:machine:demo"]
    assert "demo/attach_b.so" in found.warnings[0].text


def test_a_newer_glibc_is_an_error(bench: Bench) -> None:
    versions = {"libc.so.6": ["GLIBC_2.17", "GLIBC_2.38"], "libm.so.6": ["GLIBC_2.35"]}
    found = bench.check({"demo/_demo.abi3.so": make_elf(versions=versions, module="_demo")})
    assert found.errors == (
        f"demo 1.0 (tagged {TAG}) needs GLIBC_2.38 of libc.so.6, but python3.13 has GLIBC_2.34 "
        "(demo/_demo.abi3.so)",
    )


@pytest.mark.parametrize(
    ("target", "newest"), [(PYTHON_3_11, "GLIBC_2.26"), (PYTHON_3_13, "GLIBC_2.34")], ids=str
)
def test_the_newest_glibc_of_each_runtime_is_just_right(bench: Bench, target: Target, newest: str) -> None:
    assert bench.check(
        {"demo/_demo.abi3.so": make_elf(versions={"libc.so.6": [newest]}, module="_demo")}, target
    ) == CheckResult()  # fmt: skip


def test_glibc_versions_are_numbers_and_no_text(bench: Bench) -> None:
    files = {"demo/_demo.abi3.so": make_elf(versions={"libc.so.6": ["GLIBC_2.4"]}, module="_demo")}
    assert bench.check(files) == CheckResult()


def test_packed_relocations_need_a_glibc_of_their_own(bench: Bench) -> None:
    files = {"demo/_demo.abi3.so": make_elf(versions={"libc.so.6": ["GLIBC_ABI_DT_RELR"]}, module="_demo")}
    assert "needs GLIBC_ABI_DT_RELR of libc.so.6" in bench.check(files).errors[0]


def test_what_is_needed_weakly_is_not_needed(bench: Bench) -> None:
    files = {"demo/_demo.abi3.so": make_elf(weak={"libc.so.6": ["GLIBC_2.99"]}, module="_demo")}
    assert bench.check(files) == CheckResult()


def test_a_newer_glibc_in_a_library_that_a_module_links_with_is_an_error(bench: Bench) -> None:
    files = {
        "demo/_demo.abi3.so": make_elf(module="_demo", needed=["libdeep.so"], runpath="$ORIGIN/../demo.libs"),
        "demo.libs/libdeep.so": make_elf(needed=["libdeeper.so"], rpath="${ORIGIN}"),
        "demo.libs/libdeeper.so": make_elf(versions={"libc.so.6": ["GLIBC_2.40"]}),
    }
    assert "(demo.libs/libdeeper.so)" in bench.check(files).errors[0]


def test_a_newer_glibc_in_what_nothing_loads_for_sure_is_a_warning(bench: Bench) -> None:
    files = {"demo/_demo.abi3.so": MODULE, "demo/plugin": make_elf(versions={"libc.so.6": ["GLIBC_2.40"]})}
    found = bench.check(files)
    assert found.errors == ()
    assert [warning.id for warning in found.warnings] == ["lbdart_cdk:symbols:demo"]


NEW_CXX = make_elf(
    needed=["libstdc++.so.6"],
    versions={"libstdc++.so.6": ["GLIBCXX_3.4.32", "CXXABI_1.3.9"]},
    runpath="$ORIGIN/libs",
    module="_demo",
)


def test_a_newer_libstdcxx_is_an_error_where_the_runtime_has_an_older_one(bench: Bench) -> None:
    found = bench.check({"demo/_demo.abi3.so": NEW_CXX}, PYTHON_3_11)
    assert "needs GLIBCXX_3.4.32 of libstdc++.so.6, but python3.11 has GLIBCXX_3.4.24" in found.errors[0]
    assert bench.check({"demo/_demo.abi3.so": NEW_CXX}) == CheckResult()


def test_it_is_none_when_the_wheel_brings_its_own(bench: Bench) -> None:
    files = {"demo/_demo.abi3.so": NEW_CXX, "demo/libs/libstdc++.so.6": make_elf(soname="libstdc++.so.6")}
    assert bench.check(files, PYTHON_3_11) == CheckResult()


def test_a_library_that_nobody_brings_is_a_warning_that_names_it(bench: Bench) -> None:
    found = bench.check({"demo/_demo.abi3.so": make_elf(module="_demo", needed=["libGL.so.1", "libX.so"])})
    assert found.errors == ()
    (warned,) = found.warnings
    assert warned.id == "lbdart_cdk:library:demo"
    assert warned.text == (
        f"demo 1.0 (tagged {TAG}) may not work on python3.13 on x86_64 (glibc 2.34): it needs libGL.so.1, "
        "libX.so, which the artifact lacks and python3.13 probably lacks (demo/_demo.abi3.so). "
        "Another layer can bring a missing library in its folder lib."
    )


@pytest.mark.parametrize("target", [PYTHON_3_11, PYTHON_3_13], ids=str)
@pytest.mark.parametrize(
    ("library", "on_al2", "on_al2023"),
    [
        ("libexpat.so.1", False, False),
        ("libgthread-2.0.so.0", False, True),
        ("libsqlite3.so.0", False, True),
        ("libz.so.1", True, True),
        ("libssl.so.10", True, False),
        ("libssl.so.3", False, True),
    ],
)
def test_each_amazon_linux_has_its_own_libraries(
    bench: Bench, target: Target, library: str, on_al2: bool, on_al2023: bool
) -> None:
    files = {"demo/_demo.abi3.so": make_elf(module="_demo", needed=[library])}
    is_there = on_al2 if target == PYTHON_3_11 else on_al2023
    assert (bench.check(files, target) == CheckResult()) is is_there


def test_another_package_may_bring_the_library(bench: Bench) -> None:
    user = bench.scan({"user/_u.abi3.so": make_elf(needed=["libgomp.so.1"], runpath="$ORIGIN/../gomp")})
    bringer = bench.scan({"gomp/libgomp.so.1": make_elf(soname="libgomp.so.1")}, "gomp")
    assert check([user, bringer], PYTHON_3_13) == CheckResult()
    assert check([user], PYTHON_3_13).warnings


def test_a_library_for_another_machine_is_not_brought(bench: Bench) -> None:
    files = {
        "demo/_demo.abi3.so": make_elf(module="_demo", needed=["libone.so"], runpath="$ORIGIN"),
        "demo/libone.so": make_elf(machine=AARCH64),
    }
    assert "libone.so, which the artifact lacks" in said(bench.check(files))


def test_what_one_module_loads_another_finds_by_its_name(bench: Bench) -> None:
    """DT_RPATH is inherited, and a library that is loaded is not looked for."""
    files = {
        "demo/_demo.abi3.so": make_elf(module="_demo", needed=["libone.so"], rpath="$ORIGIN/../demo.libs"),
        "demo.libs/libone.so": make_elf(needed=["libtwo.so"]),
        "demo.libs/libtwo.so": make_elf(),
    }
    assert bench.check(files) == CheckResult()


def test_a_library_where_nobody_looks_is_a_warning(bench: Bench) -> None:
    files = {
        "demo/_demo.abi3.so": make_elf(module="_demo", needed=["libone.so"]),
        "demo/vendor/libone.so": make_elf(),
    }
    assert [warning.id for warning in bench.check(files).warnings] == ["lbdart_cdk:path:demo"]


def test_lambda_looks_into_lib_of_a_functions_own_code(bench: Bench) -> None:
    scanned = bench.scan(
        {"demo.so": make_elf(module="demo", needed=["libone.so"]), "lib/libone.so": make_elf()}
    )
    assert check([scanned], PYTHON_3_13, CODE_ROOT) == CheckResult()
    assert check([scanned], PYTHON_3_13).warnings


def test_musl_is_an_error(bench: Bench) -> None:
    elf = make_elf(module="_demo", needed=["libc.musl-x86_64.so.1"])
    found = bench.check({"demo/_demo.abi3.so": elf}, tag="cp313-abi3-musllinux_1_2_x86_64")
    assert "is linked with musl (libc.musl-x86_64.so.1), but python3.13 has glibc" in found.errors[0]


@pytest.mark.parametrize(("library", "loads"), [("3.13", True), ("3.12", False)])
def test_only_the_runtimes_own_libpython_is_there(bench: Bench, library: str, loads: bool) -> None:
    elf = make_elf(module="_demo", needed=[f"libpython{library}.so.1.0"])
    assert (bench.check({"demo/_demo.abi3.so": elf}) == CheckResult()) is loads


@pytest.mark.parametrize(
    "suffix",
    [
        ".cpython-312-x86_64-linux-gnu.so",
        ".cpython-313t-x86_64-linux-gnu.so",
        ".cpython-313-x86_64-linux-musl.so",
        ".cpython-313-darwin.so",
        ".cpython-313.so",
        ".pypy310-pp73-x86_64-linux-gnu.so",
    ],
)
def test_a_module_for_another_interpreter_alone_is_an_error(bench: Bench, suffix: str) -> None:
    found = bench.check({f"demo/_demo{suffix}": MODULE})
    assert found.errors == (
        f"demo 1.0 (tagged {TAG}) has modules that CPython 3.13 cannot import (demo/_demo{suffix})",
    )


@pytest.mark.parametrize("beside", [f"demo/_demo{OWN}", "demo/_demo.py", "demo/_demo/__init__.py"])
def test_it_is_none_beside_the_same_module_that_can_be_imported(bench: Bench, beside: str) -> None:
    files = {"demo/_demo.cpython-312-x86_64-linux-gnu.so": MODULE, beside: MODULE}
    assert bench.check(files) == CheckResult()


def test_a_runtime_that_is_not_known_yet_is_a_warning(bench: Bench) -> None:
    newer = Target((3, 99))
    (warned,) = bench.check({"demo/_demo.abi3.so": MODULE}, newer).warnings
    assert warned.id == "lbdart_cdk:runtime:python3.99"
    assert "takes it for a runtime like python3.15: with glibc 2.34" in warned.text
    assert bench.check({"demo.py": ""}, newer) == CheckResult()


OTHER = "demo/_demo.cpython-312-x86_64-linux-musl.so"
MUSL = make_elf(module="_demo", needed=["libone.so", "libc.musl-x86_64.so.1"], runpath="$ORIGIN/../libs")


@pytest.mark.parametrize(
    "other",
    [
        {OTHER: MUSL, "libs/libone.so": make_elf(needed=["libtwo.so", "libc.so"]), "libs/libtwo.so": NEW_CXX},
        {OTHER: make_elf(machine=AARCH64, module="_demo")},
        {OTHER: make_elf(versions={"libc.so.6": ["GLIBC_2.99"]}, module="_demo")},
        {OTHER: b"no ELF file at all"},
    ],
)
def test_what_only_other_interpreters_load_is_not_mentioned(
    bench: Bench, other: dict[str, bytes | str]
) -> None:
    files = {f"demo/_demo{OWN}": MODULE, **other}
    assert bench.check(files, tag="cp313-cp313-linux_x86_64") == CheckResult()


def test_a_library_that_this_interpreter_loads_too_is_mentioned(bench: Bench) -> None:
    own = make_elf(module="_demo", needed=["libone.so"], runpath="$ORIGIN/../libs")
    files = {f"demo/_demo{OWN}": own, OTHER: MUSL, "libs/libone.so": make_elf(needed=["libc.so"])}
    assert "is linked with musl (libc.so)" in bench.check(files).errors[0]


def test_a_library_with_dots_in_its_name_is_no_module(bench: Bench) -> None:
    assert bench.check({"demo/libdemo.1.2.so": make_elf(), "demo/lib.v3.so": make_elf()}) == CheckResult()


def test_a_damaged_module_is_a_warning(bench: Bench) -> None:
    found = bench.check({f"demo/_demo{OWN}": MODULE[:100]})
    assert [warning.id for warning in found.warnings] == ["lbdart_cdk:unreadable:demo"]
    assert "cannot be read as ELF files" in found.warnings[0].text


def test_a_module_of_another_system_under_a_name_of_this_one_is_a_warning(bench: Bench) -> None:
    found = bench.check({"demo/_demo.abi3.so": b"\xcf\xfa\xed\xfe of macOS"})
    assert "ELF files: it is not a loadable ELF file (demo/_demo.abi3.so)" in said(found)


def test_many_files_are_counted_and_not_listed(bench: Bench) -> None:
    files = {f"demo/_m{n}.abi3.so": make_elf(machine=AARCH64, module=f"_m{n}") for n in range(9)}
    assert (
        bench.check(files)
        .errors[0]
        .endswith("(demo/_m0.abi3.so, demo/_m1.abi3.so, demo/_m2.abi3.so and 6 more)")
    )


def test_all_packages_are_told_at_once(bench: Bench) -> None:
    files = {"{name}.abi3.so": make_elf(machine=AARCH64, module="{name}")}
    wrong = [bench.scan(files, name) for name in ("one", "two")]
    assert [error.split()[0] for error in check(wrong, PYTHON_3_13).errors] == ["one", "two"]
