"""What a build key is the hash of can be read, and is noted once for each build."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.function import FunctionArtifact
from lbdart_cdk.core.artifacts.inputs import BuildInputs, inputs_noted
from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.artifacts.sbom import inputs_in, render
from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.prune import prune
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.build_image import BuildContainer
from lbdart_cdk.core.wheels.environment import BuildEnvironment
from tests.support.fakes import FakeTool
from tests.support.locks import GIT, SDIST, lock_of, locked, locked_file
from tests.support.projects import files_in
from tests.support.wheels import make_wheel

WHEEL = "beta-1.0-py3-none-any.whl"


def project(tmp_path: Path) -> Project:
    root = tmp_path / "orders"
    root.mkdir()
    (root / "app.py").write_bytes(b"x = 1\n")
    (root / "pyproject.toml").write_bytes(b'[project]\nname = "orders"\nversion = "1.0"\n')
    (root / "uv.lock").write_bytes(b"version = 1\n")
    return Project(root, root / "uv.lock")


def layer(project: Project, store: Store) -> LayerArtifact:
    packages = [locked("beta", wheels=[WHEEL]), locked("alpha", source=SDIST), locked("git", source=GIT)]
    tool = FakeTool(lock_of(*packages, base=project.root))
    return LayerArtifact(project, tool, Target((3, 13)), Options(), (), store)


def source(project: Project, store: Store) -> SourceArtifact:
    return SourceArtifact(project, FakeTool(), ("*.json",), ("x/*",), store)


class TestKeysOfEarlierReleases:
    """A key that changes publishes every layer again."""

    def test_of_layers(self, tmp_path: Path, store: Store) -> None:
        plain = layer(project(tmp_path), store)
        key = "8d8f69e9109fea671fb04a2a71b6808323f84964ef81ef385350b80372096800"
        assert plain.build_key == key
        full = replace(
            plain,
            target=Target((3, 12), "arm64"),
            container=BuildContainer("image:1", every_source=True),
            environment=BuildEnvironment({"CFLAGS": "-O3"}),
            prefer=("beta", "alpha"),
            own_code=True,
            exclude_files=("*.pyi",),
            bytecode=True,
        )
        key = "e769d5300754615269d35fb1aba69c31679a5939ea33efe5fd86641de1d83704"
        assert full.build_key == key
        unknown = replace(plain, tool=FakeTool(replace(plain.lock, requires=None)), exclude=("x",))
        key = "5d3604b354eb67f0d298205fc05fda64672c10c452babf8259d5e435adc199c8"
        assert unknown.build_key == key

    def test_of_code(self, tmp_path: Path, store: Store) -> None:
        found = project(tmp_path)
        plain = source(found, store)
        key = "153ed3ed97e1a5d60b38c44410061e40b85499c0add9ada2a10237ca4ebd92f4"
        assert plain.build_key == key
        key = "8495d02b755e7e14868f25d570a826601ad90dcbe23b9c5ab55eb5aecaa8f20c"
        assert FunctionArtifact(plain, layer(found, store)).build_key == key


class TestNotes:
    """What the store knows of builds, for whoever asks why a layer changed."""

    @pytest.fixture
    def artifact(self, tmp_path: Path, store: Store) -> LayerArtifact:
        return replace(layer(project(tmp_path), store), tool=FakeTool(), own_code=True)

    def test_a_build_is_noted_with_its_inputs(self, artifact: LayerArtifact, store: Store) -> None:
        artifact.build()
        assert artifact.history.of(artifact.asked) == [artifact.build_key]
        (part,) = inputs_noted(store, artifact.build_key) or ()
        assert part == artifact.parts[0]
        assert part.values["python"] == "3.13"
        assert part.values["own_code"].startswith("1 files (")
        assert part.files.keys() == {"app.py"}

    def test_an_unchanged_build_writes_nothing(self, artifact: LayerArtifact, store: Store) -> None:
        artifact.build()
        before = files_in(store.root)
        replace(artifact).build()
        assert files_in(store.root) == before

    def test_the_last_build_of_the_same_options_comes_first(
        self, artifact: LayerArtifact, store: Store
    ) -> None:
        artifact.build()
        (artifact.project.root / "app.py").write_text("x = 2\n")
        changed, other = replace(artifact), replace(artifact, exclude_files=("*.md",))
        changed.build()
        other.build()
        assert artifact.history.of(artifact.asked) == [changed.build_key, artifact.build_key]
        assert artifact.history.of(other.asked) == [other.build_key]
        assert artifact.history.last() == other.build_key

    def test_what_was_built_before_there_were_notes_is_noted(
        self, artifact: LayerArtifact, store: Store
    ) -> None:
        artifact.build()
        for kind in ("inputs", "history"):
            shutil.rmtree(store.files / kind)
        replace(artifact).build()
        assert inputs_noted(store, artifact.build_key) is not None

    def test_a_store_that_cannot_be_written_fails_no_build(
        self, artifact: LayerArtifact, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        artifact.build()
        shutil.rmtree(store.files / "inputs")

        def refuse(*_: object) -> None:
            raise store.vanished()

        monkeypatch.setattr(Store, "note", refuse)
        assert replace(artifact).build() == artifact.build()

    def test_a_note_goes_with_its_zip(self, artifact: LayerArtifact, store: Store) -> None:
        artifact.build()
        note = store.files / "inputs" / artifact.build_key[:2] / f"{artifact.build_key[2:]}.json"
        assert note.is_file()
        days = store.uses.folder
        for path in days.glob("20*"):
            path.rename(days / "2020-01-01")
        assert note in prune(store).files

    def test_the_value_of_a_variable_is_not_in_it(self, artifact: LayerArtifact, store: Store) -> None:
        root = artifact.project
        environment = BuildEnvironment({"TOKEN": "hunter2-m4rked"})
        source = SourceArtifact(root, FakeTool(), (), (), store, environment=environment)
        source.build()
        (part,) = inputs_noted(store, source.build_key) or ()
        assert part.environment.keys() >= {"TOKEN"}
        assert len(part.environment["TOKEN"]) == 4
        assert not any(b"m4rked" in content for content in files_in(store.root).values())

    def test_the_code_of_a_zip_is_noted_by_file(self, artifact: LayerArtifact, store: Store) -> None:
        code = source(artifact.project, store)
        (part,) = replace(code, include=()).parts
        assert part.files.keys() == {"app.py", "pyproject.toml", "uv.lock"}


class TestInBill:
    """The SBOM has the inputs, since nobody can ask the store of another machine."""

    def test_they_are_there_and_back(self, tmp_path: Path, store: Store) -> None:
        artifact = replace(
            layer(project(tmp_path), store),
            tool=FakeTool(lock_of(locked_file(make_wheel(tmp_path)))),
            exclude_files=("*.pyi",),
            prefer=("alpha",),
        )
        found, (inputs,) = inputs_in(artifact.sbom()), artifact.parts
        assert found.values == inputs.values
        assert found.values.keys() == {
            "architecture", "exclude_files", "format", "prefer", "project", "python"
        }  # fmt: skip
        assert found.packages == inputs.packages
        assert found.versions == inputs.versions == {"alpha": "1.0"}

    def test_an_input_that_is_not_the_hash_of_a_file_is_there(self, tmp_path: Path) -> None:
        inputs = BuildInputs(
            "layer", {"python": "3.13"}, {"alpha": "commit", "boto3": "1"}, {"CFLAGS": "12ab"}
        )
        package = {"name": "alpha", "version": "1", "license": "", "filename": "", "sha256": "0" * 64}
        bill = render("orders", "1" * 64, [package], inputs)
        assert "12ab" not in bill
        found = inputs_in(bill.encode())
        assert found.packages == inputs.packages
        assert found.environment == {"CFLAGS": ""}

    def test_one_of_an_earlier_release_has_only_the_packages(self) -> None:
        hashes = [{"alg": "SHA-256", "content": "0" * 64}]
        file = {"name": "alpha", "hashes": hashes, "properties": [{"name": "lbdart:file", "value": "a.whl"}]}
        built = {"name": "lib", "version": "1.0", "hashes": hashes}
        found = inputs_in(json.dumps({"metadata": {}, "components": [file, built]}).encode())
        assert found.values == {}
        assert found.packages == {"alpha": "0" * 64, "lib": ""}

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"metadata": {}, "components": [{"name": "x"}]}'])
    def test_something_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="no SBOM"):
            inputs_in(text.encode())
