"""Run as a program: builds a layer and a source, and prints the SHA-256 of both zips and the layer's key.

``build_artifacts.py WHEELS PROJECT STORE UMASK`` - the interpreter, the folders, the umask and the time are
what the zips must not show.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support.fakes import FakeTool
from tests.support.locks import lock_of, locked, locked_file
from tests.support.wheels import sha256


def main(wheels: str, root: str, cache: str, umask: str) -> None:
    os.umask(int(umask, 8))
    packages = [locked_file(path) for path in sorted(Path(wheels).glob("*.whl"))]
    packages.append(locked("lib", source='directory = { path = "lib" }\n'))
    lock = lock_of(*packages, base=Path(root))
    project = Project(Path(root), Path(root, "uv.lock"))
    store = Store(Path(cache))
    layer = LayerArtifact(project, FakeTool(lock), Target((3, 13)), Options(), (), store)
    source = SourceArtifact(project, FakeTool(), ("*.json",), (), store)
    print(sha256(layer.build()), source.build().sha256, layer.build_key)


if __name__ == "__main__":
    main(*sys.argv[1:])
