"""The Lambda build image, and the permission to build in it.

Source: *AWS SAM build images* (Amazon ECR Public Gallery).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..errors import LbdartError
from ..project.target import Target

#: Lambda's architecture name -> the platform as Docker names it.
_PLATFORM: Final = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


@dataclass(frozen=True, slots=True)
class BuildContainer:
    """The permission to build in a container, and in which.

    ``image`` defaults to AWS's build image for the target, and may be pinned: ``name@sha256:...``.
    ``network`` is Docker's, by default its own; ``"host"`` lets a build reach an index on this machine.
    With ``every_source`` also what turns out to be pure Python is built there, so that nobody else's
    build script runs on this machine. Raises :class:`LbdartError` for what is no name of an image.
    """

    image: str | None = None
    network: str | None = None
    every_source: bool = False

    def __post_init__(self) -> None:
        if self.image is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", self.image):
            raise LbdartError(
                f"{self.image!r} is not the name of a container image.",
                f"Write it as in {_default_image(Target((3, 13)))}, or leave it out.",
            )

    @classmethod
    def asked(cls, asked: bool | BuildContainer) -> BuildContainer | None:
        """Return what a prop says that is True, False or the container itself."""
        if isinstance(asked, BuildContainer):
            return asked
        return cls() if asked else None

    def image_uri(self, target: Target) -> str:
        """Return the image to build in for a target."""
        return self.image or _default_image(target)

    def inputs(self, target: Target) -> dict[str, str | bool]:
        """Return what of it is an input of a layer that something is built for; the default is none."""
        image = self.image_uri(target)
        named = {"build_image": image} if image != _default_image(target) else {}
        return {**named, **({"every_source": True} if self.every_source else {})}


def _default_image(target: Target) -> str:
    return f"public.ecr.aws/sam/build-{target.runtime}:latest-{target.architecture}"


def platform_of(target: Target) -> str:
    """Return Docker's name of the target's platform: ``linux/amd64`` or ``linux/arm64``."""
    return _PLATFORM[target.architecture]


CONTAINER_ROOT = "/var/task"
"""Where the Lambda build image has the project mounted."""
