"""Builds the layer of a project, as the construct does: ``python -m bench.build_layer PROJECT PYTHON``.

After that may follow ``bytecode``, and names of packages to keep.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store


def main(project: str, runtime: str, *more: str) -> None:
    """Print the path of the finished zip, and the peak of this process's memory in bytes."""
    user_project, tool = find_project(project)
    keep = tuple(name for name in more if name != "bytecode")
    target, bytecode = Target.from_runtime(runtime), "bytecode" in more
    artifact = LayerArtifact(user_project, tool, target, Options(), (), Store(), keep=keep, bytecode=bytecode)
    print(artifact.build())
    print(_peak())


def _peak() -> int:
    # Not getrusage(): it counts the process that started this one, too.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
