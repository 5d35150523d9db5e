"""The versions of a layer that are published, and the functions that use each. AWS is only read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from ..errors import LbdartError, MissingError
from ..publishing.limits import described_build_key
from ..publishing.records import SBOM_NAME

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

    from ..publishing.layouts import LayerS3Layout

#: GetLayerVersion is asked for each version; Lambda admits 15 requests a second.
_PARALLEL: Final = 4
_RECORD: Final = re.compile(r"(\d{6,})/([^/]+)")


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version of a layer.

    :param created: the time as Lambda tells it.
    :param size: the bytes of its zip; None when they may not be read.
    :param build_key: None when this library did not publish it.
    :param manifest: the URI of its manifest; None when it is not known.
    :param used_by: the versions of each function that use it; None when the functions were not listed.
    """

    number: int
    arn: str
    created: str
    size: int | None
    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]
    build_key: str | None
    manifest: str | None = None
    used_by: Mapping[str, Sequence[str]] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the version for a machine."""
        return asdict(self)

    @property
    def users(self) -> list[str]:
        """The functions as a table has them: ``orders``, or ``orders:3`` for a published version."""
        return [
            function if version == "$LATEST" else f"{function}:{version}"
            for function, versions in (self.used_by or {}).items()
            for version in versions
        ]


def layer_versions(
    client: LambdaClient,
    layer: str,
    *,
    records: tuple[S3Client, LayerS3Layout] | None = None,
    with_functions: bool = True,
) -> list[PublishedVersion]:
    """Return the versions of a layer, the newest first.

    :param layer: its name or ARN.
    :param records: where the manifests of the versions are.
    :param with_functions: whether to look for the functions of the account and Region that use them.
    :raises LbdartError: when there is no such layer, or AWS refuses.
    """
    from ..publishing.aws_errors import calling_aws

    with calling_aws(f"list the versions of layer {layer}"):
        pages = client.get_paginator("list_layer_versions").paginate(LayerName=layer)
        try:
            listed = [version for page in pages for version in page["LayerVersions"]]
        except client.exceptions.ResourceNotFoundException:
            listed = []
    if not listed:
        raise MissingError(
            f"There is no layer {layer} in {client.meta.region_name}.",
            "Check the name, or choose another account with --profile, or another Region with --region.",
        )
    numbers = [version["Version"] for version in listed]
    with (
        calling_aws(f"read the sizes of the versions of layer {layer}"),
        ThreadPoolExecutor(_PARALLEL) as pool,
    ):
        sizes = list(pool.map(lambda number: _size(client, layer, number), numbers))
    manifests = _manifests(*records) if records is not None else {}
    users = _users(client, layer) if with_functions else None
    found = [
        PublishedVersion(
            version["Version"],
            version["LayerVersionArn"],
            version["CreatedDate"],
            size,
            tuple(version.get("CompatibleRuntimes", ())),
            tuple(version.get("CompatibleArchitectures", ())),
            described_build_key(version.get("Description", "")),
            manifests.get(version["Version"]),
            users.get(version["LayerVersionArn"], {}) if users is not None else None,
        )
        for version, size in zip(listed, sizes, strict=True)
    ]
    return sorted(found, key=lambda version: -version.number)


def _size(client: LambdaClient, layer: str, number: int) -> int | None:
    """Return the bytes of a version's zip; None when they may not be read, or it was deleted meanwhile."""
    from botocore.exceptions import ClientError

    from ..publishing.aws_errors import is_denial

    try:
        return client.get_layer_version(LayerName=layer, VersionNumber=number)["Content"]["CodeSize"]
    except client.exceptions.ResourceNotFoundException:
        return None
    except ClientError as error:
        if is_denial(error.response):
            return None
        raise


def _users(client: LambdaClient, layer: str) -> dict[str, dict[str, list[str]]]:
    """Return for the ARN of each layer version the functions that use it, each with its versions.

    :raises LbdartError: when AWS refuses.
    """
    from botocore.exceptions import ClientError

    from ..publishing.aws_errors import calling_aws, is_denial

    users: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    with calling_aws(f"find the functions that use layer {layer}"):
        try:
            # ALL: also the published versions of functions, which keep the layers that they had.
            for page in client.get_paginator("list_functions").paginate(FunctionVersion="ALL"):
                for function in page["Functions"]:
                    for used in function.get("Layers", ()):
                        users[used["Arn"]][function["FunctionName"]].append(function["Version"])
        except ClientError as error:
            if not is_denial(error.response):
                raise
            raise LbdartError(
                f"AWS refused ListFunctions; it was called to find the functions that use layer {layer}.",
                "Allow lambda:ListFunctions, or pass --no-functions.",
            ) from error
    return {
        arn: {name: sorted(set(versions), key=_in_order) for name, versions in sorted(functions.items())}
        for arn, functions in users.items()
    }


def _in_order(version: str) -> int:
    return int(version) if version.isdecimal() else 0


def _manifests(s3_client: S3Client, layout: LayerS3Layout) -> dict[int, str]:
    """Return the URI of the manifest of each version.

    :raises LbdartError: when S3 refuses.
    """
    from ..publishing.aws_errors import calling_aws

    folder, found = layout.s3dir_layer, {}
    with calling_aws(f"list {folder}"):
        pages = s3_client.get_paginator("list_objects_v2").paginate(Bucket=folder.bucket, Prefix=folder.key)
        for page in pages:
            for stored in page.get("Contents", ()):
                match = _RECORD.fullmatch(stored["Key"].removeprefix(folder.key))
                if match is not None and match[2] != SBOM_NAME:
                    found[int(match[1])] = f"s3://{folder.bucket}/{stored['Key']}"
    return found
