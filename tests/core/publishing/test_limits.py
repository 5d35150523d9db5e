from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.publishing import limits

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "0123456789abcdef" * 4


@pytest.mark.parametrize("description", ["", "Our dependencies", "x" * limits.MAX_DESCRIPTION])
def test_a_description_carries_the_build_key_and_fits(description: str) -> None:
    described = limits.describe(description, KEY)
    assert described.startswith(description)
    assert limits.described_build_key(described) == KEY
    assert len(described) <= 256


@pytest.mark.parametrize(
    "description", ["", "by hand", f"[lbdart:{KEY}] more", f"[lbdart:{KEY}]\n", "[lbdart:1]"]
)
def test_other_descriptions_carry_none(description: str) -> None:
    assert limits.described_build_key(description) is None


@pytest.mark.parametrize(
    ("validate", "good", "bad"),
    [
        (
            limits.validate_layer_name,
            ["a", "A-b_9", "x" * 140],
            ["", "a b", "a.b", "a/b", "ä", "a\n", "x" * 141],
        ),
        (limits.validate_build_key, [KEY], ["", KEY[1:], KEY.upper(), KEY + "\n"]),
        (limits.validate_description, ["", "x" * 182], ["x" * 183, f"x [lbdart:{KEY}]"]),
        (limits.validate_license, ["", "MIT", "x" * 512], ["x" * 513]),
        (limits.validate_runtimes, [[], ["python3.13"] * 15], [["python3.13"] * 16]),
        (limits.validate_architectures, [["x86_64", "arm64"]], [["x86_64"] * 3]),
    ],
)
def test_what_lambda_refuses_is_refused_before(
    validate: Callable[[object], None], good: list[object], bad: list[object]
) -> None:
    for value in good:
        validate(value)
    for value in bad:
        with pytest.raises(LbdartError):
            validate(value)
