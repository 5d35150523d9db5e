"""Function code that is an object in S3, at a key that changes with the code."""

from __future__ import annotations

import jsii
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct, IDependable


class ObjectCode(lambda_.Code):
    """The object at a literal key; a function that uses it waits for what puts it there."""

    def __init__(self, bucket_name: str, object_key: str, put_by: IDependable | None = None) -> None:
        super().__init__()
        self._bucket_name = bucket_name
        self._object_key = object_key
        self._put_by = put_by

    @jsii.member(jsii_name="bind")
    def bind(self, scope: Construct) -> lambda_.CodeConfig:
        """Name the object to ``scope``, the function."""
        if self._put_by is not None:
            scope.node.add_dependency(self._put_by)
        return lambda_.CodeConfig(
            s3_location=s3.Location(bucket_name=self._bucket_name, object_key=self._object_key)
        )
