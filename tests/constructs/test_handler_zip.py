"""The handler's zip holds what the handler imports, and nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from lbdart_cdk.constructs.handler_zip import handler_zip

FILES = [
    "lbdart_cdk/__init__.py",
    "lbdart_cdk/core/__init__.py",
    "lbdart_cdk/core/archive/__init__.py",
    "lbdart_cdk/core/archive/end_record.py",
    "lbdart_cdk/core/arguments.py",
    "lbdart_cdk/core/errors.py",
    "lbdart_cdk/core/publishing/__init__.py",
    "lbdart_cdk/core/publishing/aws_errors.py",
    "lbdart_cdk/core/publishing/claim.py",
    "lbdart_cdk/core/publishing/encryption.py",
    "lbdart_cdk/core/publishing/identity.py",
    "lbdart_cdk/core/publishing/layer_upload.py",
    "lbdart_cdk/core/publishing/layouts.py",
    "lbdart_cdk/core/publishing/limits.py",
    "lbdart_cdk/core/publishing/logger.py",
    "lbdart_cdk/core/publishing/manifest.py",
    "lbdart_cdk/core/publishing/ownership.py",
    "lbdart_cdk/core/publishing/preflight.py",
    "lbdart_cdk/core/publishing/prune.py",
    "lbdart_cdk/core/publishing/publish.py",
    "lbdart_cdk/core/publishing/published.py",
    "lbdart_cdk/core/publishing/records.py",
    "lbdart_cdk/core/publishing/removal.py",
    "lbdart_cdk/core/publishing/s3.py",
    "lbdart_cdk/core/publishing/source_upload.py",
    "lbdart_cdk/core/publishing/version_records.py",
    "lbdart_cdk/core/publishing/versions.py",
    "runtime/__init__.py",
    "runtime/clients.py",
    "runtime/denied.py",
    "runtime/handler.py",
    "runtime/properties.py",
    "runtime/resources.py",
    "runtime/response.py",
]
#: Imports the handler from the zip alone; prints what it loaded from there, and what else it needed.
PROGRAM = """
import sys
archive, allowed = sys.argv[1], sys.stdlib_module_names | {"boto3", "botocore"}
import boto3, botocore.config
before = set(sys.modules)
sys.path.insert(0, archive)
import runtime.handler
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(*sorted(path[len(archive) + 1:] for path in files.values() if path.startswith(archive)), sep="\\n")
others = {name.partition(".")[0] for name in set(sys.modules) - before} - {"lbdart_cdk", "runtime"}
print(*sorted(others - allowed), file=sys.stderr)
"""


def test_it_holds_these_files() -> None:
    with zipfile.ZipFile(io.BytesIO(handler_zip())) as archive:
        assert archive.namelist() == FILES


def test_the_handler_imports_all_of_it_and_else_only_what_lambda_has(tmp_path: Path) -> None:
    """Lambda has the standard library and boto3."""
    path = tmp_path / "handler.zip"
    path.write_bytes(handler_zip())
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.splitlines() == FILES
    assert done.stderr.split() == []
