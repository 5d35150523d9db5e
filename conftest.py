"""What is set before anything of the tests is imported, and jsii starts its node."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

#: The node, uv and pip of the environment that the tests run in are found before those of the machine.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
#: What jsii unpacks of the CDK takes seconds, and tests have homes of their own: the cache is the user's.
os.environ["JSII_RUNTIME_PACKAGE_CACHE_ROOT"] = str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache")
os.environ["JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION"] = "1"
os.environ["JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION"] = "1"

#: Files whose tests take turns: they share one Docker engine, or one set of downloads.
TAKE_TURNS = (
    "integ/docker/test_container_builds.py",
    "tests/registry/test_matrix.py",
    "tests/registry/test_real_wheels.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Give each test to the next free worker, and the tests of a file that take turns to one worker.

    xdist's own groups do not work with this pytest: they rename a test, whose name is computed.
    """
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return path if path in TAKE_TURNS else nodeid

    return Scheduling(config, log)
