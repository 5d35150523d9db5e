"""Deletes the older versions of a layer that nobody needs any more.

Pruning must not delete a version that a deployment returned or that a rollback needs:

- CloudFormation can roll a stack back after it updated this resource, and then asks for the previous build.
  So a version is deleted only if it is older than both the version that this deployment returned and the one
  that the previous deployment returned. A creation has no previous deployment, and prunes nothing.
- Events can come late: one can ask for build 3 after the stack has gone back to build 1. A version that a
  later deployment *published* has a higher number and is safe. A version that a later deployment *went back
  to* has a lower number; so going back notes the time in the version's manifest (by the clock of S3), and
  the version stays for a day. Lambda drops an event after six hours (Lambda Developer Guide, "Asynchronous
  invocation").
- A version is deleted only if its records name this layer: two layers may have shared a folder before this
  was refused.
- A version is deleted only if the owner alone owns all objects in its folder (:mod:`..ownership`). A version
  stays when another stack uses it too, when it was published by hand, or when it has no folder here, since
  another app may have its history elsewhere. No publisher takes up a version from another's folder
  (:meth:`.publish.LayerPublisher.find_published`), so the records of a version name all who use it.

The version is deleted before its folder, so that the next pruning can finish an interrupted one: it also
deletes folders without a version.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from ..errors import LbdartError
from .aws_errors import calling_aws
from .ownership import belongs_to
from .records import recorded_layer
from .s3 import delete_object_versions, head_object, list_object_versions
from .version_records import RETURNED_TO

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mypy_boto3_s3 import S3Client

    from .claim import PublishClaim
    from .layouts import LayerS3Layout
    from .logger import T_PRINTER
    from .s3 import S3Path
    from .version_records import LayerDeployment, VersionRecords
    from .versions import LambdaLayer, LayerVersion

__all__ = ["MAX_PRUNED", "find_superseded", "may_go", "prune", "superseded"]

#: The most versions that one deployment deletes; it has a few minutes, and the next deployment continues.
MAX_PRUNED: Final = 50

_LATEST_EVENT: Final = 24 * 3600  # seconds


def prune(
    layer: LambdaLayer,
    records: VersionRecords,
    claim: PublishClaim,
    deployment: LayerDeployment,
    *,
    needed_build_key: str,
    keep: int,
    log: T_PRINTER,
) -> None:
    """Delete older versions; the deployment is done already and does not fail when this fails.

    :param claim: the claim to hold while versions are deleted.
    :param deployment: the version that was deployed; it and all later versions stay.
    :param needed_build_key: a build whose version and all later versions stay too; nothing is deleted while
        it is not published. Empty for none.
    :param keep: the number of newest versions to keep.
    """
    try:
        with calling_aws(f"prune layer {layer.name}"):
            versions = layer.versions()
            needed = _needed(versions, deployment.layer_version, needed_build_key)
            if not needed:
                return
            ours = {number: version.build_key is not None for number, version in versions.items()}
            if any(is_ours and number > deployment.layer_version for number, is_ours in ours.items()):
                records.note_return(deployment)
            folders = find_superseded(records.s3_client, records.layout, ours, needed=needed, keep=keep)
            if folders:
                with claim:
                    _delete(layer, records, claim, folders, versions=versions, log=log)
    except LbdartError as error:
        log(f"Older versions stay until the next deployment. {error}")


def _needed(versions: Mapping[int, LayerVersion], deployed: int, needed_build_key: str) -> set[int]:
    """Return the versions that must stay; none when the needed build is not published."""
    if not needed_build_key:
        return {deployed}
    numbers = [number for number, version in versions.items() if version.build_key == needed_build_key]
    return {deployed, min(numbers)} if numbers else set()


def _delete(
    layer: LambdaLayer,
    records: VersionRecords,
    claim: PublishClaim,
    folders: Mapping[int, Mapping[S3Path, list[str]]],
    *,
    versions: Mapping[int, LayerVersion],
    log: T_PRINTER,
) -> None:
    """Delete the versions that may go, each before its folder, while holding the claim."""
    for number, objects in folders.items():
        if not may_go(records.s3_client, objects, records.owner, layer.name):
            continue
        claim.renew()
        if number in versions:
            claim.forget(versions[number].build_key or "")
            layer.delete(number)
        for path, version_ids in objects.items():
            delete_object_versions(records.s3_client, path, version_ids)
        log(f"Deleted version {number} of layer {layer.name}.")


def superseded(ours: Collection[int], needed: Collection[int], keep: int) -> set[int]:
    """Return the versions that are older than all needed versions and not among the newest ``keep``.

    :param ours: the versions that this library published.
    :param needed: the versions that must stay.
    :param keep: the number of newest versions to keep.

    >>> sorted(superseded([1, 2, 3, 4, 5], needed=[5, 4], keep=3))
    [1, 2]
    >>> sorted(superseded([1, 2, 3, 4, 5], needed=[5, 2], keep=1))
    [1]
    """
    newest = sorted(ours, reverse=True)[:keep]
    return {version for version in ours if version < min(needed) and version not in newest}


def find_superseded(
    s3_client: S3Client,
    layout: LayerS3Layout,
    versions: Mapping[int, bool],
    *,
    needed: Collection[int],
    keep: int,
) -> dict[int, Mapping[S3Path, list[str]]]:
    """Return the oldest versions to delete, with the objects in their folders.

    The result has at most :data:`MAX_PRUNED` versions. It includes folders whose version is no longer in
    Lambda.

    :param versions: the versions in Lambda, each with whether this library published it.
    :param needed: the versions that must stay.
    :param keep: the number of newest versions to keep.
    :raises botocore.exceptions.ClientError: when S3 refuses.
    """
    folders = _folders(s3_client, layout)
    ours = {number for number, is_ours in versions.items() if is_ours and number in folders}
    orphaned = {number for number in folders if number not in versions and number < min(needed)}
    numbers = orphaned | superseded(ours, needed, keep)
    return {number: folders[number] for number in sorted(numbers)[:MAX_PRUNED]}


def may_go(s3_client: S3Client, objects: Collection[S3Path], owner: str, layer_name: str) -> bool:
    """Tell whether the owner alone owns a version, and no deployment has gone back to it in the last day.

    The version must be one of the named layer.

    Call this while holding the claim, since other deployments note in the metadata that they use a version.

    :param objects: the objects in the version's folder.
    :raises botocore.exceptions.ClientError: when S3 refuses.
    """
    existing = [stored for path in objects if (stored := head_object(s3_client, path, is_listed=True))]
    return bool(existing) and all(
        belongs_to(stored, owner)
        and recorded_layer(stored.metadata) in (layer_name, None)
        and not (RETURNED_TO in stored.metadata and stored.age < _LATEST_EVENT)
        for stored in existing
    )


def _folders(s3_client: S3Client, layout: LayerS3Layout) -> dict[int, dict[S3Path, list[str]]]:
    """Return the objects in the folder of each version, with the ids of their versions."""
    folders: dict[int, dict[S3Path, list[str]]] = defaultdict(dict)
    for path, version_ids in list_object_versions(s3_client, layout.s3dir_layer).items():
        number = path.key.removeprefix(layout.s3dir_layer.key).partition("/")[0]
        if number.isdecimal() and path.key.startswith(layout.get_s3dir_layer_version(int(number)).key):
            folders[int(number)][path] = version_ids
    return dict(folders)
