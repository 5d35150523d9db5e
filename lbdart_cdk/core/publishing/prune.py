"""Older versions of a layer go, where a deployment is told how many to keep.

What may go is decided so that no deployment loses what it returned, and none what a rollback needs:

- An update of a stack can still be rolled back after this resource was updated, and CloudFormation then asks
  for the build that was there before. So a version goes only if it is older than both the version that this
  deployment returned and the one that the deployment before it returned. A creation has none before it, and
  prunes nothing.
- Events can come late: one that asks for build 3 after the stack has gone back to build 1. A version that
  was *published* by a later deployment has a higher number and is out of reach. One that a later deployment
  *went back to* has not; so going back notes the moment in the version's manifest (by the clock of S3), and
  for a day such a version stays. Lambda gives up an event after six hours (Lambda Developer Guide,
  "Asynchronous invocation").
- A version goes only if all that lies in its folder belongs to the owner alone (:mod:`..ownership`); one
  that another stack uses too, that was published by hand or that has no folder stays.

The version goes before its folder, so that an interrupted pruning is taken up by the next one: a folder
without its version is cleared, too.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from .ownership import belongs_to
from .s3 import head_object, list_object_versions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mypy_boto3_s3 import S3Client

    from .layouts import LayerS3Layout
    from .s3 import S3Path

__all__ = ["MAX_PRUNED", "RETURNED_TO", "find_superseded", "may_go", "superseded"]

MAX_PRUNED: Final = 50
"""Versions that one deployment prunes at most; it has a few minutes, and the next one goes on."""

RETURNED_TO: Final = "returned_to"
"""Metadata key of a manifest whose version a deployment went back to."""

_LATEST_EVENT: Final = 24 * 3600


def superseded(ours: Collection[int], needed: Collection[int], keep: int) -> set[int]:
    """Which versions may go: those older than all that are needed, but for the newest ``keep``.

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
    """The oldest :data:`MAX_PRUNED` of the versions that may go, with what lies in their folders.

    A number that is none of Lambda's (any more) is that of a folder left over.

    :param versions: those in Lambda, each with whether it was published by us.
    :raises botocore.exceptions.ClientError: if S3 refuses.
    """
    folders = _folders(s3_client, layout)
    ours = {number for number, is_ours in versions.items() if is_ours}
    left_over = {number for number in folders if number not in versions and number < min(needed)}
    numbers = left_over | (superseded(ours, needed, keep) & folders.keys())
    return {number: folders[number] for number in sorted(numbers)[:MAX_PRUNED]}


def may_go(s3_client: S3Client, objects: Collection[S3Path], owner: str) -> bool:
    """Whether a version is the owner's alone, and none that the stack has just gone back to.

    To be asked while nobody else publishes the layer, for a deployment that takes a version up notes so.

    :param objects: what lies in its folder.
    :raises botocore.exceptions.ClientError: if S3 refuses.
    """
    there = [stored for path in objects if (stored := head_object(s3_client, path))]
    return bool(there) and all(
        belongs_to(stored, owner) and not (RETURNED_TO in stored.metadata and stored.age < _LATEST_EVENT)
        for stored in there
    )


def _folders(s3_client: S3Client, layout: LayerS3Layout) -> dict[int, dict[S3Path, list[str]]]:
    """The objects in the folder of each version."""
    found: dict[int, dict[S3Path, list[str]]] = defaultdict(dict)
    for path, version_ids in list_object_versions(s3_client, layout.s3dir_layer).items():
        number = path.key.removeprefix(layout.s3dir_layer.key).partition("/")[0]
        if number.isdecimal() and path.key.startswith(layout.get_s3dir_layer_version(int(number)).key):
            found[int(number)][path] = version_ids
    return dict(found)
