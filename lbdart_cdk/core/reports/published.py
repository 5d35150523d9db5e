"""The inputs of a layer version that is published: those that this machine noted, or those in its SBOM."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..artifacts.inputs import BuildInputs, inputs_noted
from ..artifacts.sbom import inputs_in
from ..errors import LbdartError, MissingError
from ..store.store import Store
from .aws import client_of, session_of
from .changes import GROUPS, PACKAGES, TARGET
from .naming import Named
from .why import Known

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

    from ..publishing.versions import LayerVersion


def published_build(
    text: str,
    store: Store,
    *,
    bucket: str | None = None,
    prefix: str | None = None,
    region: str | None = None,
    profile: str | None = None,
) -> Known:
    """Return the build that a published version has.

    Its inputs are those that this machine noted when it made the build. Of a build from elsewhere, they are
    in the SBOM beside the version's manifest.

    :param text: names the layer, or a version of it.
    :param bucket: the bucket of its records; None: they are not read.
    :param prefix: the prefix of its records. Default: the name of the layer.
    :raises LbdartError: when there is no such version, it was not published by this library, or AWS refuses.
    """
    named = Named.parse(text)
    session = session_of(named.region or region, profile)
    version = _version(named, client_of(session, "lambda"))
    what = f"version {version.number} of {named.name}"
    if version.build_key is None:
        raise LbdartError(
            f"The description of {what} has no build key: it was not published by lbdart_cdk.",
            "Name a version that was; `lbdart versions` shows which have a build key.",
        )
    noted = inputs_noted(store, version.build_key)
    if noted is not None:
        return Known(what, version.build_key, noted)
    if bucket is None:
        return Known(f"{what} (--bucket reads its inputs)", version.build_key, None)
    inputs = _inputs(client_of(session, "s3"), version, bucket, prefix or named.name)
    is_recorded = bool(inputs.values)
    target = {} if is_recorded else _target(version)
    groups = GROUPS if is_recorded else (PACKAGES, *([TARGET] if target else []))
    return Known(what, version.build_key, (replace(inputs, values={**inputs.values, **target}),), groups)


def _version(named: Named, client: LambdaClient) -> LayerVersion:
    from ..publishing.versions import LambdaLayer

    versions = LambdaLayer(client, named.layer).versions()
    number = named.number or max(versions, default=None)
    if number is None or number not in versions:
        missing = f"version {number} of the layer {named.name}" if versions else f"layer {named.name}"
        raise MissingError(
            f"There is no {missing} in {client.meta.region_name}.",
            "List the versions with `lbdart versions`, or choose another account with --profile, or another "
            "Region with --region.",
        )
    return versions[number]


def _target(version: LayerVersion) -> dict[str, str]:
    """Return the target of a version, as far as Lambda knows it."""
    target = {}
    runtimes, architectures = version.compatible_with.runtimes, version.compatible_with.architectures
    if len(runtimes) == len(architectures) == 1:
        target = {
            "python": min(runtimes).removeprefix("python"),
            "architecture": min(architectures),
        }
    return target


def _inputs(s3_client: S3Client, version: LayerVersion, bucket: str, prefix: str) -> BuildInputs:
    """Return the inputs in the SBOM of a version.

    :raises LbdartError: when there is none, it is another version's, or S3 refuses.
    """
    from ..publishing.aws_errors import calling_aws
    from ..publishing.layouts import LayerS3Layout, S3MetadataKeyEnum
    from ..publishing.s3 import S3Path, head_object, read_object

    path = LayerS3Layout(S3Path(bucket, prefix)).get_s3path_layer_sbom(version.number)
    with calling_aws(f"read {path}"):
        stored = head_object(s3_client, path)
        content = read_object(s3_client, path)
    if stored is None or content is None:
        raise MissingError(
            f"There is no {path}.",
            "Pass the layer's bucket as --bucket and its prefix as --prefix; a layer that was packed from a "
            "folder has no SBOM.",
        )
    if stored.metadata.get(S3MetadataKeyEnum.build_key, version.build_key) != version.build_key:
        raise LbdartError(
            f"{path} is of another build than version {version.number} of the layer.",
            "Pass the bucket and the prefix of this layer.",
        )
    try:
        return inputs_in(content)
    except ValueError as error:
        raise LbdartError(
            f"{path} cannot be read: {error}.", "Deploy the layer again, which stores its records."
        ) from error
