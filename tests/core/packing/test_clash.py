"""Packages that bring the same path: an error, unless it does no harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.archive.entry import stored
from lbdart_cdk.core.errors import BuildWarning, LbdartError
from lbdart_cdk.core.packing.clash import Clash, declares_namespace, settle

PKGUTIL = b'__path__ = __import__("pkgutil").extend_path(__path__, __name__)\n'
PKG_RESOURCES = b'__import__("pkg_resources").declare_namespace(__name__)\n'
EITHER = b"""
'''A namespace.'''
try:
    import pkg_resources
    pkg_resources.declare_namespace(__name__)
except ImportError:
    import pkgutil
    __path__ = pkgutil.extend_path(__path__, __name__)
"""
IMPORTED = b"from pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)  # type: ignore\n"
NAMESPACES = [b"", b"# Copyright\n", PKGUTIL, PKG_RESOURCES, EITHER, IMPORTED]


def clash(path: str, one: bytes = b"1", other: bytes = b"2", *, later: str = "beta") -> Clash:
    return Clash(path, "alpha", stored(path, one), later, stored(path, other))


@pytest.mark.parametrize(
    "path", ["shared.py", "shared.pyc", "cv2/cv2.abi3.so", "lib/libx.so.1", "a/tests/b.py", "tests.py"]
)
def test_a_module_of_two_packages_is_an_error_that_names_both(path: str) -> None:
    with pytest.raises(LbdartError) as error:
        settle([clash(path)])
    assert error.value.problem == f"alpha and beta both bring {path}, with different contents."
    assert "exclude=" in error.value.remedy
    assert 'prefer=["alpha"] or prefer=["beta"]' in error.value.remedy


def test_the_error_shows_a_few_of_the_modules() -> None:
    with pytest.raises(LbdartError, match=r"both bring cv2/0\.py, cv2/1\.py, cv2/2\.py and 5 more, with"):
        settle(
            [clash("LICENSE"), *(clash(f"cv2/{number}.py") for number in range(8)), clash("x.py", later="c")]
        )


@pytest.mark.parametrize(
    "path", ["LICENSE", "README.md", "tests/conftest.py", "docs/conf.py", "share/a.json"]
)
def test_of_what_nobody_imports_the_later_one_is_used(path: str) -> None:
    assert settle([clash(path)]) == (
        BuildWarning(
            "lbdart_cdk:clash:alpha:beta",
            f"alpha and beta both bring {path}; the zip takes it from beta.",
            is_info=True,
        ),
    )


def test_it_is_said_once_for_two_packages() -> None:
    [said] = settle([clash(f"tests/{number}.py") for number in range(5)])
    assert said.line == (
        "alpha and beta both bring tests/0.py, tests/1.py, tests/2.py and 2 more; "
        "the zip takes them from beta."
    )


@pytest.mark.parametrize("other", NAMESPACES)
def test_declarations_of_a_namespace_are_not_worth_a_word(other: bytes) -> None:
    assert not settle([clash("google/__init__.py", PKGUTIL, other)])


@pytest.mark.parametrize(
    "source",
    [
        b"x = 1\n", b"import os\n", PKGUTIL + b"from .client import Client\n",
        b"__path__ = []\n", b"def f(): ...\n",
        b"(" * 4000, b"\0", b"\xff\xfe", b"# coding: nothing\n",
        b"if True:\n    import os\n", b"from . import x\n",
        b"try:\n    import os\nexcept ImportError:\n    pass\n", b"x" + b".y" * 2000,
    ],
)  # fmt: skip
def test_what_does_more_than_declare_is_code(source: bytes) -> None:
    assert not declares_namespace(source)
    with pytest.raises(LbdartError):
        settle([clash("google/__init__.py", PKGUTIL, source)])


@given(st.binary(max_size=200))
def test_any_source_is_judged(source: bytes) -> None:
    declares_namespace(source)
