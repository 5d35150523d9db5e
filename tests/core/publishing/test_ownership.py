from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lbdart_cdk.core.publishing.ownership import SHARED, find_owned, joint_owner, owner_metadata
from lbdart_cdk.core.publishing.s3 import S3Path, head_object, write_object

if TYPE_CHECKING:
    from tests.core.conftest import FakeAws

PATH = S3Path("artifacts", "deps/file")


@pytest.mark.parametrize(
    ("noted", "owner", "expected"),
    [
        ("one", "one", "one"),
        ("one", "two", SHARED),
        ("one", "", SHARED),
        (SHARED, "one", SHARED),
        ("", "one", SHARED),
        ("", "", ""),
    ],
)
def test_what_a_second_owner_needs_belongs_to_nobody_alone(
    aws: FakeAws, noted: str, owner: str, expected: str
) -> None:
    write_object(aws.s3, PATH, b"x", owner_metadata(noted))
    assert joint_owner(head_object(aws.s3, PATH), owner) == expected


def test_what_is_not_there_belongs_to_who_brings_it() -> None:
    assert joint_owner(None, "one") == "one"


@pytest.mark.parametrize("owner", ["", SHARED, "two"])
def test_only_what_one_owner_brought_is_found_as_its_own(aws: FakeAws, owner: str) -> None:
    for name in ("one", "two", SHARED, ""):
        write_object(aws.s3, S3Path("artifacts", f"deps/{name}.txt"), b"x", owner_metadata(name))
    found = find_owned(aws.s3, S3Path("artifacts", "deps/"), owner)
    assert [path.key for path in found] == (["deps/two.txt"] if owner == "two" else [])
