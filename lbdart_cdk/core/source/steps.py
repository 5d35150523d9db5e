"""A source artifact without CDK: a directory, a zip, an upload, step by step or all at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..archive.writer import write_zip
from ..arguments import as_tuple
from ..artifacts.source import SourceArtifact, SourceZip, refuse_without_code
from ..artifacts.source_files import stored_file
from ..credentials.environment import Given, listed
from ..keys import sha256_of
from ..locking.tool import Frontend
from ..native.scan import scan_entries
from ..packing.merge import Bundle, merge
from ..project.build_directory import claimed, replaced_directory, scratch
from ..project.project import Project, checked_pyproject
from ..project.tree import is_bytecode, wanted_files
from ..publishing.aws_errors import checked_client
from ..publishing.logger import BaseLogger
from ..publishing.s3 import S3Path
from ..publishing.source_upload import upload_source_zip
from ..store.store import Store
from ..wheels.frontend import PIP, UV, IsolatedBuild
from .path_layout import SourcePathLayout

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = [
    "BuildAndUploadSourceResult",
    "SourceDir",
    "build_and_upload_source_using_pip",
    "build_and_upload_source_using_uv",
    "build_source_dir_using_pip",
    "build_source_dir_using_uv",
    "create_source_zip",
]

_PRINTING: Final = BaseLogger()
_WITH_UV: Final = IsolatedBuild("uv", (UV,))
_WITH_PIP: Final = IsolatedBuild("pip", (PIP,))


@dataclass(frozen=True, slots=True)
class SourceDir:
    """A built source as files; ``version`` is the project's, as its build backend says it."""

    path_layout: SourcePathLayout
    version: str

    @property
    def path(self) -> Path:
        """The directory; what is added to it gets into the zip."""
        return self.path_layout.dir_build_lambda_source


@dataclass(frozen=True, slots=True)
class BuildAndUploadSourceResult:
    """Where a project's code is in S3; ``source_sha256`` is of the zip's bytes."""

    source_version: str
    source_sha256: str
    s3path_source_zip: S3Path


def build_source_dir_using_uv(
    path_pyproject_toml: Path,
    *,
    include: str | Collection[str] | None = None,
    exclude: str | Collection[str] | None = None,
    credentials: Given = None,
    store: Store | None = None,
    logger: BaseLogger = _PRINTING,
) -> SourceDir:
    """Build a project with what uv installs for it; put its code into ``{root}/build/lambda/source``.

    What was there before is gone. The files are those that ``LambdaSourceArtifact`` packs, under their
    names in the zip.

    :param path_pyproject_toml: the project's ``pyproject.toml``.
    :param include: one glob pattern or several (:func:`is_match`) of further files of the project, kept at
        their relative paths.
    :param exclude: one glob pattern or several of files to leave out.
    :param credentials: for private indexes that the build backend comes from; they get into no file.
    :param store: where what is built is kept. Default: the user's cache directory.
    :param logger: what is told about the steps. Default: printed.
    :raises LbdartError: for what the user can put right.
    """
    artifact = _artifact(
        _WITH_UV, path_pyproject_toml, include=include, exclude=exclude, credentials=credentials, store=store
    )
    return _source_dir(artifact, SourcePathLayout(path_pyproject_toml), logger)


def build_source_dir_using_pip(
    path_pyproject_toml: Path,
    *,
    include: str | Collection[str] | None = None,
    exclude: str | Collection[str] | None = None,
    credentials: Given = None,
    store: Store | None = None,
    logger: BaseLogger = _PRINTING,
) -> SourceDir:
    """Do what :func:`build_source_dir_using_uv` does with the pip of the Python that is running."""
    artifact = _artifact(
        _WITH_PIP,
        path_pyproject_toml,
        include=include,
        exclude=exclude,
        credentials=credentials,
        store=store,
    )
    return _source_dir(artifact, SourcePathLayout(path_pyproject_toml), logger)


def create_source_zip(source_dir: SourceDir, *, logger: BaseLogger = _PRINTING) -> SourceZip:
    """Pack a source directory into ``{root}/build/lambda/source.zip``; bytecode is left out.

    The bytes depend on names, contents and executable modes alone; they are those that
    ``LambdaSourceArtifact`` makes of the same files. The zip appears whole.

    :raises LbdartError: if it has no code, or is larger than Lambda takes.
    """
    logger.log_header("Package the source")
    with claimed(source_dir.path):
        made = _packed(source_dir)
    logger.log(f"{made.path} ({made.path.stat().st_size:,} bytes)")
    return made


