"""Stages built files as assets of a stack, each under a hash of its content."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from aws_cdk import AssetHashType, CfnResource, Stack, Stage
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct, Node

from ..core.errors import LbdartError
from ..core.store.copies import atomic_write, copy_kept
from ..core.windows import IS_WINDOWS, is_refused_name

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

_NO_BUCKET: Final = "not-built"
#: The context key in which the cdk command line names the stacks to be deployed.
_DEPLOYED: Final = "aws:cdk:bundling-stacks"


@dataclass(frozen=True, slots=True)
class StagedAsset:
    """The bucket and the key under which a deployment finds a file.

    :param path: the file in the cloud assembly.
    """

    bucket_name: str
    object_key: str
    asset: Asset | None = None
    path: Path | None = None

    @property
    def encryption_key(self) -> kms.IKey | None:
        """The customer managed key of the bucket, if the stack's synthesizer names one."""
        return self.asset.bucket.encryption_key if self.asset is not None else None

    def describe(self, resource: CfnResource, property_name: str) -> None:
        """Name the file in the metadata of a resource that has it in a property, for tools such as SAM."""
        if self.asset is not None:
            self.asset.add_resource_metadata(resource, property_name)

    def describe_unpacked(self, resource: CfnResource, property_name: str) -> None:
        """Unpack the zip beside it, and name the folder in the metadata of a resource that has the zip."""
        if self.asset is None or self.path is None:
            return
        folder = self.path.with_suffix(".unpacked")
        unpack(self.path, folder)
        relative = PurePosixPath(self.asset.asset_path).with_name(folder.name)
        for key, value in (("path", str(relative)), ("is-bundled", True), ("property", property_name)):
            resource.add_metadata(f"aws:asset:{key}", value)


class Staging:
    """Puts files into the cloud assembly of one stack.

    :param node: the node of the stack.
    """

    def __init__(self, stack: Stack, node: Node, stage: Stage) -> None:
        self._stack = stack
        self._node = node
        self._stage = stage
        self._bucket_name: str | None = None

    @cached_property
    def wanted(self) -> bool:
        """Whether the stack will be deployed, so that its artifacts are needed."""
        return self._stack.bundling_required

    @cached_property
    def another_is_deployed(self) -> bool:
        """Whether other stacks of the app will be deployed, but not this one."""
        return not self.wanted and bool(self._node.try_get_context(_DEPLOYED))

    @cached_property
    def _outdir(self) -> Path:
        return Path(self._stage.asset_outdir)

    def stage_file(self, scope: Construct, id: str, path: Path | None, sha256: str) -> StagedAsset:  # noqa: A002
        """Copy a zip of the store into the cloud assembly and register it as an asset.

        The copy makes it possible to deploy the assembly from another machine.

        :param path: the zip; None when the stack will not be deployed, and then nothing is registered.
        :param sha256: the SHA-256 that the store noted; it is the asset's hash.
        :raises LbdartError: when the copy has another SHA-256.
        """
        if path is None:
            return StagedAsset(_NO_BUCKET, sha256)
        staged = self._staged_path(sha256, path.suffix)
        if not (staged.is_file() and staged.stat().st_size == path.stat().st_size):
            copy_kept(path, staged, sha256)
        return self._register(scope, id, staged, sha256)

    def stage_zip(self, scope: Construct, id: str, content: bytes | None, key: str) -> StagedAsset:  # noqa: A002
        """Write a small zip into the cloud assembly and register it, as :meth:`stage_file` does."""
        if content is None:
            return StagedAsset(_NO_BUCKET, key)
        staged = self._staged_path(key, ".zip")
        if not (staged.is_file() and staged.stat().st_size == len(content)):
            with atomic_write(staged) as temporary:
                temporary.write_bytes(content)
        return self._register(scope, id, staged, key)

    def _staged_path(self, key: str, suffix: str) -> Path:
        # CDK's own name for the file, so that CDK finds the whole file there and does not copy it again.
        return self._outdir / f"asset.{hashlib.sha256(key.encode()).hexdigest()}{suffix}"

    def _register(self, scope: Construct, id: str, staged: Path, key: str) -> StagedAsset:  # noqa: A002
        # Not stack.synthesizer.add_file_asset(): Python cannot reach a synthesizer that the app made itself
        # once it is bound to a stack.
        asset = Asset(
            scope,
            id,
            path=str(staged),
            asset_hash=key,
            asset_hash_type=AssetHashType.CUSTOM,
            # The custom resource copies what it needs, so nothing reads the asset after the deployment.
            deploy_time=True,
        )
        if self._bucket_name is None:  # all files of a stack are in one bucket
            self._bucket_name = asset.s3_bucket_name
        return StagedAsset(self._bucket_name, asset.s3_object_key, asset, staged)


def unpack(path: Path, folder: Path) -> None:
    """Unpack a zip with the modes of its files, unless that is done.

    :raises LbdartError: when the file system would have a file under another name, or two as one.
    """
    if folder.is_dir():
        return
    with atomic_write(folder) as temporary, zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            if (IS_WINDOWS and is_refused_name(entry.filename)) or (temporary / entry.filename).exists():
                raise LbdartError(
                    f"{path.name} has the file {entry.filename}, which cannot be unpacked on this machine: "
                    "its file system does not have the name, or has it as that of another file.",
                    "Synthesise on Linux, or leave the file out with exclude_files=.",
                )
            file = Path(archive.extract(entry, temporary))
            if mode := entry.external_attr >> 16:
                file.chmod(mode)
