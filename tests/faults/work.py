"""What the faulty processes do: fetch and pack a layer, with a project that is built, in a store they share.

Everything is in functions of a module without side effects, so that a fork server can load it once and then
start a process in milliseconds.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

# What a build loads on demand is loaded here: it is the build that is to be killed, not its imports.
from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support.fakes import FakeTool
from tests.support.index import Index
from tests.support.locks import lock_of, locked, locked_file
from tests.support.projects import make_project
from tests.support.wheels import make_wheel

#: Seconds: whoever is not done then waits for something that does not come.
TIMEOUT = 60.0

VARIANTS = 12

CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Job:
    """A layer of everything on an index; each ``variant``, below :data:`VARIANTS`, has its own target."""

    root: Path
    packages: tuple[str, ...]
    cache: Path
    variant: int = 0

    def artifact(self) -> LayerArtifact:
        lock = lock_of(*self.packages, base=self.root)
        project = Project(self.root, self.root / "uv.lock")
        target = Target((3, 9 + self.variant % 6), "arm64" if self.variant < VARIANTS // 2 else "x86_64")
        return LayerArtifact(project, FakeTool(lock), target, Options(), (), Store(self.cache))

    def build(self) -> Path:
        return self.artifact().build()


def scene(folder: Path, index: Index) -> Job:
    """Fill an index with small and larger wheels, and make a project whose lock names them all."""
    for number in range(6):
        make_wheel(index.folder, f"tiny{number}")
    for number in range(2):
        data = random.Random(number).randbytes(2_500_000)
        make_wheel(
            index.folder, f"large{number}", files={f"large{number}.so": data}, method=zipfile.ZIP_STORED
        )
    root = make_project(folder / "orders")
    make_project(root / "lib", "lib", built=False)
    (root / "uv.lock").write_text("lock")
    packages = [locked_file(path, index.file_url(path)) for path in sorted(index.folder.iterdir())]
    packages.append(locked("lib", source='directory = { path = "lib" }\n'))
    return Job(root, tuple(packages), folder / "cache")


def start(job: Job, before: Callable[[], object] | None = None) -> ForkServerProcess:
    """Build in a process of its own, at the head of its own group."""
    process = CONTEXT.Process(target=_run, args=(job, before))
    process.start()
    return process


def _run(job: Job, before: Callable[[], object] | None) -> None:
    os.setsid()
    log = (job.root.parent / f"log-{os.getpid()}").open("w")
    sys.stdout = sys.stderr = log
    if before is not None:
        before()
    try:
        job.build()
    except LbdartError as error:
        print(f"LbdartError: {error}", flush=True)
        os._exit(3)
    except BaseException:
        traceback.print_exc()
        log.flush()
        os._exit(4)
    os._exit(0)


def said_by(process: ForkServerProcess, job: Job) -> str:
    return (job.root.parent / f"log-{process.pid}").read_text()


def finished(process: ForkServerProcess, job: Job) -> str:
    """Wait for a build; return "" for a good end, else what was printed. A traceback is never right."""
    process.join(TIMEOUT)
    assert process.exitcode is not None, "it waits for something that does not come"
    said = said_by(process, job)
    assert process.exitcode in (0, 3), said or process.exitcode
    return said if process.exitcode else ""
