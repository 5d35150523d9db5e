"""Invokes functions: keeps warm environments, retries asynchronous events."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from integ.local_aws.functions.archives import ArchiveStore
from integ.local_aws.functions.environment import Environment, Host, lay_out_runtime
from integ.local_aws.functions.spec import FunctionSpec, Result

__all__ = ["Executor"]


class Executor:
    """Runs functions in warm processes below ``directory``.

    :param variables: what each process gets in its environment besides the function's own
    :param retry_seconds: the pause before an asynchronous event is tried again (a minute and more on AWS)
    :param report: gets the function, the log stream and the text after each invocation
    """

    MAX_WARM = 12

    def __init__(
        self,
        directory: Path,
        variables: dict[str, str],
        retry_seconds: float,
        report: Callable[[FunctionSpec, str, str], None],
    ) -> None:
        lay_out_runtime(directory / "runtime")
        self._logs_dir = directory / "logs"
        self._logs_dir.mkdir()
        self._host = Host(ArchiveStore(directory / "archives"), directory / "runtime", variables)
        self._retry_seconds = retry_seconds
        self._report = report
        self._lock = threading.Lock()
        self._idle: list[Environment] = []  # the least recently used first
        self._busy: set[Environment] = set()
        self._logs: dict[str, list[Path]] = {}
        self._callers: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._stopping = threading.Event()
        self._events = ThreadPoolExecutor(max_workers=16, thread_name_prefix="lambda-event")

    def invoke(self, spec: FunctionSpec, payload: bytes, request_id: str | None = None) -> Result:
        """Invoke once and wait."""
        environment = self._acquire(spec)
        try:
            result = environment.invoke(request_id or str(uuid.uuid4()), payload)
        finally:
            self._release(environment)
        self._report(spec, environment.log.stem, result.log)
        return result

    def invoke_event(self, spec: FunctionSpec, payload: bytes, retries: int = 2) -> Future[Result]:
        """Invoke as ``InvocationType=Event``: an error or a crash is tried again with the same request id.

        :return: the result of the last attempt
        """
        return self._events.submit(self._attempts, spec, payload, retries)

    def logs(self, function_name: str) -> str:
        """Everything that the function's processes wrote, one process after the other."""
        with self._lock:
            files = list(self._logs.get(function_name, ()))
        return "".join(file.read_text(errors="replace").replace("\r", "\n") for file in files)

    def function_of(self, access_key: str) -> str | None:
        """The function whose process signs its API calls with this access key."""
        return self._callers.get(access_key)

    def stop(self) -> None:
        """End every process."""
        self._stopping.set()
        with self._lock:
            environments = [*self._idle, *self._busy]
            self._idle.clear()
        for environment in environments:
            environment.stop()
        self._events.shutdown(wait=True, cancel_futures=True)

    def _attempts(self, spec: FunctionSpec, payload: bytes, retries: int) -> Result:
        request_id = str(uuid.uuid4())
        for _ in range(retries):
            result = self.invoke(spec, payload, request_id)
            if not result.error or self._stopping.wait(self._retry_seconds):
                return result
        return self.invoke(spec, payload, request_id)

    def _acquire(self, spec: FunctionSpec) -> Environment:
        with self._lock:
            stale = [
                env for env in self._idle if not env.alive or (env.spec.arn == spec.arn and env.spec != spec)
            ]
            stale += self._idle[: -self.MAX_WARM] if len(self._idle) > self.MAX_WARM else []
            self._idle = [env for env in self._idle if env not in stale]
            warm = next((env for env in self._idle if env.spec == spec), None)
            if warm:
                self._idle.remove(warm)
                self._busy.add(warm)
        for environment in stale:
            environment.stop()
        return warm or self._start(spec)

    def _start(self, spec: FunctionSpec) -> Environment:
        with self._lock:
            number = next(self._numbers)
            access_key = f"ASIAFUNCTION{number:08}"
            log = self._logs_dir / f"{number:04}-{spec.name}.log"
            log.touch()
            self._logs.setdefault(spec.name, []).append(log)
            self._callers[access_key] = spec.name
        environment = Environment(spec, self._host, log, access_key)
        with self._lock:
            self._busy.add(environment)
            stopping = self._stopping.is_set()
        if stopping:
            environment.stop()
        return environment

    def _release(self, environment: Environment) -> None:
        with self._lock:
            self._busy.discard(environment)
            keep = environment.alive and not self._stopping.is_set()
            if keep:
                self._idle.append(environment)
        if not keep:
            environment.stop()
