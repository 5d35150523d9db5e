"""The names of a source artifact; :mod:`lbdart_cdk.core.api` has them, too."""

from ..publishing.layouts import SourceS3Layout
from ..publishing.source_upload import upload_source_zip
from .path_layout import SourcePathLayout
from .steps import (
    BuildAndUploadSourceResult,
    build_and_upload_source_using_pip,
    build_and_upload_source_using_uv,
    build_source_dir_using_pip,
    build_source_dir_using_uv,
    create_source_zip,
)
from .upload import build_package_upload_source_artifacts, upload_source_artifacts

__all__ = [
    "BuildAndUploadSourceResult",
    "SourcePathLayout",
    "SourceS3Layout",
    "build_and_upload_source_using_pip",
    "build_and_upload_source_using_uv",
    "build_package_upload_source_artifacts",
    "build_source_dir_using_pip",
    "build_source_dir_using_uv",
    "create_source_zip",
    "upload_source_artifacts",
    "upload_source_zip",
]
