"""The owner of an object in S3: a resource removes only the objects that it owns alone.

Layer names, buckets and prefixes outlive stacks and can be shared: a stack that is created again finds the
history of its predecessor, CloudFormation creates a renamed construct before it deletes the old one, and two
functions of a project keep their code under one prefix. A resource with the removal policy DESTROY must not
delete the objects of others. So the metadata of each object name its *owner*, an opaque text for one resource
of a stack. When a second owner uses the object, it is marked as shared, and nobody removes it any more. An
object without an owner (an empty text: published by hand) is never removed either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .s3 import head_object, list_object_versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from .s3 import S3Object, S3Path

__all__ = ["SHARED", "belongs_to", "find_owned", "joint_owner", "owner_metadata"]

SHARED: Final = "shared"
_KEY: Final = "owner"


def owner_metadata(owner: str) -> dict[str, str]:
    """Return the metadata that name the owner; nothing when the owner is empty."""
    return {_KEY: owner} if owner else {}


def joint_owner(stored: S3Object | None, owner: str) -> str:
    """Return the owner of an object after ``owner`` uses it too.

    :param stored: the object in S3, or None when it does not exist.
    """
    return owner if stored is None or belongs_to(stored, owner) else SHARED


def belongs_to(stored: S3Object, owner: str) -> bool:
    """Tell whether ``owner`` alone owns an object; the empty owner owns the objects without an owner."""
    return owner != SHARED and stored.metadata.get(_KEY, "") == owner


def find_owned(s3_client: S3Client, folder: S3Path, owner: str) -> dict[S3Path, list[str]]:
    """Return the objects below a folder that ``owner`` alone owns, each with the ids of all its versions."""
    if not owner:
        return {}
    return {
        path: version_ids
        for path, version_ids in list_object_versions(s3_client, folder, only_existing=True).items()
        if (stored := head_object(s3_client, path, is_listed=True)) and belongs_to(stored, owner)
    }
