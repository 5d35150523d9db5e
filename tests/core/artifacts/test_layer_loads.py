"""A layer that cannot load is not made; what may be wrong with one is kept with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.native import scan
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support.elf import AARCH64, make_elf
from tests.support.fakes import FakeTool
from tests.support.locks import lock_of, locked_file
from tests.support.projects import files_in, make_project
from tests.support.wheels import make_wheel, sha256

TAG = "cp313-abi3-manylinux_2_34_x86_64"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_project(tmp_path / "orders", built=False)
    (root / "uv.lock").write_text("version = 1\n")
    return root


def layer(root: Path, store: Store, *wheels: Path) -> LayerArtifact:
    tool = FakeTool(lock_of(*map(locked_file, wheels), base=root))
    return LayerArtifact(Project(root, root / "uv.lock"), tool, Target((3, 13)), Options(), (), store)


def compiled(folder: Path, name: str = "demo", **elf: object) -> Path:
    content = make_elf(module="_c", **elf)  # type: ignore[arg-type]
    return make_wheel(folder, name, tag=TAG, files={f"{name}/_c.abi3.so": content})


def test_a_layer_that_cannot_load_is_not_made(tmp_path: Path, root: Path, store: Store) -> None:
    wheels = [
        compiled(tmp_path, "one", machine=AARCH64),
        compiled(tmp_path, "two", versions={"libc.so.6": ["GLIBC_2.38"]}),
        compiled(tmp_path, "three"),
    ]
    artifact = layer(root, store, *wheels)
    with pytest.raises(LbdartError) as caught:
        artifact.build()
    assert caught.value.problem == (
        "This does not load on python3.13 on x86_64 (glibc 2.34): "
        f"one 1.0 (tagged {TAG}) is built for aarch64, not for x86_64 (one/_c.abi3.so); "
        f"two 1.0 (tagged {TAG}) needs GLIBC_2.38 of libc.so.6, but python3.13 has GLIBC_2.34 "
        "(two/_c.abi3.so)."
    )
    assert not store.kept_archive(artifact.build_key)
    assert not [name for name in files_in(store.root) if name.startswith("tmp/")]


def test_the_verdict_is_kept_with_the_layer_and_nothing_is_read_again(
    tmp_path: Path, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = compiled(tmp_path, needed=["libGL.so.1"])
    first = layer(root, store, wheel)
    first.build()
    assert first.report is not None
    assert [warning.id for warning in first.report.warnings] == ["lbdart_cdk:library:demo"]
    assert first.report.compiled
    assert first.report.sizes == {"demo": first.report.size}

    monkeypatch.setattr(scan, "scan_wheel", None)
    again = layer(root, store, wheel)
    again.build()
    assert again.report == first.report


def test_another_layer_of_the_same_wheel_does_not_read_it_again(
    tmp_path: Path, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = compiled(tmp_path)
    layer(root, store, wheel).build()
    monkeypatch.setattr(scan, "scan_entries", None)
    (root / "uv.lock").write_text("version = 2\n")
    layer(root, store, wheel).build()


@pytest.mark.parametrize("kept", [None, {"format": 0}, {"format": 1}, "damaged"])
def test_a_layer_without_a_verdict_of_todays_rules_is_judged_again(
    tmp_path: Path, root: Path, store: Store, kept: object
) -> None:
    artifact = layer(root, store, compiled(tmp_path))
    built = sha256(artifact.build())
    noted = store.recall("archives", artifact.build_key)
    assert noted is not None
    store.note("archives", artifact.build_key, {**noted, "native": kept})
    assert artifact.report is None
    assert sha256(artifact.build()) == built
    assert artifact.report is not None


def test_a_layer_of_pure_python_is_for_every_machine(tmp_path: Path, root: Path, store: Store) -> None:
    artifact = layer(root, store, make_wheel(tmp_path))
    artifact.build()
    assert artifact.report is not None
    assert not artifact.report.compiled
    assert artifact.report.warnings == ()
