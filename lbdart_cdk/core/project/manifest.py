"""A manifest file and its hashes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..errors import unreadable
from ..publishing.manifest import LayerManifest, md5_of


@dataclass(frozen=True)
class ManifestFile:
    """A manifest: ``uv.lock``, ``poetry.lock``, ``pdm.lock``, ``requirements.txt`` or ``pylock.toml``.

    The file is read once, so that the hashes and the content agree.

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
            raise unreadable(
                error,
                f"The manifest {self.path_manifest} cannot be read: {error.strerror or error}.",
                "Create it with your packaging tool (for uv: `uv lock`), or correct the path.",
            ) from error

    @property
    def is_unchanged(self) -> bool:
        """Whether the file still has the content that was read."""
        return ManifestFile(self.path_manifest).content == self.content

    @cached_property
    def md5(self) -> str:
        """The MD5 of the content, 32 hex digits: a consistency check, not a protection."""
        return md5_of(self.content)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content, 64 hex digits."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def manifest(self) -> LayerManifest:
        """The name, MD5 and content as one value."""
        return LayerManifest(self.name, self.md5, self.content)
