"""From a lock to a layer's zip: only what is asked for, only when an input changed, always the same bytes."""

from __future__ import annotations

import importlib.util
import shutil
import site
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking import select
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.packing.excluded import NOTHING, ExcludedFiles
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import MAX_UNZIPPED, Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.build_image import BuildContainer
from lbdart_cdk.core.wheels.environment import BuildEnvironment
from tests.support import build_artifacts
from tests.support.docker import GIVES, FakeDocker
from tests.support.elf import make_elf
from tests.support.fakes import FakeTool
from tests.support.index import Index
from tests.support.interpreters import other_interpreter
from tests.support.locks import SDIST, lock_of, locked, locked_file
from tests.support.projects import files_in, make_project, make_sdist
from tests.support.wheels import make_wheel, make_zip, names_in, read_from, sha256


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_project(tmp_path / "orders", built=False)
    (root / "uv.lock").write_text("version = 1\n")
    return root


def layer(root: Path, store: Store, *packages: str, **lock: object) -> LayerArtifact:
    project = Project(root, root / "uv.lock")
    tool = FakeTool(lock_of(*packages, base=root, **lock))  # type: ignore[arg-type]
    return LayerArtifact(project, tool, Target((3, 13)), Options(), (), store)


def test_the_wheels_files_are_below_python(tmp_path: Path, root: Path, store: Store) -> None:
    alpha = make_wheel(tmp_path, files={"alpha/__init__.py": "x = 1\n", "alpha/_c.so": b"\0" * 9})
    built = layer(root, store, locked_file(alpha)).build()
    assert names_in(built) == [
        "python/alpha-1.0.dist-info/METADATA",
        "python/alpha-1.0.dist-info/RECORD",
        "python/alpha-1.0.dist-info/WHEEL",
        "python/alpha/__init__.py",
        "python/alpha/_c.so",
    ]
    with zipfile.ZipFile(built) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.testzip() is None


def test_what_is_left_out_is_in_the_report_also_of_the_same_zip(
    tmp_path: Path, root: Path, store: Store
) -> None:
    wheels = [make_wheel(tmp_path, name) for name in ("alpha", "boto3", "native")]
    artifact = replace(layer(root, store, *map(locked_file, wheels)), exclude=("Native",))
    assert {name.split("/")[1] for name in names_in(artifact.build())} == {"alpha", "alpha-1.0.dist-info"}
    fewer = layer(root, store, *map(locked_file, wheels[:2]))
    assert fewer.build() == artifact.build()
    assert [each.report and each.report.left_out for each in (artifact, fewer)] == [
        ("boto3", "native"),
        ("boto3",),
    ]


def test_the_module_of_the_preferred_package_is_in_the_layer(
    tmp_path: Path, root: Path, store: Store
) -> None:
    wheels = [make_wheel(tmp_path, name, files={"shared.py": name}) for name in ("alpha", "beta")]
    artifact = layer(root, store, *map(locked_file, wheels))
    with pytest.raises(LbdartError, match="alpha and beta both bring shared"):
        artifact.build()
    built = replace(artifact, prefer=("alpha",)).build()
    assert read_from(built, "python/shared.py") == b"alpha"
    assert "python/beta-1.0.dist-info/METADATA" in names_in(built)


def test_a_local_package_is_built_and_packed(tmp_path: Path, root: Path, store: Store) -> None:
    make_project(root / "lib", "lib", built=False)
    table = locked("lib", source='directory = { path = "lib" }\n')
    artifact = layer(root, store, table)
    assert "python/lib/app.py" in names_in(artifact.build())


