"""Files that we made, staged as assets of a stack under the key they were made from."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from aws_cdk import FileAssetLocation, FileAssetPackaging, Stack, Stage

from .core.archive import stored, write_zip

#: The key of what is not built, because the stack needs no bundling; it is never deployed.
NOT_BUILT: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class StagedAsset:
    """Where a stack's deployment finds the file."""

    bucket_name: str
    object_key: str


def stage_file(stack: Stack, path: Path | None, key: str, suffix: str, display_name: str) -> StagedAsset:
    """Copy a file into the cloud assembly and register it as an asset with the hash ``key``.

    ``path`` is None when the stack is not going to be deployed: then the asset is named, and nothing is
    written. The file is copied, so that the assembly can be deployed on another machine.
    """
    stage = Stage.of(stack)
    assert stage is not None, "every stack is below a stage or an app"
    staged = Path(stage.asset_outdir, f"asset.{key}{suffix}")
    if path is not None and not (staged.is_file() and staged.stat().st_size == path.stat().st_size):
        _copy(path, staged)
    location = _location(stack, staged, Path(stage.outdir), key, display_name)
    return StagedAsset(location.bucket_name, location.object_key)


def stage_handler(stack: Stack) -> StagedAsset:
    """Pack the custom resources' handler and register it as an asset; write it if the stack is deployed."""
    content = _handler_zip()
    key = hashlib.sha256(content).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "handler.zip")
        path.write_bytes(content)
        return stage_file(stack, path if stack.bundling_required else None, key, ".zip", "lbdart_cdk handler")


def _location(stack: Stack, staged: Path, outdir: Path, key: str, display_name: str) -> FileAssetLocation:
    return stack.synthesizer.add_file_asset(
        source_hash=key,
        file_name=os.path.relpath(staged, outdir),
        packaging=FileAssetPackaging.FILE,
        # The custom resource copies what it needs: nothing reads the asset after the deployment.
        deploy_time=True,
        display_name=display_name,
    )


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
