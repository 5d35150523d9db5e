"""The AWS clients of the handler, which are kept from one event to the next."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import boto3
from botocore.config import Config

from lbdart_cdk.core.publishing.claim import FRESH_SECONDS
from lbdart_cdk.core.publishing.encryption import DefaultEncryption

from .denied import Patience

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

__all__ = ["LEASE_SECONDS", "Clients"]

#: The seconds of one event in which calls that AWS denies are repeated, all in all.
_DENIED_SECONDS: Final = 60

_CONNECT_SECONDS: Final = 5
_S3_SECONDS: Final = 60
#: Lambda may take more than a minute to publish a large layer, and a request that is given up may still
#: take effect.
_LAMBDA_SECONDS: Final = 120

#: A claim (:mod:`lbdart_cdk.core.publishing.claim`) outlives its longest request: sent some seconds after the
#: claim, denied up to the last moment, then slow.
LEASE_SECONDS: Final = FRESH_SECONDS + _DENIED_SECONDS + _CONNECT_SECONDS + _LAMBDA_SECONDS + 10


@dataclass(frozen=True)
class Clients:
    """The AWS clients that the resources need."""

    s3: S3Client
    lambda_: LambdaClient
    patience: Patience
    encryption: DefaultEncryption

    @classmethod
    def create(cls) -> Self:
        """Return new clients.

        Standard mode waits up to 20 seconds between attempts (boto3 guide, "Retries"). Deployments are rare,
        and waiting until AWS stops throttling is better than a rollback.
        """
        patience = Patience(float(os.environ.get("LBDART_DENIED_SECONDS", _DENIED_SECONDS)))
        s3 = boto3.client("s3", config=_config(_S3_SECONDS))
        lambda_ = boto3.client("lambda", config=_config(_LAMBDA_SECONDS))
        for client in (s3, lambda_):
            patience.watch(client)
        return cls(s3, lambda_, patience, DefaultEncryption(s3, only_if_denied=True))

    def begin(self) -> Self:
        """Begin with another event."""
        self.patience.begin()
        self.encryption.begin()
        return self


def _config(read_timeout: int) -> Config:
    return Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": 8},
    )
