"""The real cdk command line, in a folder with an app."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from integ.local_aws import LocalAws

ROOT: Final = Path(__file__).parents[3]
CDK: Final = ROOT / "integ" / "node_modules" / ".bin" / "cdk"
TIMEOUT: Final = 120  # seconds for one command
_OPTIONS: Final = ("--no-notices", "--no-color", "--ci")


class Cdk:
    """The command line in a folder with an app, and the one stack of the app."""

    def __init__(self, aws: LocalAws, folder: Path, app: str, stack: str) -> None:
        self.aws = aws
        self.folder = folder
        self.stack = stack
        # CDK's own checks of templates take seconds to load, in each process anew.
        checks = {"CDK_VALIDATION": "false"}
        self.environment = {**os.environ, **aws.environment(), **checks, "PYTHONPATH": str(ROOT)}
        folder.joinpath("cdk.json").write_text(json.dumps({"app": f"{shlex.quote(sys.executable)} {app}"}))

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command, and clear what was recorded before of the calls to AWS."""
        self.aws.calls.clear()
        return subprocess.run(
            [CDK, *arguments, *_OPTIONS],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    @contextlib.contextmanager
    def running(self, *arguments: str, output: TextIO) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command that does not end by itself until the block ends, and write what it prints to a file.

        It is ended as a group: ``node`` may be a script of the virtual environment that starts the real one.
        The real one may then stay a zombie that nobody waits for, and holds the lock of its output folder; so
        each run has a folder of its own.
        """
        output_folder = tempfile.mkdtemp(prefix="cdk.out.", dir=self.folder)
        process = subprocess.Popen(
            [CDK, *arguments, "--output", output_folder, *_OPTIONS],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(TIMEOUT)

    def __call__(self, *arguments: str, **environment: str) -> str:
        """Run a command that succeeds; return what it printed."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs."""
        (found,) = self.aws.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"]
        return {row["OutputKey"]: row["OutputValue"] for row in found["Outputs"]}

    def invoke(self, event: object = None) -> dict[str, Any]:
        """Call the stack's function, and return its answer."""
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.outputs["FunctionName"], Payload=json.dumps(event)
        )
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return dict(payload)

    def versions(self, arn: str) -> list[int]:
        """Numbers of the versions of a layer, of which one's ARN is given."""
        rows = self.aws.client("lambda").list_layer_versions(LayerName=arn.split(":")[-2])["LayerVersions"]
        return sorted(row["Version"] for row in rows)
