"""Downloads the zip of a published layer version."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import LbdartError, MissingError, explained

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

#: ``NAME:3``, with or without the account before it (``123456789012:layer:NAME:3``), or the whole ARN.
_VERSION: Final = re.compile(
    r"(?P<layer>(?:arn:[\w-]+:lambda:(?P<region>[a-z0-9-]+):)?(?:\d{12}:layer:)?[A-Za-z0-9_-]+):(?P<version>[1-9]\d*)"
)
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """A version of a layer in Lambda.

    :param layer: its name or ARN.
    :param region: the Region in its ARN; None when it has none.
    """

    layer: str
    version: int
    region: str | None = None

    @classmethod
    def named(cls, text: str) -> LayerVersion | None:
        """Return the version that a text names; None when it names none.

        >>> LayerVersion.named("Orders-Deps:3")
        LayerVersion(layer='Orders-Deps', version=3, region=None)
        """
        match = _VERSION.fullmatch(text)
        if match is None:
            return None
        return cls(match["layer"], int(match["version"]), match["region"])

    def __str__(self) -> str:
        """Return the text that names it."""
        return f"{self.layer}:{self.version}"


def download(version: LayerVersion, lambda_client: LambdaClient, folder: Path) -> Path:
    """Download the zip of a layer version.

    :param folder: the directory to put it in.
    :raises LbdartError: when there is no such version, or what comes is not what Lambda has.
    """
    from ..publishing.aws_errors import calling_aws

    with calling_aws(f"get the layer version {version}"):
        answer = _asked(version, lambda_client)
    content = answer["Content"]
    path = folder / f"{version.version}.zip"
    digest = hashlib.sha256()
    with path.open("wb") as file, _chunks(content["Location"], version) as chunks:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
    if base64.b64encode(digest.digest()).decode() != content["CodeSha256"]:
        raise LbdartError(
            f"The zip of the layer version {version} does not have the hash that Lambda has for it.",
            "Try again; a proxy on the way may change what it passes on.",
        )
    return path


def _asked(version: LayerVersion, lambda_client: LambdaClient) -> Any:
    from botocore.exceptions import ClientError

    from ..publishing.aws_errors import error_code

    try:
        return lambda_client.get_layer_version(LayerName=version.layer, VersionNumber=version.version)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise MissingError(
            f"There is no layer version {version} in {lambda_client.meta.region_name}.",
            "List the versions with `lbdart versions`, or choose another account with --profile, or another "
            "Region with --region.",
        ) from error


@contextmanager
def _chunks(url: str, version: LayerVersion) -> Iterator[Iterator[bytes]]:
    """Open the address of a zip, which holds a signature: no message may show it."""
    import requests

    from ..wheels.http import TIMEOUT, new_session

    with (
        explained(
            lambda error: LbdartError(
                f"The zip of the layer version {version} cannot be downloaded ({type(error).__name__}).",
                "Check the network and try again.",
            ),
            requests.RequestException,
        ),
        new_session() as session,
        session.get(url, stream=True, timeout=TIMEOUT) as response,
    ):
        response.raise_for_status()
        yield response.iter_content(_CHUNK)