def _packed(source_dir: SourceDir) -> SourceZip:
    root, target = source_dir.path, source_dir.path_layout.path_build_lambda_source_zip
    files = wanted_files(root, lambda name: not is_bytecode(name))
    bundle = Bundle(root.name, tuple(stored_file(path, path.relative_to(root).as_posix()) for path in files))
    entries = merge([bundle])
    refuse_without_code(entries, f"The source in {root}")
    with scratch(target.parent) as folder:
        finished = folder / target.name
        with finished.open("wb") as file:
            write_zip(file, entries)
        native = scan_entries(root.name, entries, folder)
        size = sum(entry.size for entry in entries)
        made = SourceZip(target, sha256_of(finished), source_dir.version, size, native)
        finished.replace(target)
    return made


def build_and_upload_source_using_uv(
    s3_client: S3Client,
    s3dir_lambda: S3Path | str,
    path_pyproject_toml: Path,
    *,
    include: str | Collection[str] | None = None,
    exclude: str | Collection[str] | None = None,
    credentials: Given = None,
    store: Store | None = None,
    logger: BaseLogger = _PRINTING,
) -> BuildAndUploadSourceResult:
    """Build a project with what uv installs for it, and bring its code to S3.

    Its place is ``{s3dir}/source/{version}/{sha256}/source.zip``. Code that is there already is a success,
    and not uploaded again. The project's tree is only read.

    :param s3dir_lambda: the folder in S3, as ``s3://bucket/prefix``.

    The other parameters are those of :func:`build_source_dir_using_uv`.

    :raises LbdartError: for what the user can put right.
    """
    checked_client(s3_client, "s3")
    artifact = _artifact(
        _WITH_UV, path_pyproject_toml, include=include, exclude=exclude, credentials=credentials, store=store
    )
    return _build_and_upload(s3_client, S3Path.parse(s3dir_lambda), artifact, logger)


def build_and_upload_source_using_pip(
    s3_client: S3Client,
    s3dir_lambda: S3Path | str,
    path_pyproject_toml: Path,
    *,
    include: str | Collection[str] | None = None,
    exclude: str | Collection[str] | None = None,
    credentials: Given = None,
    store: Store | None = None,
    logger: BaseLogger = _PRINTING,
) -> BuildAndUploadSourceResult:
    """Do what :func:`build_and_upload_source_using_uv` does with pip."""
    checked_client(s3_client, "s3")
    artifact = _artifact(
        _WITH_PIP,
        path_pyproject_toml,
        include=include,
        exclude=exclude,
        credentials=credentials,
        store=store,
    )
    return _build_and_upload(s3_client, S3Path.parse(s3dir_lambda), artifact, logger)


def _artifact(
    frontend: Frontend,
    path_pyproject_toml: Path,
    *,
    include: str | Collection[str] | None,
    exclude: str | Collection[str] | None,
    credentials: Given,
    store: Store | None,
) -> SourceArtifact:
    path = checked_pyproject(SourcePathLayout(path_pyproject_toml).path_pyproject_toml)
    return SourceArtifact(
        Project(path.parent, path),
        frontend,
        as_tuple(include),
        as_tuple(exclude),
        store or Store(),
        listed(credentials),
    )


def _source_dir(artifact: SourceArtifact, layout: SourcePathLayout, logger: BaseLogger) -> SourceDir:
    logger.log_header("Build the source")
    contents = artifact.contents()
    directory = layout.dir_build_lambda_source
    with claimed(directory), replaced_directory(directory) as folder:
        for entry in contents.entries:
            path = folder / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.read())
            path.chmod(0o755 if entry.executable else 0o644)
    logger.log(f"{directory} ({len(contents.entries)} files, version {contents.version})")
    return SourceDir(layout, contents.version)


def _build_and_upload(
    s3_client: S3Client, s3dir_lambda: S3Path, artifact: SourceArtifact, logger: BaseLogger
) -> BuildAndUploadSourceResult:
    # Not by way of the directory in the project: between hash and upload, another process could replace it.
    logger.log_header("Build the source")
    built = artifact.build()
    logger.log(f"{artifact.project.name} {built.version} ({built.path.stat().st_size:,} bytes)")
    logger.log_header("Upload the source")
    path = upload_source_zip(s3_client, s3dir_lambda, built.path, built.version, built.sha256, logger=logger)
    return BuildAndUploadSourceResult(built.version, built.sha256, path)
