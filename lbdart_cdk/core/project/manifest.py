"""A manifest file and its MD5."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import LbdartError
from ..publishing.manifest import LayerManifest, md5_of


@dataclass(frozen=True)
class LayerManifestManager:
    """A manifest (uv.lock, poetry.lock, requirements.txt, pylock.toml) and its MD5.

    The file is read once, so that the MD5 and the content agree.

    :param path_manifest: path of the manifest.
    """

    path_manifest: Path

    @property
    def name(self) -> str:
        """The file name, which S3 keys use too."""
        return self.path_manifest.name

    @cached_property
    def content(self) -> bytes:
        """The bytes of the manifest.

        :raises LbdartError: when the file cannot be read.
        """
        try:
            return self.path_manifest.read_bytes()
        except OSError as error:
            raise LbdartError(
                f"The manifest {self.path_manifest} cannot be read: {error.strerror or error}.",
                "Create it with your packaging tool (for uv: `uv lock`), or correct the path.",
            ) from error

    @cached_property
    def md5(self) -> str:
        """The MD5 of the content, 32 hex digits: a consistency check, not a protection."""
        return md5_of(self.content)

    @property
    def manifest(self) -> LayerManifest:
        """The name, MD5 and content as one value."""
        return LayerManifest(self.name, self.md5, self.content)
