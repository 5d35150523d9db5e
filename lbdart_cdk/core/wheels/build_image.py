"""The Lambda build image, and the permission to build in it.

Source: *AWS SAM build images* (Amazon ECR Public Gallery).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..errors import LbdartError
from ..project.target import Target

#: Lambda's name of an architecture -> Docker's name of the platform.
_PLATFORM: Final = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}


@dataclass(frozen=True, slots=True)
class BuildContainer:
    """Allows builds in a container, and says in which one.

    :param image: the image to build in; may be pinned, as in ``name@sha256:...``. Default: AWS's build image
        for the target.
    :param network: the Docker network to use; ``"host"`` lets a build reach an index on this machine.
        Default: Docker's own.
    :param every_source: whether pure Python is built there too, so that no third-party build script runs on
        this machine.
    :raises LbdartError: when ``image`` is not the name of an image.
    """

    image: str | None = None
    network: str | None = None
    every_source: bool = False

    def __post_init__(self) -> None:
        if self.image is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", self.image):
            raise LbdartError(
                f"{self.image!r} is not the name of a container image.",
                f"Name an image like {_default_image(Target((3, 13)))}, or name none to use AWS's image.",
            )

    @classmethod
    def asked(cls, asked: bool | BuildContainer) -> BuildContainer | None:
        """Return the container that a prop asks for, or None.

        :param asked: True for the default container, False for none.
        """
        if isinstance(asked, BuildContainer):
            return asked
        return cls() if asked else None

    def image_uri(self, target: Target) -> str:
        """Return the image to build in for a target."""
        return self.image or _default_image(target)

    def inputs(self, target: Target) -> dict[str, str | bool]:
        """Return the settings that are inputs of a layer's build key; empty for the default container."""
        image = self.image_uri(target)
        named = {"build_image": image} if image != _default_image(target) else {}
        return {**named, **({"every_source": True} if self.every_source else {})}


def _default_image(target: Target) -> str:
    return f"public.ecr.aws/sam/build-{target.runtime}:latest-{target.architecture}"


def platform_of(target: Target) -> str:
    """Return Docker's name of the target's platform: ``linux/amd64`` or ``linux/arm64``."""
    return _PLATFORM[target.architecture]


#: The directory in the container at which the project is mounted.
CONTAINER_ROOT = "/var/task"
