"""The line about an artifact reads well, and its numbers are those of Lambda's limits."""

from __future__ import annotations

import pytest

from lbdart_cdk.core.artifacts.summary import Part, Summary
from lbdart_cdk.core.packing.excluded import ExcludedFiles
from lbdart_cdk.core.project.target import MAX_UNZIPPED

MB = 1024 * 1024


def line(
    *parts: Part, zipped: int = 1, unzipped: int = 1, is_new: bool = True, seconds: float = 0.414
) -> str:
    return Summary(parts, zipped, unzipped).line("Shop/Deps", is_new=is_new, seconds=seconds)


def test_a_layer() -> None:
    assert line(
        Part(14, "package"), zipped=20 * MB, unzipped=72 * MB + MB // 2, is_new=False, seconds=0.02
    ) == ("Shop/Deps: 14 packages, 20.0 MB zipped, 72.5 MB unzipped (29% of 250 MB), unchanged, 20 ms")


def test_the_code_of_a_function() -> None:
    assert line(Part(12, "file"), zipped=90_000, unzipped=300_000) == (
        "Shop/Deps: 12 files, 88 kB zipped, 293 kB unzipped, built in 414 ms"
    )


def test_both_in_one_zip() -> None:
    parts = Part(1, "package", ["boto3"]), Part(1_234, "file", [".env", "build/"])
    assert line(*parts).startswith(
        "Shop/Deps: 1 package (without boto3), 1,234 files (without .env, build/), 1 kB zipped, "
    )


def test_files_that_are_left_out() -> None:
    summary = Summary([Part(2, "package")], 1, 1, ExcludedFiles(count=1_914, size=26 * MB))
    assert summary.line("Shop/Deps", is_new=True, seconds=0.2) == (
        "Shop/Deps: 2 packages, 1 kB zipped, 1 kB unzipped, "
        "exclude_files saved 26.0 MB (1,914 files), built in 200 ms"
    )


def test_a_long_list_of_names_is_shortened() -> None:
    assert "(without a, b, c, d)," in line(Part(1, "file", [*"abcd"]))
    assert "(without a, b, c, d and 2 more)," in line(Part(1, "file", [*"abcdef"]))


@pytest.mark.parametrize(
    ("unzipped", "shown"),
    [
        (0, "0 kB unzipped,"),
        (1, "1 kB unzipped,"),
        (MB, "1.0 MB unzipped,"),
        (2 * MB, "2.0 MB unzipped (1% of 250 MB),"),
        (MAX_UNZIPPED, "250.0 MB unzipped (100% of 250 MB),"),
    ],
)
def test_a_share_is_shown_where_there_is_one(unzipped: int, shown: str) -> None:
    assert shown in line(unzipped=unzipped)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0041, "4 ms"), (0.95, "950 ms"), (1.0, "1.0 s"), (93.14, "93.1 s")]
)
def test_short_times_are_in_milliseconds(seconds: float, shown: str) -> None:
    assert line(seconds=seconds).endswith(f" built in {shown}")
