"""Whom an object in S3 is noted for, so that a removal takes no more than its resource brought.

Layer names, buckets and prefixes outlive stacks and can be shared: a stack that is created anew finds the
history of the one before, a renamed construct is created under its new name before the old one is deleted,
two functions of a project keep their code under one prefix. A resource with the removal policy DESTROY must
leave alone what is not its own. So each object's metadata names the *owner* that brought it - an opaque text,
one per resource of a stack - and an object that a second owner comes to rely on is noted as shared, from when
on nobody removes it. What nobody owns (an empty owner: published by hand) is never removed either.
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
    """What notes the owner in an object's metadata; nothing for nobody."""
    return {_KEY: owner} if owner else {}


def joint_owner(stored: S3Object | None, owner: str) -> str:
    """Whom to note an object for that ``owner`` needs, given what is stored."""
    return owner if stored is None or belongs_to(stored, owner) else SHARED


def belongs_to(stored: S3Object, owner: str) -> bool:
    """Tell whether an object belongs to ``owner`` alone, or to nobody, for the empty owner."""
    return owner != SHARED and stored.metadata.get(_KEY, "") == owner


def find_owned(s3_client: S3Client, folder: S3Path, owner: str) -> dict[S3Path, list[str]]:
    """Objects below a folder that belong to ``owner`` alone, each with the ids of all its versions."""
    if not owner:
        return {}
    return {
        path: version_ids
        for path, version_ids in list_object_versions(s3_client, folder).items()
        if (stored := head_object(s3_client, path)) and belongs_to(stored, owner)
    }
