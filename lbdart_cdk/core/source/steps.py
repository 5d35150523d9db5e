"""A source artifact without CDK: a directory, a zip, an upload, step by step or all at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from ..archive.writer import write_zip
from ..arguments import as_tuple
from ..artifacts.own_code import left_out, refuse_without_code, stored_file
from ..artifacts.source import SourceArtifact, SourceZip
from ..artifacts.summary import left_out_line
from ..credentials.environment import Given, listed
from ..errors import BuildWarning
from ..keys import sha256_of
from ..locking.manifest import tool_named
from ..native.scan import scan_entries
from ..packing.merge import Bundle, merge
from ..project.build_directory import claimed, replaced_directory, scratch
from ..project.project import Project, checked_pyproject
from ..project.target import Target
from ..project.tree import is_bytecode, wanted_files
from ..publishing.aws_errors import client_for
from ..publishing.logger import BaseLogger
from ..publishing.s3 import S3Location, S3Path
from ..publishing.source_upload import upload_source_zip
from ..store.store import Store
from ..wheels.environment import BuildEnvironment
from ..wheels.frontend import PIP, UV, IsolatedBuild
from ..windows import replace_file
from .path_layout import SourcePathLayout

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from ..packing.bytecode import Compiler

__all__ = [
    "BuildAndUploadSourceResult",
    "SourceDir",
    "SourceOptions",
    "build_and_upload_source_using_pip",
    "build_and_upload_source_using_uv",
    "build_source_dir_using_pip",
    "build_source_dir_using_uv",
    "create_source_zip",
]

_PRINTING: Final = BaseLogger()
_WITH_UV: Final = IsolatedBuild("uv", (UV,))
_WITH_PIP: Final = IsolatedBuild("pip", (PIP,))


class SourceOptions(TypedDict, total=False):
    """What may be said of a project's code, as keyword arguments.

    :param include: one glob pattern or several (:func:`is_match`) of more files of the project to add, at
        their relative paths. Default: none.
    :param exclude: one glob pattern or several of files to leave out. Default: none.
    :param bytecode: whether the zip has the bytecode of its modules, as of a ``LambdaSourceArtifact``.
        Default: no bytecode.
    :param target: the functions' runtime, which the bytecode is for. Default: the Python of
        ``.python-version``, else the oldest Lambda runtime that ``requires-python`` admits.
    :param build_environment: further environment variables for the build. Default: none.
    :param credentials: for the private indexes of build requirements; they are written to no file. Default:
        uv's or pip's own settings, the environment and netrc.
    :param store: keeps the builds. Default: a store in the user's cache directory.
    """

    include: str | Collection[str] | None
    exclude: str | Collection[str] | None
    bytecode: bool
    target: Target | None
    build_environment: Mapping[str, str] | None
    credentials: Given
    store: Store | None


@dataclass(frozen=True, slots=True)
class SourceDir:
    """The directory of a built source.

    :param version: the project's version, from its build backend.
    :param compiler: makes the bytecode of the zip; None for a zip without bytecode.
    """

    path_layout: SourcePathLayout
    version: str
    compiler: Compiler | None = None

    @property
    def path(self) -> Path:
        """The directory; files that you add to it go into the zip."""
        return self.path_layout.dir_build_lambda_source


@dataclass(frozen=True, slots=True)
class BuildAndUploadSourceResult:
    """The location of a project's code in S3.

    :param source_sha256: the hash of the zip's bytes.
    """

    source_version: str
    source_sha256: str
    s3path_source_zip: S3Path


def build_source_dir_using_uv(
    path_pyproject_toml: Path,
    *,
    logger: BaseLogger = _PRINTING,
    **options: Unpack[SourceOptions],
) -> SourceDir:
    """Build a project with uv, and put its code into ``{root}/build/lambda/source``.

    The new directory replaces an older one. It has the files that ``LambdaSourceArtifact`` packs, under their
    names in the zip.

    :param path_pyproject_toml: the project's ``pyproject.toml``.
    :param logger: logs the steps. Default: prints them.
    :param options: see :class:`SourceOptions`.
    :raises LbdartError: when an argument is invalid, or the project cannot be built.
    """
    artifact = _artifact(_WITH_UV, path_pyproject_toml, **options)
    return _source_dir(artifact, SourcePathLayout(path_pyproject_toml), logger)


def build_source_dir_using_pip(
    path_pyproject_toml: Path,
    *,
    logger: BaseLogger = _PRINTING,
    **options: Unpack[SourceOptions],
) -> SourceDir:
    """Do what :func:`build_source_dir_using_uv` does, with the pip of the running Python."""
    artifact = _artifact(_WITH_PIP, path_pyproject_toml, **options)
    return _source_dir(artifact, SourcePathLayout(path_pyproject_toml), logger)


def create_source_zip(source_dir: SourceDir, *, logger: BaseLogger = _PRINTING) -> SourceZip:
    """Pack a source directory into ``{root}/build/lambda/source.zip``.

    Bytecode in the directory is left out; that of its ``compiler`` is added. The bytes depend only on names,
    contents and executable modes, and are equal to those of a ``LambdaSourceArtifact`` with the same files.
    The zip appears whole or not at all.

    :raises LbdartError: when the directory has no code, the zip is larger than Lambda accepts, or its
        bytecode cannot be made.
    """
    logger.log_header("Package the source")
    with claimed(source_dir.path):
        source_zip = _pack(source_dir)
    logger.log(f"{source_zip.path} ({source_zip.path.stat().st_size:,} bytes)")
    return source_zip


def _pack(source_dir: SourceDir) -> SourceZip:
    root, target = source_dir.path, source_dir.path_layout.path_build_lambda_source_zip
    files = wanted_files(root, lambda name: not is_bytecode(name, lambda source: (root / source).is_file()))
    bundle = Bundle(root.name, tuple(stored_file(path, path.relative_to(root).as_posix()) for path in files))
    refuse_without_code(bundle.entries, f"The source in {root}")
    compiler = source_dir.compiler
    merged = merge(compiler.with_bytecode([bundle]) if compiler is not None else [bundle])
    entries = merged.entries
    with scratch(target.parent) as folder:
        finished = folder / target.name
        with finished.open("wb") as file:
            write_zip(file, entries)
        native = scan_entries(root.name, bundle.entries, folder)
        source_zip = SourceZip(
            target,
            sha256_of(finished),
            source_dir.version,
            sum(entry.size for entry in entries),
            native,
            len(bundle.entries),
            bytecode=merged.bytecode,
        )
        replace_file(finished, target)
    return source_zip


def build_and_upload_source_using_uv(
    s3_client: S3Client,
    s3dir_lambda: S3Location,
    path_pyproject_toml: Path,
    *,
    logger: BaseLogger = _PRINTING,
    **options: Unpack[SourceOptions],
) -> BuildAndUploadSourceResult:
    """Build a project with uv, and upload its code to ``{s3dir}/source/{version}/{sha256}/source.zip``.

    Code that is already in S3 is a success and is not uploaded again. The project's directory is only read.
    The other parameters are those of :func:`build_source_dir_using_uv`.

    :param s3dir_lambda: the folder in S3, as ``s3://bucket/prefix``.
    :raises LbdartError: when an argument is invalid, or the project cannot be built or uploaded.
    """
    client = client_for(s3_client, "s3")
    artifact = _artifact(_WITH_UV, path_pyproject_toml, **options)
    return _build_and_upload(client, S3Path.parse(s3dir_lambda), artifact, logger)


def build_and_upload_source_using_pip(
    s3_client: S3Client,
    s3dir_lambda: S3Location,
    path_pyproject_toml: Path,
    *,
    logger: BaseLogger = _PRINTING,
    **options: Unpack[SourceOptions],
) -> BuildAndUploadSourceResult:
    """Do what :func:`build_and_upload_source_using_uv` does, with the pip of the running Python."""
    client = client_for(s3_client, "s3")
    artifact = _artifact(_WITH_PIP, path_pyproject_toml, **options)
    return _build_and_upload(client, S3Path.parse(s3dir_lambda), artifact, logger)


def _artifact(
    frontend: IsolatedBuild,
    path_pyproject_toml: Path,
    *,
    include: str | Collection[str] | None = None,
    exclude: str | Collection[str] | None = None,
    bytecode: bool = False,
    target: Target | None = None,
    build_environment: Mapping[str, str] | None = None,
    credentials: Given = None,
    store: Store | None = None,
) -> SourceArtifact:
    path = checked_pyproject(SourcePathLayout(path_pyproject_toml).path_pyproject_toml)
    project = Project(path.parent, path)
    if target is not None:
        project.refuse_unless_for(target)
    return SourceArtifact(
        project,
        tool_named(frontend.name),
        as_tuple(include),
        as_tuple(exclude),
        store or Store(),
        listed(credentials),
        environment=BuildEnvironment(build_environment or {}),
        frontend=frontend,
        bytecode=(target or Target(project.python())) if bytecode else None,
    )


def _source_dir(artifact: SourceArtifact, layout: SourcePathLayout, logger: BaseLogger) -> SourceDir:
    logger.log_header("Build the source")
    contents = artifact.contents()
    _log_notes(artifact, contents.warnings, logger)
    directory = layout.dir_build_lambda_source
    with claimed(directory), replaced_directory(directory) as folder:
        for entry in contents.entries:
            path = folder / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.read())
            path.chmod(0o755 if entry.executable else 0o644)
    logger.log(f"{directory} ({len(contents.entries)} files, version {contents.version})")
    return SourceDir(layout, contents.version, artifact.compiler)


def _log_notes(artifact: SourceArtifact, warnings: Iterable[BuildWarning], logger: BaseLogger) -> None:
    """Log what is left out, and what may not be as the user expects."""
    if names := left_out(artifact.project, artifact.tool, artifact.include):
        logger.log(left_out_line(names))
    for warning in warnings:
        logger.log(warning.line)


def _build_and_upload(
    s3_client: S3Client, s3dir_lambda: S3Path, artifact: SourceArtifact, logger: BaseLogger
) -> BuildAndUploadSourceResult:
    # The store's zip and not one in the project, which another process could replace before the upload.
    logger.log_header("Build the source")
    source_zip = artifact.build()
    logger.log(f"{artifact.project.name} {source_zip.version} ({source_zip.path.stat().st_size:,} bytes)")
    _log_notes(artifact, source_zip.warnings, logger)
    logger.log_header("Upload the source")
    path = upload_source_zip(
        s3_client, s3dir_lambda, source_zip.path, source_zip.version, source_zip.sha256, logger=logger
    )
    return BuildAndUploadSourceResult(source_zip.version, source_zip.sha256, path)
