"""Builds the layer of a project, as the construct does: ``python -m bench.build_layer PROJECT PYTHON``."""

from __future__ import annotations

import sys

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store


def main(project: str, runtime: str) -> None:
    """Print the path of the finished zip."""
    user_project, tool = find_project(project)
    artifact = LayerArtifact(user_project, tool, Target.from_runtime(runtime), Options(), (), Store())
    print(artifact.build())


if __name__ == "__main__":
    main(*sys.argv[1:])
