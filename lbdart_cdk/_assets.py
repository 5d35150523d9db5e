"""Files that we made, staged as assets of a stack under the key they were made from."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from aws_cdk import AssetHashType, Stack, Stage
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from .core.archive import stored, write_zip

#: The key of what is not built, because the stack needs no bundling; it is never deployed.
NOT_BUILT: Final = "0" * 64
NO_BUCKET: Final = "not-built"


@dataclass(frozen=True, slots=True)
class StagedAsset:
    """Where a stack's deployment finds the file."""

    bucket_name: str
    object_key: str


def stage_file(scope: Construct, id: str, path: Path | None, key: str, display_name: str) -> StagedAsset:  # noqa: A002
    """Copy a file into the cloud assembly and register it as an asset whose hash comes from ``key`` alone.

    ``path`` is None when the stack is not going to be deployed: then the asset is only named. The file is
    copied, so that the assembly can be deployed on another machine.
    """
    if path is None:
        return StagedAsset(NO_BUCKET, key)
    stage = Stage.of(scope)
    assert stage is not None, "every stack is below a stage or an app"
    # Under the name that CDK gives it, so that it is there, and whole, before CDK looks.
    name = hashlib.sha256(key.encode()).hexdigest()
    staged = Path(stage.asset_outdir, f"asset.{name}{path.suffix}")
    if not (staged.is_file() and staged.stat().st_size == path.stat().st_size):
        _copy(path, staged)
    # Not by stack.synthesizer.add_file_asset(): a synthesizer that the app made itself cannot be reached from
    # Python once it is bound to a stack.
    asset = Asset(
        scope,
        id,
        path=str(staged),
        asset_hash=key,
        asset_hash_type=AssetHashType.CUSTOM,
        # The custom resource copies what it needs: nothing reads the asset after the deployment.
        deploy_time=True,
        display_name=display_name,
    )
    return StagedAsset(asset.s3_bucket_name, asset.s3_object_key)


def stage_bytes(scope: Construct, id: str, content: bytes, key: str, display_name: str) -> StagedAsset:  # noqa: A002
    """Register the bytes of a zip as :func:`stage_file` does a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "content.zip")
        path.write_bytes(content)
        return stage_file(scope, id, path, key, display_name)


def stage_handler(scope: Construct, id: str) -> StagedAsset:  # noqa: A002
    """Pack the custom resources' handler and register it as an asset; write it if the stack is deployed."""
    if not Stack.of(scope).bundling_required:
        return StagedAsset(NO_BUCKET, NOT_BUILT)
    content = _handler_zip()
    key = hashlib.sha256(content).hexdigest()
    return stage_bytes(scope, id, content, key, "lbdart_cdk handler")


def _copy(path: Path, staged: Path) -> None:
    staged.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=staged.parent, prefix=".lbdart-") as folder:
        temporary = Path(folder, staged.name)
        shutil.copyfile(path, temporary)
        temporary.replace(staged)


@cache
def _handler_zip() -> bytes:
    """Return the zip of ``runtime/`` and the part of this library that it imports."""
    package = Path(__file__).parent
    # A checkout has the folder beside the package, an installed wheel inside of it.
    runtime = next(path for path in (package / "runtime", package.parent / "runtime") if path.is_dir())
    files = {
        **{f"runtime/{path.relative_to(runtime).as_posix()}": path for path in runtime.rglob("*.py")},
        **{
            f"lbdart_cdk/core/{path.relative_to(package / 'core').as_posix()}": path
            for path in (package / "core").rglob("*.py")
        },
        "lbdart_cdk/__init__.py": package / "__init__.py",
    }
    buffer = io.BytesIO()
    write_zip(buffer, [stored(name, path.read_bytes()) for name, path in files.items()])
    return buffer.getvalue()
