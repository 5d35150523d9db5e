"""What was asked of the local AWS, and which calls shall fail: the two hooks for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from integ.local_aws.errors import AwsError

__all__ = ["Call", "Calls", "Fault", "Faults"]

_POLICY_CHANGES = frozenset({"PutRolePolicy", "DeleteRolePolicy", "AttachRolePolicy", "CreatePolicyVersion"})


@dataclass
class Call:
    """One API call.

    ``caller`` is ``function:NAME`` for a call made inside a Lambda function, ``cloudformation`` for one
    made by a stack operation, and ``client`` for everything else (tests, the cdk CLI). ``status`` is the
    HTTP status of the answer, None until there is one. Blobs in ``parameters`` are given by their length.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    caller: str = "client"
    status: int | None = None


class Calls:
    """Every call so far, oldest first."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    def record(self, call: Call) -> None:
        """Append a call."""
        self._calls.append(call)

    def clear(self) -> None:
        """Forget what happened so far."""
        self._calls.clear()

    def of(self, operation: str) -> list[Call]:
        """The calls of one operation, e.g. ``PublishLayerVersion``."""
        return [call for call in self if call.operation == operation]

    def by(self, caller: str) -> list[Call]:
        """The calls of one caller, or of all functions for ``function``."""
        return [call for call in self if call.caller == caller or call.caller.split(":")[0] == caller]


@dataclass
class Fault:
    """A failure to come, see :meth:`Faults.add`; ``hits`` counts how often it struck."""

    operation: str
    code: str
    message: str
    status: int
    when: Literal["before", "after"]
    nth: int
    times: int
    caller: str | None
    seen: int = field(default=0)
    hits: int = field(default=0)

    def error(self) -> AwsError:
        """The error the caller gets."""
        return AwsError(self.code, self.message, self.status)


class Faults:
    """The failures that tests have ordered."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._spread_seconds = 0.0
        self._spread_until = 0.0

    def add(
        self,
        operation: str,
        code: str = "ServiceException",
        *,
        status: int = 500,
        message: str = "An ordered failure.",
        when: Literal["before", "after"] = "before",
        nth: int = 1,
        times: int = 1,
        caller: str | None = None,
    ) -> Fault:
        """Let calls of ``operation`` fail: from the ``nth`` on (1 is the next), ``times`` in a row.

        ``after`` fails a call that took effect, as a lost answer does. SDKs retry a 5xx and throttling;
        a 4xx such as ``status=403, code="AccessDenied"`` reaches the code under test at once.

        :param caller: only calls of this caller, see :class:`Call` (``function`` is any function)
        """
        fault = Fault(operation, code, message, status, when, nth, times, caller)
        with self._lock:
            self._faults.append(fault)
        return fault

    def throttle(self, operation: str, *, times: int = 1, caller: str | None = None) -> Fault:
        """Let the next ``times`` calls be throttled; SDKs retry these by themselves."""
        return self.add(
            operation,
            "TooManyRequestsException",
            status=429,
            message="Rate exceeded",
            times=times,
            caller=caller,
        )

    def refuse(
        self, operation: str, *, message: str = "An ordered denial.", caller: str | None = None
    ) -> Fault:
        """Deny all calls of ``operation``, as AWS does when a permission is missing."""
        code = "AccessDeniedException"
        return self.add(operation, code, status=403, message=message, times=10**6, caller=caller)

    def spread_slowly(self, seconds: float) -> None:
        """Deny the calls of functions for so long after each change of a policy, as IAM now and then does."""
        self._spread_seconds = seconds

    def clear(self) -> None:
        """Let nothing fail any more."""
        with self._lock:
            self._faults.clear()
            self._spread_seconds = self._spread_until = 0.0

    def hit(self, call: Call) -> Fault | None:
        """The fault that strikes this call; counts the call."""
        with self._lock:
            if call.operation in _POLICY_CHANGES:
                self._spread_until = time.monotonic() + self._spread_seconds
            elif call.caller.startswith("function") and time.monotonic() < self._spread_until:
                code = "AccessDenied" if call.service == "s3" else "AccessDeniedException"
                return Fault(call.operation, code, "The policy has not spread.", 403, "before", 1, 1, None)
            struck = None
            for fault in self._faults:
                if fault.operation != call.operation:
                    continue
                if fault.caller not in (None, call.caller, call.caller.split(":")[0]):
                    continue
                fault.seen += 1
                if struck is None and fault.nth <= fault.seen < fault.nth + fault.times:
                    fault.hits += 1
                    struck = fault
            return struck
