"""What the user names, as an inventory: a project, a zip, a lock, an SBOM or a layer version."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .output import showing_progress
from .project_options import Asked

if TYPE_CHECKING:
    from ..core.artifacts.layer import LayerArtifact
    from ..core.reports.inventory import Inventory
    from ..core.reports.naming import Named
    from ..core.store.store import Store

#: The start of the first file in a zip; an unfinished zip has it, too.
_ZIP: Final = b"PK\x03\x04"


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where layer versions are."""
    for flag, text in (
        ("--profile", "For a layer version: a profile of the AWS configuration files."),
        ("--region", "For a layer version: its Region."),
    ):
        command = click.option(flag, help=text)(command)
    return command


@dataclass(frozen=True)
class Reader:
    """Reads what the user names.

    :param asked: how projects are built.
    :param folder: a directory for downloads, for as long as the inventories are used.
    :param region: of layer versions; None for the session's.
    :param profile: of the AWS configuration files.
    """

    asked: Asked
    store: Store
    folder: Path
    region: str | None = None
    profile: str | None = None

    def inventory(self, text: str) -> Inventory:
        """Return what is in a project's layer, a file or a layer version.

        :raises LbdartError: when there is no such thing, or it cannot be read.
        """
        path = Path(text)
        return self.file(path) if path.is_file() else self.built(text)

    def file(self, path: Path) -> Inventory:
        """Return what is in a zip, a bill of materials or a lock; the content tells which it is."""
        from ..core.reports.bill import sbom_inventory
        from ..core.reports.locked import lock_inventory
        from ..core.reports.zipped import zip_inventory

        if _is_zip(path):
            return zip_inventory(path)
        content = _read(path)
        return sbom_inventory(content, path.name) if _is_json(content) else lock_inventory(path)

    def built(self, text: str) -> Inventory:
        """Return what is in a zip, in a layer version, or in the layer of a project, which is built."""
        from ..core.reports.zipped import zip_inventory

        path = Path(text)
        if _is_zip(path):
            return zip_inventory(path)
        if (version := _version(path, text)) is not None:
            return self._published(version)
        layer = self._layer(text)
        with showing_progress():
            archive = layer.build()
        with self.store.guarded(archive):
            return zip_inventory(archive, f"the layer of {layer.project.name}")

    def python(self, text: str) -> tuple[int, int] | None:
        """Return the version of Python that what the user names is for; None when nothing says it."""
        from ..core.project.target import Target

        path = Path(text)
        if _is_zip(path) or _version(path, text) is not None:
            runtime = self.asked.runtime
            return Target.from_runtime(runtime).python if runtime is not None else None
        return self._layer(text).target.python

    def _layer(self, text: str) -> LayerArtifact:
        return replace(self.asked, project=text).layer(self.store)

    def _published(self, version: Named) -> Inventory:
        from ..core.reports.aws import client_of, session_of
        from ..core.reports.layer_version import download
        from ..core.reports.zipped import zip_inventory

        client = client_of(session_of(version.region or self.region, self.profile), "lambda")
        folder = self.folder / str(len(list(self.folder.iterdir())))
        folder.mkdir()
        return zip_inventory(download(version, client, folder), str(version))


@contextmanager
def reader(asked: Asked, region: str | None, profile: str | None) -> Iterator[Reader]:
    """Return what reads inventories, whose files are there until the block ends."""
    from ..core.store.store import Store

    store = Store()
    with store.scratch() as folder:
        yield Reader(asked, store, folder, region, profile)


def _version(path: Path, text: str) -> Named | None:
    """Return the layer version that a text names, if it does not name a path."""
    from ..core.reports.naming import Named

    return None if path.exists() else Named.version(text)


def _is_zip(path: Path) -> bool:
    """Tell whether a file is to be read as a zip."""
    try:
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP or zipfile.is_zipfile(file)
    except OSError:
        return False


def _read(path: Path) -> bytes:
    """Return the bytes of a file.

    :raises LbdartError: when it cannot be read.
    """
    from ..core.errors import unreadable

    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(
            error, f"{path} cannot be read: {error.strerror or error}.", "Check that you may read it."
        ) from error


def _is_json(content: bytes) -> bool:
    from ..core.project.toml import decoded

    return decoded(content[:1000]).lstrip().startswith("{")
