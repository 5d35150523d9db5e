"""How a layer and a version of it are named: by name, with the account, or by ARN."""

from __future__ import annotations

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.reports.naming import Named

ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:deps"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("deps", Named("deps")),
        ("deps:3", Named("deps", 3)),
        (ARN, Named(ARN)),
        (f"{ARN}:3", Named(ARN, 3)),
    ],
)
def test_a_layer_is_named_by_its_name_or_arn(text: str, named: Named) -> None:
    found = Named.parse(text)
    assert found == named
    assert found.name == "deps"
    assert found.region == ("eu-west-1" if text.startswith("arn") else None)


@pytest.mark.parametrize("text", ["", "deps:", "deps:x", "s3://bucket/deps", "deps:0"])
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(LbdartError, match="is not the name of a layer"):
        Named.parse(text)


@pytest.mark.parametrize(
    ("text", "version", "region"),
    [
        ("Orders-Deps:3", Named("Orders-Deps", 3), None),
        ("123456789012:layer:Orders-Deps:3", Named("123456789012:layer:Orders-Deps", 3), None),
        (f"{ARN}:12", Named(ARN, 12), "eu-west-1"),
        (
            "arn:aws-cn:lambda:cn-north-1:123456789012:layer:X:1",
            Named("arn:aws-cn:lambda:cn-north-1:123456789012:layer:X", 1),
            "cn-north-1",
        ),
    ],
)
def test_a_version_is_named_as_aws_names_it(text: str, version: Named, region: str | None) -> None:
    found = Named.version(text)
    assert found == version
    assert (str(found), version.region) == (text, region)


@pytest.mark.parametrize("text", ["Orders-Deps", "Orders-Deps:0", "Orders-Deps:x", ARN, "s3://bucket:3"])
def test_what_names_no_version_is_something_else(text: str) -> None:
    assert Named.version(text) is None
