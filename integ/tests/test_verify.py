"""The script that verifies a release in a real account, run against the local AWS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from integ.local_aws import LocalAws
from integ.tests.support.cdk_cli import CDK

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/aws.md").read_text()

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.cli,
    pytest.mark.skipif(not CDK.exists(), reason="the cdk CLI is not installed: run make setup"),
]


def test_every_check_holds_and_nothing_is_left(aws: LocalAws) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "integ.verify", "--yes"],
        cwd=ROOT,
        env={**os.environ, **aws.environment(), "CDK_VALIDATION": "false"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.split("--- clean up")[1].strip()  # and nothing that could not be removed
    (shown,) = re.findall(r"^```\n(bootstrap .*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert without_seconds(summary) == without_seconds(shown)


def without_seconds(table: str) -> list[str]:
    return [re.sub(r" +\d+ s ", " ", line) for line in table.strip().splitlines()]
