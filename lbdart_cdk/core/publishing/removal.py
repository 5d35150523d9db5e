"""Removes what a resource has published: moves or removes a layer's history, and empties a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .aws_errors import calling_aws
from .layouts import LayerS3Layout
from .ownership import find_owned
from .records import refuse_other_layer
from .s3 import S3Path, delete_object_versions, head_object, list_object_versions, write_object
from .versions import LambdaLayer

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

    from .s3 import S3Location

__all__ = ["empty_bucket", "move_history", "remove_layer_versions"]


def move_history(
    s3_client: S3Client, layer_name: str, before: S3Location, after: S3Location, owner: str
) -> None:
    """Move the records of the versions that ``owner`` alone owns to another folder of the layer.

    Whoever removes the layer's old folder then finds no records there, and deletes no version that the layer
    still has. A rollback moves them back. This may be interrupted and repeated.

    :param before: the folder with the history; nothing is moved when its bucket does not exist.
    :param after: the folder that the layer has from now on.
    :param owner: see :mod:`.ownership`.
    :raises LbdartError: when AWS refuses, or another layer has the folder.
    """
    source, target = LayerS3Layout(before).s3dir_layer, LayerS3Layout(after).s3dir_layer
    with calling_aws(f"move the history of layer {layer_name} from {source} to {target}"):
        path_claim = LayerS3Layout(after).s3path_publish_claim
        claim = head_object(s3_client, path_claim)
        refuse_other_layer(path_claim, layer_name, claim.metadata.get("layer_name") if claim else None)
        for path, version_ids in find_owned(s3_client, source, owner).items():
            folder, _, name = path.key.removeprefix(source.key).partition("/")
            if not (folder.isdecimal() and name):
                continue
            moved, stored = target / folder / name, head_object(s3_client, path, is_listed=True)
            if stored is not None and head_object(s3_client, moved) is None:
                write_object(s3_client, moved, path, stored.metadata)
            delete_object_versions(s3_client, path, version_ids)


def remove_layer_versions(
    s3_client: S3Client, lambda_client: LambdaClient, layer_name: str, s3dir_lambda: S3Location, owner: str
) -> None:
    """Delete the versions that ``owner`` alone owns, and their history below ``{s3dir}/layer/``.

    The versions of other publishers stay. A version is deleted before the manifest that names its owner, so
    that an interrupted removal can be repeated.

    :param owner: see :mod:`.ownership`.
    :raises LbdartError: when AWS refuses.
    """
    layer, layout = LambdaLayer(lambda_client, layer_name), LayerS3Layout(s3dir_lambda)
    with calling_aws(f"remove layer {layer_name} and its history below {layout.s3dir_layer}"):
        owned = find_owned(s3_client, layout.s3dir_layer, owner)
        for version in list(layer.listed()):
            history = layout.get_s3dir_layer_version(version.number)
            if version.build_key and any(path.key.startswith(history.key) for path in owned):
                layer.delete(version.number)
        for path, version_ids in owned.items():
            delete_object_versions(s3_client, path, version_ids)


def empty_bucket(s3_client: S3Client, bucket: str) -> None:
    """Delete all versions of all objects in a bucket; a bucket that does not exist is empty.

    :raises LbdartError: when S3 refuses.
    """
    with calling_aws(f"empty the bucket {bucket}"):
        for path, version_ids in list_object_versions(s3_client, S3Path(bucket)).items():
            delete_object_versions(s3_client, path, version_ids)
