"""Checks that functions can read the code of source artifacts where it is: in which Region and account."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aws_cdk import Annotations, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct

from .environments import Environment


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """Where a source artifact of this app keeps its code.

    :param stack: the artifact's stack.
    :param bucket: the name of the bucket as functions have it, a token that no other artifact has.
    :param is_own_bucket: whether it is the bucket that the library made, which only its account can read.
    """

    construct: IConstruct
    stack: Stack
    environment: Environment
    bucket: str
    is_own_bucket: bool


def check_places(
    stack: Stack, functions: Sequence[lambda_.CfnFunction], places: Sequence[KnownPlace]
) -> None:
    """Add errors to the functions of a stack that have code of another Region or account.

    Lambda reads code only from a bucket of the function's Region; the bucket may be another account's
    (CreateFunction, ``S3Bucket``).
    """
    here = Environment.of(stack)
    if not any(place.environment.is_elsewhere(here) for place in places):
        return
    # An attribute that resolves to a name of this stack belongs to an artifact of this stack: it comes last.
    known = sorted(places, key=lambda place: place.stack is stack)
    buckets = [{"of": _bucket_of(function)} for function in functions]
    resolved = stack.resolve({"places": [place.bucket for place in known], "used": buckets})
    by_bucket = {
        json.dumps(bucket, sort_keys=True): place
        for bucket, place in zip(resolved["places"], known, strict=True)
    }
    for function, used in zip(functions, resolved.get("used", ()), strict=True):
        place = by_bucket.get(json.dumps(used.get("of"), sort_keys=True))
        if place is not None and place.environment.is_elsewhere(here):
            _report(function, here, place)


def _bucket_of(function: lambda_.CfnFunction) -> Any:
    code: Any = function.code
    return code.get("s3Bucket") if isinstance(code, Mapping) else getattr(code, "s3_bucket", None)


def _report(function: lambda_.CfnFunction, here: Environment, place: KnownPlace) -> None:
    path, there = place.construct.node.path, place.environment
    if there.has_other_region(here):
        Annotations.of(function).add_error(
            f"This function is in {here.region}, but the code of {path} is in {there.region}, and "
            "Lambda reads code only from a bucket of the function's own Region. "
            f"Create a LambdaSourceArtifact in a stack in {here.region}."
        )
    elif place.is_own_bucket:
        Annotations.of(function).add_error(
            f"This function is in the account {here.account}, but the code of {path} is in a bucket that "
            f"only {there.account} can read. "
            f"Create a LambdaSourceArtifact in a stack of {here.account}."
        )
    else:
        Annotations.of(function).add_warning_v2(
            f"lbdart_cdk:account:{path}",
            f"This function is in the account {here.account}, but the code of {path} is in a bucket of "
            f"{there.account}. Let {here.account} read it in the policy of the bucket and of its "
            f"key, or create a LambdaSourceArtifact in a stack of {here.account}.",
        )
