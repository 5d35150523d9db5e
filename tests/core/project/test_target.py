"""The target decides, never the host."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.project.target import SUPPORTED_PYTHONS, Target, oldest_admitted

targets = st.builds(
    Target, python=st.sampled_from(SUPPORTED_PYTHONS), architecture=st.sampled_from(["x86_64", "arm64"])
)


def loads(target: Target, tag: str) -> bool:
    return not set(target.tags()).isdisjoint(parse_wheel_filename(f"alpha-1.0-{tag}.whl")[-1])


@pytest.mark.parametrize(
    ("python", "glibc"),
    [((3, 9), 26), ((3, 10), 26), ((3, 11), 26), ((3, 12), 34), ((3, 13), 34), ((3, 14), 34), ((3, 15), 34)],
)
def test_each_runtime_has_the_glibc_of_its_amazon_linux(python: tuple[int, int], glibc: int) -> None:
    assert Target(python).glibc == (2, glibc)


@given(targets, st.integers(0, 60))
def test_every_manylinux_up_to_the_glibc_loads_and_none_above(target: Target, minor: int) -> None:
    oldest = {"x86_64": 5, "aarch64": 17}[target.machine]
    python = f"cp{target.python[0]}{target.python[1]}"
    assert loads(target, f"{python}-{python}-manylinux_2_{minor}_{target.machine}") == (
        oldest <= minor <= target.glibc[1]
    )


@pytest.mark.parametrize("alias", ["manylinux1", "manylinux2010", "manylinux2014"])
def test_the_old_manylinux_names_load_where_a_machine_of_theirs_is(alias: str) -> None:
    assert loads(Target((3, 11)), f"cp311-cp311-{alias}_x86_64")
    assert loads(Target((3, 11), "arm64"), f"cp311-cp311-{alias}_aarch64") == (alias == "manylinux2014")


@pytest.mark.parametrize(
    ("tag", "load"),
    [
        ("py3-none-any", True),
        ("py2.py3-none-any", True),
        ("cp313-none-any", True),
        ("cp313-cp313-manylinux_2_34_x86_64", True),
        ("cp39-abi3-manylinux_2_17_x86_64", True),
        ("cp313-cp313-manylinux_2_28_x86_64.manylinux_2_39_x86_64", True),
        ("cp314-abi3-manylinux_2_17_x86_64", False),
        ("cp312-cp312-manylinux_2_17_x86_64", False),
        ("cp313-cp313t-manylinux_2_17_x86_64", False),
        ("cp313-cp313-manylinux_2_17_aarch64", False),
        ("cp313-cp313-musllinux_1_2_x86_64", False),
        ("cp313-cp313-macosx_11_0_arm64", False),
        ("cp313-cp313-win_amd64", False),
        ("pp310-pypy310_pp73-manylinux_2_17_x86_64", False),
        ("py2-none-any", False),
    ],
)
def test_what_loads_on_python_3_13_on_x86_64(tag: str, load: bool) -> None:
    assert loads(Target((3, 13)), tag) is load


@given(targets)
def test_a_wheel_for_the_runtime_is_preferred_to_a_wheel_for_anything(target: Target) -> None:
    order = [str(tag) for tag in target.tags()]
    python = f"cp{target.python[0]}{target.python[1]}"
    best = f"{python}-{python}-manylinux_2_{target.glibc[1]}_{target.machine}"
    assert order[0] == best
    assert order.index(best) < order.index("py3-none-any")
    assert len(order) == len(set(order))


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("sys_platform == 'linux' and os_name == 'posix'", True),
        ("sys_platform == 'win32' or sys_platform == 'darwin'", False),
        ("platform_machine == 'aarch64'", True),
        ("platform_machine == 'arm64'", False),
        ("python_version >= '3.12'", True),
        ("python_version < '3.12'", False),
        ("python_full_version < '3.12.4'", False),
        ("implementation_name == 'cpython' and platform_python_implementation == 'CPython'", True),
        ("implementation_name == 'pypy'", False),
        ("platform_system == 'Linux'", True),
    ],
)
def test_markers_see_the_runtime(marker: str, holds: bool) -> None:
    environment = dict[str, str](**Target((3, 12), "arm64").environment())
    assert Marker(marker).evaluate(environment) is holds


@given(targets)
def test_the_markers_environment_is_complete_so_that_nothing_is_asked_of_the_host(target: Target) -> None:
    environment = target.environment()
    assert environment["python_version"] == target.python_version
    assert environment["platform_machine"] == target.machine
    assert None not in environment.values()
    assert len(environment) == 11  # PEP 508 names eleven beside "extra"


@given(targets)
def test_a_runtimes_name_is_read_and_written(target: Target) -> None:
    assert Target.from_runtime(target.runtime, target.architecture) == target
    assert target.runtime in str(target)


def test_a_target_is_a_value() -> None:
    assert Target((3, 13)) == Target((3, 13), "x86_64")
    with pytest.raises(dataclasses.FrozenInstanceError):
        Target((3, 13)).python = (3, 12)  # type: ignore[misc]


@pytest.mark.parametrize("runtime", ["nodejs22.x", "python3", "python3.13 ", "3.13", "provided.al2023", ""])
def test_other_runtimes_are_refused(runtime: str) -> None:
    with pytest.raises(LbdartError, match=r"not a Python runtime of Lambda\.\nChoose one of python3\.9,"):
        Target.from_runtime(runtime)


@pytest.mark.parametrize("runtime", ["python3.8", "python2.7", "python4.0"])
def test_pythons_that_lambda_lacks_are_refused(runtime: str) -> None:
    with pytest.raises(LbdartError, match=rf"no runtime {runtime} .*\nChoose one of python3\.9,"):
        Target.from_runtime(runtime)


def test_a_newer_python_than_is_known_has_the_newest_glibc() -> None:
    target = Target.from_runtime("python3.99", "arm64")
    assert not target.is_known
    assert target.glibc == Target(SUPPORTED_PYTHONS[-1]).glibc
    assert loads(target, "cp399-cp399-manylinux_2_28_aarch64")
    assert all(Target(python).is_known for python in SUPPORTED_PYTHONS)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(LbdartError, match=r"no architecture 'aarch64'\.\nChoose x86_64 or arm64\."):
        Target((3, 13), "aarch64")


@pytest.mark.parametrize(
    ("specifier", "oldest"),
    [
        (">=3.11", (3, 11)),
        (">=3.12.4", (3, 12)),
        ("==3.13.*", (3, 13)),
        ("~=3.10", (3, 10)),
        (">=3.8,<3.10", (3, 9)),
        ("", (3, 9)),
        ("<3.9", None),
        (">=3.99", None),
    ],
)
def test_the_oldest_python_that_a_project_admits(specifier: str, oldest: tuple[int, int] | None) -> None:
    assert oldest_admitted(SpecifierSet(specifier)) == oldest
