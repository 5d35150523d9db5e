"""Files that patterns match are left out, and it is said how much that saves."""

from __future__ import annotations

import pytest

from lbdart_cdk.core.archive.entry import stored
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.packing.excluded import ExcludedFiles
from lbdart_cdk.core.packing.merge import Bundle
from lbdart_cdk.core.packing.slim import slim


def bundle(name: str, *paths: str) -> Bundle:
    return Bundle(name, tuple(stored(path, b"1234") for path in paths))


ALPHA = bundle("alpha", "alpha/__init__.py", "alpha/tests/test_a.py", "alpha/tests/data.csv")
BETA = bundle("beta", "beta/__init__.py", "beta/tests/test_b.py", "beta/x.pyi")


def test_what_patterns_match_is_left_out_of_every_package() -> None:
    slimmed = slim([ALPHA, BETA], ["tests/", "*.pyi"])
    assert [[entry.name for entry in each.entries] for each in slimmed.bundles] == [
        ["alpha/__init__.py"],
        ["beta/__init__.py"],
    ]
    assert slimmed.excluded == ExcludedFiles(count=4, size=16)
    assert slimmed.warnings == ()


def test_without_patterns_nothing_changes() -> None:
    assert slim([ALPHA], []).bundles == slim([ALPHA], ["", "# all"]).bundles == (ALPHA,)


def test_a_pattern_that_matches_nothing_is_a_warning() -> None:
    (warning,) = slim([ALPHA, BETA], ["tests/", "python/beta/"]).warnings
    assert warning.id == "lbdart_cdk:exclude-files:python/beta/"
    assert warning.text.startswith("The pattern 'python/beta/' in exclude_files= matches no file.")


def test_to_leave_out_everything_is_an_error() -> None:
    with pytest.raises(LbdartError, match=r"exclude_files= leaves out every file: \*"):
        slim([ALPHA, BETA], ["*"])


def test_a_package_may_have_no_file_left() -> None:
    assert [len(each.entries) for each in slim([ALPHA, BETA], ["/alpha/"]).bundles] == [0, 3]