def test_what_compiles_is_built_in_the_container(
    tmp_path: Path, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdist = make_sdist(tmp_path, "native", tag="cp311-cp311-linux_x86_64")
    make_wheel(
        tmp_path / "given", "native", tag="cp313-cp313-linux_x86_64", files={"native.so": "for Lambda"}
    )
    docker = FakeDocker(tmp_path / "bin", monkeypatch).answers(run=GIVES.format(tmp_path / "given"))
    source = f'sdist = {{ path = "{sdist}", hashes = {{ sha256 = "{sha256(sdist)}" }} }}\n'
    # Its wheels are for other machines; alpha's is for all.
    table = locked("native", wheels=["native-1.0-cp313-cp313-win_amd64.whl"], source=source)
    artifact = layer(root, store, locked_file(make_wheel(tmp_path)), table)
    with pytest.raises(LbdartError, match="build_in_container=True"):
        artifact.build()
    assert docker.runs == 0
    assert "python/native.so" in names_in(replace(artifact, container=BuildContainer()).build())
    assert docker.runs == 1


def test_files_that_patterns_match_are_left_out_and_the_report_says_so(
    tmp_path: Path, root: Path, store: Store
) -> None:
    files = {"alpha/__init__.py": "", "alpha/tests/test_a.py": "x = 1\n"}
    artifact = layer(root, store, locked_file(make_wheel(tmp_path, files=files)))
    artifact.build()
    assert artifact.report is not None
    assert artifact.report.excluded == NOTHING
    slim = replace(artifact, exclude_files=("tests/", "docs/"))
    assert [name for name in names_in(slim.build()) if "dist-info" not in name] == [
        "python/alpha/__init__.py"
    ]
    assert slim.report is not None
    assert slim.report.excluded == ExcludedFiles(count=1, size=6)
    assert slim.report.size == artifact.report.size - 6
    told = slim.summary().line("Deps", is_new=True, seconds=0)
    assert ", exclude_files saved 1 kB (1 file), built" in told
    assert [warning.id for warning in slim.report.warnings] == ["lbdart_cdk:exclude-files:docs/"]
    assert slim.sbom().replace(slim.build_key.encode(), b"").count(b"alpha-1.0-py3-none-any.whl") == 1


def test_only_compiled_files_that_are_in_the_layer_are_checked(
    tmp_path: Path, root: Path, store: Store
) -> None:
    tag = "cp313-cp313-manylinux_2_17_x86_64"
    files: dict[str, bytes | str] = {
        "alpha/__init__.py": "",
        "alpha/_fast.cpython-311-x86_64-linux-gnu.so": make_elf(),
        "alpha/_fast.py": "",
        "alpha/extra.cpython-313-x86_64-linux-gnu.so": make_elf(versions={"libc.so.6": ["GLIBC_2.99"]}),
    }
    artifact = layer(root, store, locked_file(make_wheel(tmp_path, tag=tag, files=files)))
    with pytest.raises(LbdartError, match=r"GLIBC_2\.99"):
        artifact.build()
    slim = replace(artifact, exclude_files=("extra.*",))
    slim.build()
    assert slim.report is not None
    assert slim.report.warnings == ()
    # Without the module in Python, the one for another interpreter is all that there is.
    with pytest.raises(LbdartError, match=r"_fast\.cpython-311"):
        replace(artifact, exclude_files=("extra.*", "_fast.py")).build()


def test_the_bytecode_of_all_modules_is_in_the_layer_if_asked_for(
    tmp_path: Path, root: Path, store: Store
) -> None:
    make_project(root / "lib", "lib", built=False)
    tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}.pyc"
    # Bytecode that a wheel brings is stale, or it is all that there is of a module.
    stale = {f"alpha/__pycache__/__init__.{tag}": "stale", "alpha/sourceless.pyc": "kept"}
    wheel = make_wheel(tmp_path, files={"alpha/__init__.py": "", **stale})
    tables = [locked_file(wheel), locked("lib", source='directory = { path = "lib" }\n')]
    here = Target(sys.version_info[:2])
    plain = replace(layer(root, store, *tables), target=here)
    artifact = replace(plain, bytecode=True)
    added = set(names_in(artifact.build())) - set(names_in(plain.build()))
    modules = ("alpha/__pycache__/__init__", "lib/__pycache__/__init__", "lib/__pycache__/app")
    assert added == {f"python/{name}.{tag}" for name in modules}
    made = read_from(artifact.build(), f"python/alpha/__pycache__/__init__.{tag}")
    assert made.startswith(importlib.util.MAGIC_NUMBER)
    assert artifact.report is not None
    assert plain.report is not None
    assert artifact.report.bytecode == artifact.report.size - plain.report.size > 0
    assert artifact.sbom().count(b'"lbdart:file"') == plain.sbom().count(b'"lbdart:file"')


