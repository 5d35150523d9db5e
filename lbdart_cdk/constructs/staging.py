"""Files that we made, staged as assets of a stack under the key they were made from."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aws_cdk import AssetHashType, Stack, Stage
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

#: The key of what is not built, because the stack needs no bundling; it is never deployed.
NOT_BUILT: Final = "0" * 64
_NO_BUCKET: Final = "not-built"


@dataclass(frozen=True, slots=True)
class StagedAsset:
    """Where a stack's deployment finds the file."""

    bucket_name: str
    object_key: str
    asset: Asset | None = None

    @property
    def encryption_key(self) -> kms.IKey | None:
        """The customer key of the bucket, when the stack's synthesizer tells one."""
        return self.asset.bucket.encryption_key if self.asset is not None else None


class Staging:
    """Puts files into the cloud assembly of one stack."""

    def __init__(self, stack: Stack, stage: Stage) -> None:
        self._stack = stack
        self._stage = stage
        self._bucket_name: str | None = None

    @cached_property
    def wanted(self) -> bool:
        """Whether the stack is going to be deployed."""
        return self._stack.bundling_required

    @cached_property
    def _outdir(self) -> Path:
        return Path(self._stage.asset_outdir)

    def stage_file(self, scope: Construct, id: str, path: Path | None, key: str) -> StagedAsset:  # noqa: A002
        """Copy a file into the cloud assembly and register it as an asset; its hash is that of ``key``.

        ``path`` is None when the stack is not going to be deployed: then the asset is only named. The file
        is copied, so that the assembly can be deployed on another machine.
        """
        if path is None:
            return StagedAsset(_NO_BUCKET, key)
        staged = self._place(key, path.suffix)
        if not (staged.is_file() and staged.stat().st_size == path.stat().st_size):
            with _appearing(staged) as temporary:
                shutil.copyfile(path, temporary)
        return self._registered(scope, id, staged, key)

    def stage_zip(self, scope: Construct, id: str, content: bytes | None, key: str) -> StagedAsset:  # noqa: A002
        """Write a small zip into the cloud assembly and register it, as above."""
        if content is None:
            return StagedAsset(_NO_BUCKET, key)
        staged = self._place(key, ".zip")
        if not (staged.is_file() and staged.stat().st_size == len(content)):
            with _appearing(staged) as temporary:
                temporary.write_bytes(content)
        return self._registered(scope, id, staged, key)

    def _place(self, key: str, suffix: str) -> Path:
        # Under the name that CDK gives it, so that it is there, and whole, before CDK looks.
        return self._outdir / f"asset.{hashlib.sha256(key.encode()).hexdigest()}{suffix}"

    def _registered(self, scope: Construct, id: str, staged: Path, key: str) -> StagedAsset:  # noqa: A002
        # Not by stack.synthesizer.add_file_asset(): a synthesizer that the app made itself cannot be reached
        # from Python once it is bound to a stack.
        asset = Asset(
            scope,
            id,
            path=str(staged),
            asset_hash=key,
            asset_hash_type=AssetHashType.CUSTOM,
            # The custom resource copies what it needs: nothing reads the asset after the deployment.
            deploy_time=True,
        )
        if self._bucket_name is None:  # a stack's files are all in one bucket
            self._bucket_name = asset.s3_bucket_name
        return StagedAsset(self._bucket_name, asset.s3_object_key, asset)


@contextmanager
def _appearing(staged: Path) -> Iterator[Path]:
    """Give a path to write to; the file then appears whole at ``staged``."""
    staged.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=staged.parent, prefix=".lbdart-") as folder:
        temporary = Path(folder, staged.name)
        yield temporary
        temporary.replace(staged)
