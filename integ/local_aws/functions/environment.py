"""One execution environment: a warm process that serves one invocation at a time."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from integ.local_aws.functions.archives import ArchiveStore
from integ.local_aws.functions.interpreters import find_interpreter
from integ.local_aws.functions.runtime_api import Invocation, Report, RuntimeApi
from integ.local_aws.functions.spec import FunctionSpec, Result

__all__ = ["INIT_SECONDS", "Environment", "Host", "lay_out_runtime"]

#: Lambda gives a function's initialisation 10 s besides its timeout.
INIT_SECONDS = 10.0

#: What Lambda's Python runtimes bring besides the standard library: the SDK, and the runtime client.
_RUNTIME_MODULES = (
    *("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six"),
    *("awslambdaric", "simplejson", "snapshot_restore_py"),
)


@dataclass(frozen=True)
class Host:
    """What all environments share: the machine, so to say."""

    archives: ArchiveStore
    runtime_dir: Path
    variables: dict[str, str]


def lay_out_runtime(directory: Path) -> None:
    """Make the stand-in of ``/var/runtime``: links to those modules, and to nothing else installed."""
    directory.mkdir(parents=True)
    for name in _RUNTIME_MODULES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(
                f"The local AWS needs {name} to run functions: install the dev requirements."
            )
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (directory / source.name).symlink_to(source)
    shim = Path(__file__).parent / "shim" / "runtime_client.py"
    (directory / shim.name).symlink_to(shim)


class Environment:
    """A process of one function; :meth:`invoke` it, from one thread at a time, until it is not ``alive``."""

    def __init__(self, spec: FunctionSpec, host: Host, log: Path, access_key: str) -> None:
        self.spec = spec
        self.log = log
        self._api = RuntimeApi()
        self._ready = False
        self._stopped = False
        interpreter, remark = find_interpreter(spec.runtime)
        if remark:
            self._note(remark)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [interpreter, "-S", "-s", "-m", "awslambdaric", spec.handler],
                cwd=host.archives.unzipped(spec.code),
                env=self._variables(host, access_key),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    @property
    def alive(self) -> bool:
        """Whether another invocation may be sent."""
        return not self._stopped and self._process.poll() is None

    def invoke(self, request_id: str, payload: bytes) -> Result:
        """Run one invocation to its end, whatever that is."""
        start = self.log.stat().st_size
        self._note(f"START RequestId: {request_id} Version: {self.spec.version}")
        result = self._run(request_id, payload)
        self._note(f"END RequestId: {request_id}")
        text = self.log.read_bytes()[start:].decode(errors="replace").replace("\r", "\n")
        return Result(result.payload, result.error, text)

    def stop(self) -> None:
        """Kill the process and everything it started; harmless when done twice."""
        self._stopped = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._watcher.join()
        self._api.close()

    def _run(self, request_id: str, payload: bytes) -> Result:
        if not self._ready:
            report = self._await({"ready"}, INIT_SECONDS + self.spec.timeout)
            if report is None or report.kind != "ready":
                return self._ended(request_id, report)
            self._ready = True
        deadline = time.time() + self.spec.timeout
        self._api.send(Invocation(request_id, self.spec.arn, payload, int(deadline * 1000)))
        report = self._await({"response", "error"}, self.spec.timeout)
        if report is None or report.kind not in {"response", "error"}:
            return self._ended(request_id, report)
        return Result(report.payload, report.kind == "error")

    def _await(self, kinds: set[str], seconds: float) -> Report | None:
        # A process that died right after its answer has answered: reports come in order.
        deadline = time.monotonic() + seconds
        while True:
            try:
                report = self._api.reports.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if report.kind in kinds or report.kind in {"init_error", "exit"}:
                return report

    def _ended(self, request_id: str, report: Report | None) -> Result:
        self.stop()
        prefix = f"RequestId: {request_id} Error: "
        if report is None:
            message = f"{prefix}Task timed out after {self.spec.timeout:.2f} seconds"
            self._note(message)
            return Result.failed("Sandbox.Timedout", message)
        if report.kind == "init_error":
            return Result(report.payload, error=True)
        if report.exit_code == 0:
            reason = "Runtime exited without providing a reason"
        elif report.exit_code < 0:
            reason = f"Runtime exited with error: signal: {signal.Signals(-report.exit_code).name}"
        else:
            reason = f"Runtime exited with error: exit status {report.exit_code}"
        self._note(prefix + reason)
        return Result.failed("Runtime.ExitError", prefix + reason)

    def _watch(self) -> None:
        self._api.reports.put(Report("exit", exit_code=self._process.wait()))

    def _note(self, line: str) -> None:
        # The process appends to the same file, so lines are in the order in which they were written.
        with self.log.open("ab") as file:
            file.write(line.encode() + b"\n")

    def _variables(self, host: Host, access_key: str) -> dict[str, str]:
        spec, opt = self.spec, host.archives.merged(self.spec.layers)
        task_root = host.archives.unzipped(spec.code)
        python_path = (
            task_root,
            opt / "python/lib" / spec.runtime / "site-packages",
            opt / "python",
            host.runtime_dir,
        )
        return {
            **host.variables,
            "PATH": os.pathsep.join((os.defpath, str(opt / "bin"))),
            "LD_LIBRARY_PATH": str(opt / "lib"),
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": spec.handler,
            "LAMBDA_TASK_ROOT": str(task_root),
            "LAMBDA_RUNTIME_DIR": str(host.runtime_dir),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": spec.name,
            "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log.stem,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_ACCESS_KEY_ID": access_key,
            **dict(spec.variables),
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "PYTHONPATH": os.pathsep.join(map(str, python_path)),
        }
