"""``make demo`` prints what the page shows. It takes its packages from the index that uv is set up with."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from integ.tests.support.cdk_cli import CDK, ROOT
from tests.support.pages import block

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.cli,
    pytest.mark.registry,
    pytest.mark.skipif(not CDK.exists(), reason="the cdk CLI is not installed: run make setup"),
    # The page shows the packages that the lock of the example has for this Python.
    pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the page shows a run on Python 3.11"),
]

#: The environment as it was when Python started: tests run without the settings of pip and uv.
_ENVIRONMENT = dict(os.environ)


def in_general(text: str) -> list[str]:
    """Return the lines without what is another one each time."""
    masks = {
        r"127\.0\.0\.1:\d+": "PLACE",
        r"done in \d+ s": "done in N s",
        r"publisherbucket6d127c20-\w+": "publisherbucket",
        r"\(\d+ bytes\)": "(N bytes)",
    }
    for pattern, mask in masks.items():
        text = re.sub(pattern, mask, text)
    return text.strip().splitlines()


def test_the_demo_prints_what_is_shown() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "integ.demo"],
        cwd=ROOT,
        env=_ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    if re.search(
        "could not be (reached|resolved)|error sending request|resolve host", done.stdout + done.stderr
    ):
        pytest.skip("the index of uv cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    assert in_general(done.stdout) == in_general(block("docs/getting_started.md", "A local AWS "))
