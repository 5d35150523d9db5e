"""The steps of a verification, from bootstrap to destroy, and what must hold after each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from .account import Account


@dataclass
class Step:
    """A step with its checks.

    :param seconds: how long the step took; 0 if it did not end.
    :param checks: what was checked, and whether it held.
    """

    name: str
    seconds: float = 0
    checks: list[tuple[str, bool]] = field(default_factory=list)

    def check(self, what: str, holds: bool) -> None:
        """Note a check, and print it."""
        self.checks.append((what, holds))
        print(f"  {'ok  ' if holds else 'NOT '} {what}", flush=True)


class Verification:
    """Deploys a stack, changes it, lets a deployment fail, and destroys it."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._steps: list[Step] = []
        self._undo: list[tuple[str, Callable[[], object]]] = []

    @property
    def held(self) -> bool:
        """Whether all checks held so far."""
        return all(holds for step in self._steps for _, holds in step.checks)

    @contextmanager
    def _step(self, name: str) -> Iterator[Step]:
        print(f"\n--- {name}", flush=True)
        step = Step(name)
        self._steps.append(step)
        started = time.monotonic()
        yield step
        step.seconds = time.monotonic() - started

    def run(self) -> None:
        """Take all steps.

        :raises StepFailedError: when a command fails; the steps after it are not taken.
        """
        with self._step("bootstrap under a name of its own"):
            self._undo.append(("the bootstrap stack", self._account.remove_toolkit))
            self._account.bootstrap()
        self._create()
        self._change_code()
        self._change_dependency()
        self._fail()
        self._destroy()

    def _create(self) -> None:
        account = self._account
        with self._step("first deployment") as step:
            self._undo.append(("the stack", account.destroy))
            account.deploy()
            outputs = account.outputs
            step.check("the function runs with its layer", account.invoke().get("total") == 12.15)
            step.check("the layer has version 1", account.layer_versions() == [1])
            step.check("its manifest is in S3", account.has_object(outputs["ManifestUri"]))
            step.check("the code is in S3", account.has_object(outputs["SourceUri"]))
        with self._step("deployed again, unchanged") as step:
            account.deploy()
            step.check("nothing is published", account.layer_versions() == [1])
            step.check("the outputs are the same", account.outputs == outputs)

    def _change_code(self) -> None:
        account = self._account
        before = account.outputs["SourceUri"]
        with self._step("a line of code changed") as step:
            account.edit("src/orders/app.py", 'CURRENCY = "EUR"', 'CURRENCY = "CHF"')
            account.deploy()
            step.check("the alias runs it", account.invoke().get("currency") == "CHF")
            step.check("the key of the code is another", account.outputs["SourceUri"] != before)
            step.check("the code of before is still there", account.has_object(before))
            step.check("nothing is published", account.layer_versions() == [1])

    def _change_dependency(self) -> None:
        account = self._account
        before = account.outputs["ManifestUri"]
        with self._step("a dependency changed") as step:
            account.lock_with_pydantic("2.12.4")
            account.deploy()
            step.check("the layer has version 2", account.layer_versions() == [1, 2])
            step.check("the alias has it", account.layers() == [account.outputs["LayerVersionArn"]])
            step.check("the alias runs it", account.invoke().get("pydantic") == "2.12.4")
            step.check("both manifests are in S3", account.has_object(before))

    def _fail(self) -> None:
        account = self._account
        before = account.outputs
        with self._step("a deployment that is rolled back") as step:
            account.lock_with_pydantic("2.12.3")
            account.deploy(fails=True)
            step.check("the outputs are those of before", account.outputs == before)
            step.check("the alias has the layer of before", account.layers() == [before["LayerVersionArn"]])
            step.check("this version is there", 2 in account.layer_versions())
        with self._step("deployed again after the failure") as step:
            account.deploy()
            step.check("the alias runs it", account.invoke().get("pydantic") == "2.12.3")
            step.check("no build was published twice", account.layer_versions() == [1, 2, 3])

    def _destroy(self) -> None:
        account = self._account
        with self._step("destroyed") as step:
            buckets = account.resources("AWS::S3::Bucket")
            self._undo += [(f"the bucket {name}", partial(self._remove, name)) for name in buckets]
            layer = account.outputs["LayerName"]
            account.destroy()
            step.check("no version of the layer is left", account.layer_versions(layer) == [])
            step.check("no bucket is left", not any(map(account.has_bucket, buckets)))

    def _remove(self, bucket: str) -> None:
        if self._account.has_bucket(bucket):
            self._account.remove_bucket(bucket)

    def clean_up(self) -> None:
        """Remove what is left, and say what could not be removed."""
        print("\n--- clean up", flush=True)
        for what, undo in reversed(self._undo):
            try:
                undo()
            except Exception as error:  # the rest must go, too
                print(f"  {what} is still there: {error}", flush=True)

    def summary(self) -> str:
        """Return a table of the steps."""
        lines = [f"{step.name:<40} {step.seconds:>6.0f} s  {_result(step)}" for step in self._steps]
        checks = [holds for step in self._steps for _, holds in step.checks]
        return "\n".join(["", *lines, f"{checks.count(True)} of {len(checks)} checks held."])


def _result(step: Step) -> str:
    failed = [what for what, holds in step.checks if not holds]
    if not step.seconds:
        return "did not end"
    return f"NOT: {'; '.join(failed)}" if failed else "ok"