def test_own_code_has_bytecode_and_can_be_left_out(root: Path, store: Store) -> None:
    artifact = replace(
        layer(root, store),
        target=Target(sys.version_info[:2]),
        own_code=True,
        bytecode=True,
        exclude_files=("/orders/app.py",),
    )
    (root / "src/orders/other.py").write_text("x = 1\n")
    names = [name for name in names_in(artifact.build()) if "/orders/" in name]
    assert {Path(name).name.partition(".")[0] for name in names} == {"__init__", "other"}
    assert len([name for name in names if name.endswith(".pyc")]) == 2


class TestBuildKey:
    """What the zip is made of counts, and nothing else does."""

    @pytest.mark.parametrize("target", [Target((3, 12)), Target((3, 13), "arm64")])
    def test_the_target_is_an_input(self, root: Path, store: Store, target: Target) -> None:
        artifact = layer(root, store)
        assert replace(artifact, target=target).build_key != artifact.build_key

    def test_the_files_that_the_lock_selects_are_inputs(
        self, tmp_path: Path, root: Path, store: Store
    ) -> None:
        wheels = [make_wheel(tmp_path, version=version) for version in ("1.0", "2.0")]
        assert len({layer(root, store, locked_file(wheel)).build_key for wheel in wheels}) == 2

    def test_a_package_that_is_left_out_is_none(self, tmp_path: Path, root: Path, store: Store) -> None:
        alpha, beta = (locked_file(make_wheel(tmp_path, name)) for name in ("alpha", "beta"))
        without = replace(layer(root, store, alpha, beta), exclude=("Beta",))
        assert without.build_key == layer(root, store, alpha).build_key

    def test_whose_files_are_preferred_is_an_input(self, root: Path, store: Store) -> None:
        artifact = layer(root, store)
        assert replace(artifact, prefer=("alpha",)).build_key != artifact.build_key

    def test_bytecode_is_an_input_if_asked_for(self, root: Path, store: Store) -> None:
        artifact = layer(root, store)
        assert replace(artifact, bytecode=True).build_key != artifact.build_key

    def test_patterns_of_files_are_inputs_in_their_order(self, root: Path, store: Store) -> None:
        artifact = layer(root, store)
        given = [(), ("*.pyi",), ("*.pyi", "!a.pyi"), ("!a.pyi", "*.pyi")]
        assert len({replace(artifact, exclude_files=patterns).build_key for patterns in given}) == 4
        assert replace(artifact, exclude_files=("", "# none")).build_key == artifact.build_key

    @pytest.mark.parametrize(
        ("one", "other"), [(("My_Lib", "x"), ("x", "my-lib", "my.lib")), (("x", "x"), ("x",))]
    )
    def test_where_only_wheels_know_requirements_the_names_left_out_are_inputs(
        self, root: Path, store: Store, one: tuple[str, ...], other: tuple[str, ...]
    ) -> None:
        artifact = layer(root, store)
        artifact = replace(artifact, tool=FakeTool(replace(lock_of(base=root), requires=None)))
        key = replace(artifact, exclude=one).build_key
        assert replace(artifact, exclude=other).build_key == key != artifact.build_key

    @pytest.mark.parametrize("content", ["version = 1\n# a comment\n", "version = 1\r\n"])
    def test_the_text_of_the_manifest_is_none(
        self, tmp_path: Path, root: Path, store: Store, content: str
    ) -> None:
        table = locked_file(make_wheel(tmp_path))
        before = layer(root, store, table)
        zipped = before.build().read_bytes()
        (root / "uv.lock").write_bytes(content.encode())
        after = layer(root, Store(tmp_path / "other"), table)
        assert after.build_key == before.build_key
        assert after.build().read_bytes() == zipped

    def test_what_builds_see_is_an_input_where_something_is_built(self, root: Path, store: Store) -> None:
        environments = [BuildEnvironment(), BuildEnvironment({"CFLAGS": "-O3"})]
        wheels = [locked("alpha", wheels=["alpha-1.0-py3-none-any.whl"])]
        built = [locked("alpha", source=SDIST)]
        for packages, different in ((wheels, 1), (built, 2)):
            artifact = layer(root, store, *packages)
            keys = {replace(artifact, environment=given).build_key for given in environments}
            assert len(keys) == different

    def test_the_build_image_is_one_where_something_is_built(self, root: Path, store: Store) -> None:
        containers = (None, BuildContainer(), BuildContainer(network="host"), BuildContainer("image:1"))
        wheels = [locked("alpha", wheels=["alpha-1.0-py3-none-any.whl"])]
        built = [locked("alpha", source=SDIST)]
        for packages, different in ((wheels, 1), (built, 2)):
            artifact = layer(root, store, *packages)
            assert (
                len({replace(artifact, container=container).build_key for container in containers})
                == different
            )

    @pytest.mark.parametrize(
        ("name", "is_input"), [("src/lib/app.py", True), ("README.md", False), (".coverage", False)]
    )
    def test_what_a_local_package_is_built_to_is_an_input(
        self, root: Path, store: Store, name: str, is_input: bool
    ) -> None:
        lib = make_project(root / "lib", "lib", built=False)
        table = locked("lib", source='directory = { path = "lib" }\n')
        before = layer(root, store, table).build_key
        (lib / name).write_text("changed = True\n")
        assert (layer(root, store, table).build_key != before) == is_input

    def test_of_two_directories_of_a_package_the_selected_one_is_an_input(
        self, root: Path, store: Store
    ) -> None:
        tables = []
        for machine in ("x86_64", "aarch64"):
            make_project(root / machine, "lib", built=False)
            source = f'directory = {{ path = "{machine}" }}\n'
            tables.append(locked("lib", marker=f"platform_machine == '{machine}'", source=source))
        before = layer(root, store, *tables).build_key
        (root / "aarch64/src/lib/app.py").write_text("changed = True\n")
        assert layer(root, store, *tables).build_key == before
        (root / "x86_64/src/lib/app.py").write_text("changed = True\n")
        assert layer(root, store, *tables).build_key != before

    def test_the_directory_and_the_functions_own_code_are_none(
        self, tmp_path: Path, root: Path, store: Store
    ) -> None:
        moved = Path(shutil.copytree(root, tmp_path / "moved"))
        (moved / "src/orders/app.py").write_text("changed = True\n")
        assert layer(moved, store).build_key == layer(root, store).build_key


