"""The bill of materials: every file of a layer traces to a hash in the lock."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.artifacts.sbom import described
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.select import select
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.contents import wheel_entries
from lbdart_cdk.core.wheels.supply import Wheel
from tests.support.fakes import FakeTool
from tests.support.index import Index
from tests.support.locks import lock_of, locked_file
from tests.support.projects import Workbench, index_table, make_project, make_sdist, uv_lock
from tests.support.wheels import make_wheel, sha256


def bill(artifact: LayerArtifact) -> dict[str, Any]:
    return dict(json.loads(artifact.sbom()))


@pytest.fixture
def artifact(index: Index, tmp_path: Path, store: Store) -> LayerArtifact:
    """A layer of two wheels, one source distribution and one directory of the user's."""
    make_wheel(
        index.folder, "alpha", requires=["beta"], metadata=METADATA.format("alpha", "MIT OR Apache-2.0")
    )
    make_wheel(
        index.folder, "beta", files={"beta/data.bin": bytes(range(256)), "beta-1.0.data/data/etc/x": "x"}
    )
    make_sdist(index.folder, "source")
    root = make_project(
        tmp_path / "orders",
        dependencies=["alpha", "beta", "source", "lib"],
        tail=index_table(index.url) + '[tool.uv.sources]\nlib = { path = "lib" }\n',
    )
    make_project(root / "lib", "lib")
    uv_lock(root)
    found, tool = find_project(root)
    return LayerArtifact(found, tool, Target((3, 13)), Options(), (), store)


METADATA = "Metadata-Version: 2.4\nName: {}\nVersion: 1.0\nLicense-Expression: {}\n"


def test_every_file_of_the_layer_traces_to_a_hash_in_the_lock(
    artifact: LayerArtifact, index: Index, store: Store
) -> None:
    layer = artifact.build()
    lock = artifact.project.manifest_content.decode()
    files = {sha256(path): path for path in index.folder.iterdir()}
    brought: dict[str, set[bytes]] = {}  # name in the layer: contents that files of the lock have for it
    for component in bill(artifact)["components"]:
        (digest,) = component["hashes"]
        if "properties" not in component:
            assert component["name"] == "lib"  # of the user's own tree, which the build key covers
            built = next(part for part in artifact.wheels() if part.package == "lib").path
            assert sha256(built) == digest["content"]
            path = built
        else:
            assert f"sha256:{digest['content']}" in lock
            path = files[digest["content"]]
            assert component["properties"] == [{"name": "lbdart:file", "value": path.name}]
        for name, content in contents_of(path):
            brought.setdefault(f"python/{name}", set()).add(content)
    with zipfile.ZipFile(layer) as archive:
        names = archive.namelist()
        for name in names:
            # What a build backend generates from a source distribution is described by the wheel it makes.
            if not name.startswith("python/source-1.0.dist-info/"):
                assert archive.read(name) in brought[name], name
    assert {name.split("/")[1] for name in names} >= {"alpha", "beta", "etc", "source", "lib"}


def contents_of(path: Path) -> list[tuple[str, bytes]]:
    """Files of a wheel or a source distribution, by the names they have when installed."""
    if path.suffix == ".whl":
        return [(entry.name, entry.read()) for entry in wheel_entries(path)]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    with tarfile.open(path) as tar:
        members = [
            (member.name.partition("/src/")[2], tar.extractfile(member)) for member in tar if member.isfile()
        ]
        return [(name, file.read()) for name, file in members if file]


def test_components_say_what_they_are(artifact: LayerArtifact) -> None:
    document = bill(artifact)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == "orders"
    assert document["metadata"]["component"]["version"] == artifact.build_key
    by_name = {component["name"]: component for component in document["components"]}
    assert sorted(by_name) == ["alpha", "beta", "lib", "source"]
    assert {name: component["version"] for name, component in by_name.items()} == dict.fromkeys(
        by_name, "1.0"
    ) | {"lib": "1.2.0"}
    assert by_name["alpha"]["purl"] == "pkg:pypi/alpha@1.0"
    assert by_name["alpha"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert "purl" not in by_name["lib"]


def test_it_is_valid_cyclonedx(artifact: LayerArtifact) -> None:
    from cyclonedx.model.bom import Bom

    read = Bom.from_json(json.loads(artifact.sbom()))  # type: ignore[attr-defined]
    assert {component.name for component in read.components} == {"alpha", "beta", "lib", "source"}


def test_the_same_build_has_the_same_bill(artifact: LayerArtifact, tmp_path: Path) -> None:
    artifact.build()
    sbom = artifact.sbom()
    assert replace(artifact, store=Store(tmp_path / "other")).sbom() == sbom
    assert "timestamp" not in json.loads(sbom)["metadata"]


def test_an_unchanged_layer_costs_no_library(workbench: Workbench, tmp_path: Path) -> None:
    root = workbench.copy(tmp_path / "orders")
    program = (
        "import sys\n"
        "from lbdart_cdk.core.artifacts.layer import *\n"
        "from lbdart_cdk.core.locking.manifest import find_project\n"
        f"found, tool = find_project({str(root)!r})\n"
        f"store = Store(Path({str(tmp_path)!r}))\n"
        "layer = LayerArtifact(found, tool, Target((3, 13)), Options(), (), store)\n"
        "layer.build()\n"
        "layer.sbom()\n"
        "print('cyclonedx' in sys.modules)\n"
    )
    for loaded in ("True", "False"):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
        )
        assert done.stdout.split() == [loaded]


@pytest.mark.parametrize(
    ("header", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: BSD-3-Clause", "BSD-3-Clause"),
        ("License: UNKNOWN", ""),
        (f"License: {'Permission is hereby granted ' * 9}", ""),
        ("License: one\n        two", ""),
        ("Summary: none", ""),
    ],
)
def test_a_licence_is_told_where_the_wheel_names_one(tmp_path: Path, header: str, licence: str) -> None:
    wheel = make_wheel(tmp_path, metadata=f"Metadata-Version: 2.4\nName: alpha\nVersion: 1.0\n{header}\n")
    part = Wheel(canonicalize_name("alpha"), wheel, wheel.name, "0" * 64)
    assert described(part, wheel_entries(wheel))["license"] == licence


def test_addresses_of_indexes_are_not_in_it(index: Index, tmp_path: Path, store: Store) -> None:
    """They may hold passwords, and a mirror is no other layer."""
    root = make_project(tmp_path / "orders", built=False)
    (root / "uv.lock").write_text("version = 1\n")
    wheel = make_wheel(index.folder)
    url = index.file_url(wheel).replace("://", "://user:m4rked@")
    lock = lock_of(locked_file(wheel, url), base=root)
    project = Project(root, root / "uv.lock")
    layer = LayerArtifact(project, FakeTool(lock), Target((3, 13)), Options(), (), store)
    assert select(lock, Target((3, 13))).wheels[0].source == url
    assert b"m4rked" not in layer.sbom()
    assert b"127.0.0.1" not in layer.sbom()
