"""The Lambda runtime that the code will run on; it alone decides markers, tags and glibc.

Sources: *Lambda runtimes* (AWS Lambda Developer Guide) for the operating systems, PEP 600 for
manylinux, PEP 425 for tags, PEP 508 for markers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.tags import Tag, compatible_tags, cpython_tags

from ..errors import InvalidError

if TYPE_CHECKING:
    from packaging.markers import Environment
    from packaging.specifiers import SpecifierSet

#: The glibc of each Python runtime: Amazon Linux 2 up to Python 3.11, Amazon Linux 2023 from 3.12 on.
_GLIBC: Final = {
    (3, 9): (2, 26),
    (3, 10): (2, 26),
    (3, 11): (2, 26),
    (3, 12): (2, 34),
    (3, 13): (2, 34),
    (3, 14): (2, 34),
    (3, 15): (2, 34),
}
#: Lambda's architecture name -> the machine name that wheels and markers use.
_MACHINE: Final = {"x86_64": "x86_64", "arm64": "aarch64"}
#: The oldest glibc that a manylinux wheel of the machine can name (PEP 600).
_OLDEST_GLIBC: Final = {"x86_64": (2, 5), "aarch64": (2, 17)}
#: The manylinux names from before PEP 600, by the glibc that each stands for.
_LEGACY_MANYLINUX: Final = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}

SUPPORTED_PYTHONS: Final = tuple(sorted(_GLIBC))
ARCHITECTURES: Final = tuple(_MACHINE)
SUPPORTED_RUNTIMES: Final = tuple(f"python{major}.{minor}" for major, minor in SUPPORTED_PYTHONS)
_NEWEST: Final = SUPPORTED_PYTHONS[-1]


@dataclass(frozen=True, slots=True)
class Target:
    """A Lambda runtime on an architecture, for example ``Target((3, 13), "arm64")``.

    A Python 3 that is newer than this library gets the glibc of the newest one that is known.

    :param python: the major and minor version of Python.
    :param architecture: ``x86_64`` or ``arm64``, as in Lambda's API.
    :raises LbdartError: when Lambda does not have the Python or the architecture.
    """

    python: tuple[int, int]
    architecture: str = "x86_64"

    def __post_init__(self) -> None:
        if not self.is_known and (self.python < _NEWEST or self.python[0] != _NEWEST[0]):
            raise InvalidError(
                f"Lambda has no runtime {self.runtime} that this library knows.",
                f"Choose one of {', '.join(SUPPORTED_RUNTIMES)}.",
            )
        if self.architecture not in _MACHINE:
            raise InvalidError(
                f"Lambda has no architecture {self.architecture!r}.", "Choose x86_64 or arm64."
            )

    @classmethod
    def from_runtime(cls, runtime: str, architecture: str = "x86_64") -> Target:
        """Return the target for the name of a Lambda runtime, such as ``python3.13``.

        :raises LbdartError: when it is not a Python runtime of Lambda.
        """
        match = re.fullmatch(r"python(\d+)\.(\d+)", runtime)
        if match is None:
            raise InvalidError(
                f"The runtime {runtime!r} is not a Python runtime of Lambda.",
                f"Choose one of {', '.join(SUPPORTED_RUNTIMES)}.",
            )
        return cls((int(match[1]), int(match[2])), architecture)

    @property
    def is_known(self) -> bool:
        """Whether the runtime is one of :data:`SUPPORTED_RUNTIMES`, so that its glibc is known."""
        return self.python in _GLIBC

    @property
    def runtime(self) -> str:
        """The runtime's name in Lambda's API: ``python3.13``."""
        return f"python{self.python_version}"

    @property
    def python_version(self) -> str:
        """``3.13``, the value of the marker ``python_version``."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def machine(self) -> str:
        """``x86_64`` or ``aarch64``, the value of ``platform.machine()`` on the target."""
        return _MACHINE[self.architecture]

    @property
    def glibc(self) -> tuple[int, int]:
        """The version of the C library in the runtime's image."""
        return _GLIBC[self.python if self.is_known else _NEWEST]

    def __str__(self) -> str:
        """Return the target as messages show it."""
        return f"{self.runtime} on {self.architecture} (glibc {self.glibc[0]}.{self.glibc[1]})"

    def platforms(self) -> Iterator[str]:
        """Yield the platform tags that load on the target, best first."""
        for minor in range(self.glibc[1], _OLDEST_GLIBC[self.machine][1] - 1, -1):
            yield f"manylinux_2_{minor}_{self.machine}"
            if (2, minor) in _LEGACY_MANYLINUX:
                yield f"{_LEGACY_MANYLINUX[2, minor]}_{self.machine}"
        yield f"linux_{self.machine}"

    def tags(self) -> tuple[Tag, ...]:
        """Return the wheel tags that load on the target, best first (PEP 425)."""
        interpreter = f"cp{self.python[0]}{self.python[1]}"
        platforms = tuple(self.platforms())
        return (
            *cpython_tags(self.python, abis=[interpreter], platforms=platforms),
            *compatible_tags(self.python, interpreter=interpreter, platforms=platforms),
        )

    def environment(self) -> Environment:
        """Return the marker environment of the target (PEP 508).

        Lambda updates its runtimes to the newest micro release, which this machine cannot know. A marker
        compares micro releases to ask "older than a fix?", so this environment has a micro release above all.
        """
        full = f"{self.python_version}.99"
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full,
            "python_version": self.python_version,
            "sys_platform": "linux",
        }


def oldest_admitted(requires_python: SpecifierSet) -> tuple[int, int] | None:
    """Return the oldest Python of Lambda that ``requires-python`` admits, or None."""
    return next(
        (python for python in SUPPORTED_PYTHONS if requires_python.contains(f"{python[0]}.{python[1]}.99")),
        None,
    )


#: *Lambda quotas* (AWS Lambda Developer Guide): a function's code and all its layers, unzipped, in bytes.
MAX_UNZIPPED: Final = 262_144_000
