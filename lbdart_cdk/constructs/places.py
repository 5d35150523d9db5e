"""Checks that a function can read the code of an artifact where it is: in which Region and account."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Annotations, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct

from .environments import Environment


@dataclass(frozen=True, slots=True)
class Place:
    """Where an artifact keeps its code.

    :param construct: the artifact.
    :param stack: its stack.
    :param is_own_bucket: whether it is the bucket that the library made, which only its account can read.
    """

    construct: IConstruct
    stack: Stack
    environment: Environment
    is_own_bucket: bool


def check_place(function: lambda_.CfnFunction, place: Place) -> None:
    """Add an error or a warning to a function that has code of another Region or account.

    Lambda reads code only from a bucket of the function's Region; the bucket may be another account's
    (CreateFunction, ``S3Bucket``).
    """
    if place.environment.is_unknown:
        return
    stack = Stack.of(function)
    if stack is place.stack:
        return
    here, there = Environment.of(stack), place.environment
    if not there.is_elsewhere(here):
        return
    path = place.construct.node.path
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
