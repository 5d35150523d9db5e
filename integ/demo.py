"""``make demo``: the example app on the local AWS, with the real cdk command line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from integ.local_aws import LocalAws

_ROOT: Final = Path(__file__).resolve().parents[1]
_TIMEOUT: Final = 300  # seconds for one command
_STACK: Final = "Orders"
_ORDER: Final = {
    "items": [
        {"sku": "tea", "quantity": 3, "unit_price": 4.5},
        {"sku": "cup", "quantity": 1, "unit_price": 12},
    ],
    "discount": 10,
}


class Demo:
    """A copy of the example app in its own folder, and the commands that deploy it."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        self._aws = aws
        self._folder = folder
        self._environment = {**os.environ, **aws.environment(), "PYTHONPATH": str(folder)}
        shutil.copytree(
            _ROOT / "integ" / "example", folder / "example", ignore=shutil.ignore_patterns("cdk.out")
        )
        (folder / "cdk.json").write_text('{"app": "python -m example.app"}')

    @property
    def project(self) -> Path:
        """The directory of the function's project."""
        return self._folder / "example" / "orders"

    def run(self, *command: str, cwd: Path | None = None) -> None:
        """Run a command; show its output only when it fails."""
        result = subprocess.run(
            command,
            cwd=cwd or self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if result.returncode:
            sys.exit(f"{result.stdout}\n{' '.join(command)} failed with exit code {result.returncode}.")

    def cdk(self, *arguments: str) -> None:
        """Run the cdk command line and show how long it took."""
        print(f"$ cdk {' '.join(arguments)}", flush=True)
        started = time.monotonic()
        self.run("cdk", *arguments, "--no-notices", "--ci")
        print(f"  done in {time.monotonic() - started:.0f} s", flush=True)

    def deploy(self) -> None:
        """Deploy the stack; show the layer version, the source and the function's answer."""
        before = len(self._aws.calls.of("PublishLayerVersion"))
        self.cdk("deploy", "--require-approval", "never")
        published = len(self._aws.calls.of("PublishLayerVersion")) - before
        outputs = self._outputs()
        print(f"  layer version   {outputs['LayerVersionArn']} ({published} published by this deployment)")
        print(f"  source          {outputs['SourceUri']}")
        print(f"  answer          {json.dumps(self._invoke(outputs['FunctionName']))}")

    def show_history(self) -> None:
        """Print the objects in the stack's bucket, and the layer versions."""
        s3 = self._aws.client("s3")
        for bucket in s3.list_buckets()["Buckets"]:
            if not bucket["Name"].startswith("cdk-"):
                for row in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
                    print(f"  s3://{bucket['Name']}/{row['Key']} ({row['Size']} bytes)")
        functions = self._aws.client("lambda")
        for layer in functions.list_layers()["Layers"]:
            for version in functions.list_layer_versions(LayerName=layer["LayerName"])["LayerVersions"]:
                print(f"  {version['LayerVersionArn']}")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file of the project."""
        file = self.project / path
        text = file.read_text()
        if old not in text:
            sys.exit(f"The example changed: {path} has no {old!r}.")
        file.write_text(text.replace(old, new))

    def _outputs(self) -> Mapping[str, str]:
        (stack,) = self._aws.client("cloudformation").describe_stacks(StackName=_STACK)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def _invoke(self, function: str) -> Any:
        response = self._aws.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(_ORDER).encode()
        )
        answer = json.load(response["Payload"])
        if "FunctionError" in response:
            sys.exit(f"The function failed: {answer}")
        return answer


def main() -> None:
    """Run the demo; at its end, also by Ctrl-C, stop the local AWS and delete the folder."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="lbdart-demo-") as folder, LocalAws() as aws:
        print(f"A local AWS answers on {aws.endpoint_url}", flush=True)
        demo = Demo(aws, Path(folder))
        demo.run("uv", "lock", "--quiet", cwd=demo.project)

        demo.cdk("bootstrap")
        _title("First deployment: the layer is built from uv.lock and published")
        demo.deploy()
        demo.show_history()

        _title("Deployed again, unchanged: nothing is built, nothing is published")
        demo.deploy()

        _title("One line of the function's code changed: a new source zip, the same layer version")
        demo.edit("src/orders/app.py", 'CURRENCY = "EUR"', 'CURRENCY = "CHF"')
        demo.deploy()

        _title("One dependency changed: layer version 2, and the manifests of both in S3")
        demo.edit("pyproject.toml", "pydantic==2.12.5", "pydantic==2.12.4")
        demo.run("uv", "lock", "--quiet", cwd=demo.project)
        demo.deploy()
        demo.show_history()

        _title("The stack is destroyed: versions and history stay")
        demo.cdk("destroy", "--force")
        demo.show_history()


def _title(text: str) -> None:
    print(f"\n--- {text}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
