"""What is set before anything of the tests is imported, and jsii starts its node."""

from __future__ import annotations

import os
import sys
from pathlib import Path

#: The node, uv and pip of the environment that the tests run in are found before those of the machine.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
#: What jsii unpacks of the CDK takes seconds, and tests have homes of their own: the cache is the user's.
os.environ["JSII_RUNTIME_PACKAGE_CACHE_ROOT"] = str(Path.home() / ".cache" / "aws" / "jsii" / "package-cache")
os.environ["JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION"] = "1"
os.environ["JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION"] = "1"
