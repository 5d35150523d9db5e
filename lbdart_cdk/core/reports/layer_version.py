"""Downloads the zip of a published layer version."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..errors import LbdartError, MissingError, explained
from .naming import Named

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_CHUNK: Final = 1 << 20


def download(version: Named, lambda_client: LambdaClient, folder: Path) -> Path:
    """Download the zip of a layer version.

    :param version: one with a number.
    :param folder: the directory to put it in.
    :raises LbdartError: when there is no such version, or what comes is not what Lambda has.
    """
    from ..publishing.aws_errors import calling_aws

    with calling_aws(f"get the layer version {version}"):
        answer = _asked(version, lambda_client)
    content = answer["Content"]
    path = folder / f"{version.number}.zip"
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


def _asked(version: Named, lambda_client: LambdaClient) -> Any:
    from botocore.exceptions import ClientError

    from ..publishing.aws_errors import error_code

    assert version.number is not None, "the text names a version"
    try:
        return lambda_client.get_layer_version(LayerName=version.layer, VersionNumber=version.number)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        raise MissingError(
            f"There is no layer version {version} in {lambda_client.meta.region_name}.",
            "List the versions with `lbdart versions`, or choose another account with --profile, or another "
            "Region with --region.",
        ) from error


@contextmanager
def _chunks(url: str, version: Named) -> Iterator[Iterator[bytes]]:
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
