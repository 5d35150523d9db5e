"""The whole source workflow in one call, and its last step, as the specification writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ..errors import MissingError
from ..publishing.aws_errors import calling_aws, client_for
from ..publishing.layouts import S3MetadataKeyEnum, SourceS3Layout
from ..publishing.logger import T_PRINTER, BaseLogger
from ..publishing.s3 import S3Location, S3Path, write_object
from .steps import BuildAndUploadSourceResult, build_and_upload_source_using_pip

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def build_package_upload_source_artifacts(
    s3_client: S3Client,
    dir_project_root: Path,
    s3dir_lambda: S3Location,
    *,
    skip_prompt: bool = True,
    verbose: bool = True,
    printer: T_PRINTER = print,
) -> BuildAndUploadSourceResult:
    """Build a project with pip, and upload its code to ``{s3dir}/source/{version}/{sha256}/source.zip``.

    This is :func:`.build_and_upload_source_using_pip` for a project's directory.

    :param dir_project_root: the directory of the project's ``pyproject.toml``.
    :param s3dir_lambda: the folder in S3.
    :param skip_prompt: nothing in the project is deleted, so nothing is asked either way.
    :raises LbdartError: when an argument is invalid, or the project cannot be built or uploaded.
    """
    return build_and_upload_source_using_pip(
        s3_client,
        s3dir_lambda,
        dir_project_root / "pyproject.toml",
        logger=BaseLogger(verbose=verbose, printer=printer),
    )


def upload_source_artifacts(
    s3_client: S3Client,
    source_version: str,
    source_sha256: str,
    path_source_zip: Path,
    s3dir_lambda: S3Location,
    *,
    metadata: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    verbose: bool = True,
    printer: T_PRINTER = print,
) -> S3Path:
    """Upload a source zip to ``{s3dir}/source/{version}/{sha256}/source.zip``, whatever is there.

    :func:`.upload_source_zip` checks the hash, and does not repeat an upload.

    :param source_version: the project's version.
    :param source_sha256: a hash of the code: that of ``create_source_zip``, or one of your own.
    :param s3dir_lambda: the folder in S3.
    :param metadata: more metadata of the object, in ASCII.
    :param tags: tags of the object.
    :raises LbdartError: when there is no zip, when the version cannot be the name of a folder, and when S3
        refuses.
    """
    target = SourceS3Layout(s3dir_lambda).get_s3path_source_zip(source_version, source_sha256)
    if not path_source_zip.is_file():
        raise MissingError(f"There is no {path_source_zip}.", "Create it first, with create_source_zip().")
    described = {
        S3MetadataKeyEnum.source_version: source_version,
        S3MetadataKeyEnum.source_sha256: source_sha256,
        **(metadata or {}),
    }
    with calling_aws(f"put {path_source_zip} at {target}"):
        write_object(
            client_for(s3_client, "s3"), target, path_source_zip, described, tagging=urlencode(tags or {})
        )
    BaseLogger(verbose=verbose, printer=printer).log(f"Uploaded {path_source_zip} to {target}")
    return target