class TestBuiltOnce:
    """An unchanged input costs hashing, not building; whatever was damaged is made again."""

    def test_nothing_is_fetched_for_a_layer_that_is_there(
        self, root: Path, store: Store, index: Index
    ) -> None:
        wheel = make_wheel(index.folder)
        artifact = layer(root, store, locked_file(wheel, index.file_url(wheel)))
        first = artifact.build()
        index.requested.clear()
        store.wheel(sha256(wheel)).unlink()
        before = files_in(store.root)
        assert replace(artifact).build() == first
        assert index.requested == []
        assert files_in(store.root) == before

    def test_a_damaged_layer_is_made_again(self, tmp_path: Path, root: Path, store: Store) -> None:
        artifact = layer(root, store, locked_file(make_wheel(tmp_path)))
        content = artifact.build().read_bytes()
        artifact.build().write_bytes(content[:-1])
        assert artifact.build().read_bytes() == content

    @pytest.mark.parametrize("has_notes", [True, False])
    @pytest.mark.parametrize("is_wheel", [True, False])
    def test_a_damaged_wheel_is_fetched_again(
        self, root: Path, store: Store, index: Index, has_notes: bool, is_wheel: bool
    ) -> None:
        wheel = make_wheel(index.folder)
        artifact = layer(root, store, locked_file(wheel, index.file_url(wheel)))
        content = artifact.build().read_bytes()
        artifact.build().unlink()
        other = make_wheel(root.parent / "other", files={"other.py": "x = 2\n"})
        store.wheel(sha256(wheel)).write_bytes(other.read_bytes() if is_wheel else b"PK damaged")
        if not has_notes:  # nothing that is read from the other wheel may be noted as of this one
            for kind in ("entries*", "native*", "described"):
                for notes in store.files.glob(kind):
                    shutil.rmtree(notes)
        assert artifact.build().read_bytes() == content

    def test_an_error_about_wheels_that_are_as_locked_is_told(
        self, tmp_path: Path, root: Path, store: Store
    ) -> None:
        wheels = (make_wheel(tmp_path, name, files={"one.py": name}) for name in ("alpha", "beta"))
        artifact = layer(root, store, *map(locked_file, wheels))
        for _ in range(2):  # the second time, the store has the wheels
            with pytest.raises(LbdartError, match=r"one\.py"):
                replace(artifact).build()

    def test_nothing_is_selected_again_from_a_lock_whose_wheels_are_there(
        self, tmp_path: Path, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        artifact = layer(root, store, locked_file(make_wheel(tmp_path)))
        content = artifact.build().read_bytes()
        artifact.build().unlink()
        monkeypatch.setattr(select, "select", lambda *_args, **_more: pytest.fail("selected again"))
        again = replace(artifact)
        assert again.build().read_bytes() == content
        assert again.sbom()

    def test_two_targets_of_one_project_are_each_right(
        self, tmp_path: Path, root: Path, store: Store
    ) -> None:
        machines = {"x86_64": "x86_64", "aarch64": "arm64"}
        tags = [
            f"cp{python}-cp{python}-manylinux_2_17_{machine}" for python in (312, 313) for machine in machines
        ]
        table = '[[packages]]\nname = "native"\nversion = "1.0"\nwheels = ['
        for tag in tags:
            path = make_wheel(tmp_path, "native", tag=tag, files={"native.so": tag})
            table += f'{{ path = "{path}", hashes = {{ sha256 = "{sha256(path)}" }} }},'
        artifact = layer(root, store, table + "]\n")
        for python in ((3, 12), (3, 13)):
            for machine, architecture in machines.items():
                built = replace(artifact, target=Target(python, architecture)).build()
                with zipfile.ZipFile(built) as archive:
                    content = archive.read("python/native.so").decode()
                assert (
                    content == f"cp{python[0]}{python[1]}-cp{python[0]}{python[1]}-manylinux_2_17_{machine}"
                )


class TestRefused:
    """A mistake is told in two sentences, and the store has no archive that a later build would trust."""

    def refused(self, artifact: LayerArtifact) -> LbdartError:
        with pytest.raises(LbdartError) as error:
            artifact.build()
        left = files_in(artifact.store.root)
        assert not [name for name in left if "archives/" in name or name.startswith("tmp/")]
        return error.value

    def test_an_empty_layer(self, root: Path, store: Store) -> None:
        error = self.refused(layer(root, store))
        assert error.problem.startswith("The layer of orders would be empty")

    def test_a_layer_of_which_everything_is_left_out(self, tmp_path: Path, root: Path, store: Store) -> None:
        artifact = layer(root, store, locked_file(make_wheel(tmp_path, "boto3")))
        error = self.refused(artifact)
        assert error.problem == (
            "The layer of orders would be empty: the default list leaves out boto3, and nothing else is "
            "selected."
        )
        assert error.remedy == 'Pass keep=["boto3"] to have what is named as locked, or remove the layer.'
        error = self.refused(replace(artifact, exclude=("boto3",)))
        assert "exclude= leaves out boto3" in error.problem
        assert "keep" not in error.remedy

    @pytest.mark.parametrize(
        ("names", "problem"),
        [
            (
                {"keep": ("alpha", "boto3")},
                "keep= names alpha, which the layer does not leave out by default.",
            ),
            ({"keep": ("Boto3",), "exclude": ("boto3",)}, "boto3 is both in keep= and in exclude=."),
        ],
    )
    def test_a_name_that_cannot_be_kept(
        self, root: Path, store: Store, names: dict[str, tuple[str, ...]], problem: str
    ) -> None:
        with pytest.raises(LbdartError) as error:
            replace(layer(root, store), **names)  # type: ignore[arg-type]
        assert error.value.problem == problem

    def test_a_wheel_with_other_bytes(self, tmp_path: Path, root: Path, store: Store) -> None:
        error = self.refused(layer(root, store, locked_file(make_wheel(tmp_path), sha="f" * 64)))
        assert f"the lock says {'f' * 64}" in error.problem

    def test_a_wheel_that_could_write_outside_of_the_layer(
        self, tmp_path: Path, root: Path, store: Store
    ) -> None:
        evil = make_zip(tmp_path / "evil-1.0-py3-none-any.whl", [("../../etc/x", b"")])
        error = self.refused(layer(root, store, locked_file(evil)))
        assert "unsafe name '../../etc/x'" in error.problem

    def test_a_wheel_that_is_no_zip(self, tmp_path: Path, root: Path, store: Store) -> None:
        broken = tmp_path / "alpha-1.0-py3-none-any.whl"
        broken.write_bytes(b"<html>")
        assert "not a usable zip" in self.refused(layer(root, store, locked_file(broken))).problem

    def test_a_layer_that_is_too_large(self, tmp_path: Path, root: Path, store: Store) -> None:
        large = make_wheel(tmp_path, "large", files={"large.bin": bytes(MAX_UNZIPPED + 1)})
        error = self.refused(layer(root, store, locked_file(large), locked_file(make_wheel(tmp_path))))
        assert "the largest packages are large 262.1 MB, alpha" in error.problem


class TestSameBytes:
    """Same inputs, same bytes: on any interpreter, in any directory, for any user."""

    @pytest.fixture
    def inputs(self, tmp_path: Path, root: Path) -> tuple[Path, Path]:
        make_wheel(
            tmp_path / "wheels", "alpha", files={"alpha/tool": "#!/bin/sh\n"}, executable=["alpha/tool"]
        )
        make_wheel(tmp_path / "wheels", "beta", method=zipfile.ZIP_STORED)
        make_project(root / "lib", "lib", built=False)
        (root / "conf.json").write_text("{}")
        return tmp_path / "wheels", root

    def build(self, python: str | Path, wheels: Path, root: Path, store: Path, umask: str) -> str:
        """Build in another process, with a store of its own; return the hashes."""
        packages = [*site.getsitepackages(), str(Path(build_artifacts.__file__).parents[2])]
        return subprocess.run(
            [python, "-m", build_artifacts.__name__, wheels, root, store, umask],
            env={"PYTHONPATH": ":".join(packages), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def test_in_two_directories_with_two_umasks(self, tmp_path: Path, inputs: tuple[Path, Path]) -> None:
        wheels, root = inputs
        one = self.build(sys.executable, wheels, root, tmp_path / "one", "022")
        moved = Path(shutil.copytree(root, tmp_path / "elsewhere" / "orders"))
        for path in moved.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        other = self.build(sys.executable, wheels, moved, tmp_path / "other", "077")
        assert one == other
        assert len(one.split()) == 3

    def test_on_two_versions_of_python(self, tmp_path: Path, inputs: tuple[Path, Path]) -> None:
        python = other_interpreter()
        if python is None:
            pytest.skip("this machine has no other Python that the library runs on")
        one = self.build(sys.executable, *inputs, tmp_path / "one", "022")
        assert self.build(python, *inputs, tmp_path / "other", "022") == one
