"""A project of the user's, built to a wheel; the user's tree is only read."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.commit import Commit
from lbdart_cdk.core.locking.selection import LockedCommit, LockedFile
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.build import Builder
from lbdart_cdk.core.wheels.build_hooks import BuildError
from lbdart_cdk.core.wheels.build_image import BuildContainer
from lbdart_cdk.core.wheels.container import WheelContainer
from lbdart_cdk.core.wheels.environment import BuildEnvironment
from tests.support.docker import GIVES, FakeDocker
from tests.support.fakes import FakeTool
from tests.support.git import make_repository
from tests.support.projects import files_in, kept_in, make_project, make_sdist
from tests.support.wheels import make_wheel, make_zip, names_in, sha256

INFO = ["lib-1.0.dist-info/METADATA", "lib-1.0.dist-info/RECORD"]


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    return make_project(tmp_path / "lib", "lib", built=False)


def test_a_project_is_built_from_a_copy(lib: Path, store: Store) -> None:
    before = files_in(lib)
    tool = FakeTool()
    wheel = Builder(tool, store).local(lib).path
    assert names_in(wheel) == [*INFO, "lib/__init__.py", "lib/app.py"]
    assert files_in(lib) == before
    assert not (lib / "build").exists()
    assert lib not in tool.built


def test_a_wheel_that_was_changed_in_the_cache_is_not_packed(lib: Path, store: Store) -> None:
    """Not even with its size and time as they were."""
    wheel = Builder(FakeTool(), store).local(lib).path
    before = wheel.stat()
    wheel.write_bytes(bytes(before.st_size))
    os.utime(wheel, ns=(before.st_atime_ns, before.st_mtime_ns))
    built = Builder(FakeTool(), store).local(lib)
    with pytest.raises(LbdartError, match="it was changed after it was built"):
        _ = built.path


def test_it_is_built_again_when_a_file_changed(lib: Path, store: Store) -> None:
    tool = FakeTool()
    first = Builder(tool, store).local(lib).path
    assert Builder(tool, store).local(lib).path == first
    assert len(tool.built) == 1
    (lib / "src/lib/app.py").write_text("y = 2\n")
    assert Builder(tool, store).local(lib).path != first
    assert len(tool.built) == 2


def test_it_is_built_again_when_the_environment_decides_otherwise(
    lib: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = FakeTool()
    for version in ("1.0", "2.0", "2.0"):
        monkeypatch.setenv("SETUPTOOLS_SCM_PRETEND_VERSION", version)
        Builder(tool, store).local(lib)
    given = BuildEnvironment({"ORDERS_EDITION": "pro"})
    Builder(tool, store, environment=given).local(lib)
    assert [seen["SETUPTOOLS_SCM_PRETEND_VERSION"] for seen in tool.seen] == ["1.0", "2.0", "2.0"]
    assert [seen.get("ORDERS_EDITION") for seen in tool.seen] == [None, None, "pro"]


def test_a_cache_in_a_checkout_changes_nothing(lib: Path, tmp_path: Path) -> None:
    """Git, hatchling and uv look for a repository, ignore files and settings in the directories above."""

    class Looking(FakeTool):
        def build_wheel(self, source: Path, output: Path, variables: Mapping[str, str] | None = None) -> None:
            for name in (".git", "uv.toml"):
                found = next(above / name for above in source.parents if (above / name).exists())
                assert found.is_relative_to(tmp_path / "checkout/cache")
            super().build_wheel(source, output, variables)
            assert Path(self.seen[-1]["GIT_CEILING_DIRECTORIES"]) in source.parents

    make_repository(tmp_path / "checkout")
    (tmp_path / "checkout/.gitignore").write_text("*\n")
    (tmp_path / "checkout/uv.toml").write_text("")
    sdist = make_sdist(tmp_path, "alpha")
    locked = LockedFile(canonicalize_name("alpha"), sdist.name, sdist, sha256(sdist))
    built = set()
    for name, tool in (("checkout/cache", Looking()), ("elsewhere", FakeTool())):
        builder = Builder(tool, Store(tmp_path / name))
        built.add((builder.local(lib).identity, builder.sdist(sdist, locked).identity))
    assert len(built) == 1


def test_a_module_that_was_deleted_is_not_in_the_next_wheel(lib: Path, store: Store) -> None:
    Builder(FakeTool(), store).local(lib)
    (lib / "src/lib/app.py").unlink()
    assert "lib/app.py" not in names_in(Builder(FakeTool(), store).local(lib).path)


def test_a_damaged_wheel_is_built_again(lib: Path, store: Store) -> None:
    wheel = Builder(FakeTool(), store).local(lib).path
    content = wheel.read_bytes()
    wheel.write_bytes(b"damaged")
    assert Builder(FakeTool(), store).local(lib).path.read_bytes() == content


@pytest.mark.parametrize("tag", ["cp311-cp311-linux_x86_64", "cp39-abi3-macosx_11_0_arm64"])
def test_a_wheel_that_was_compiled_here_is_refused(lib: Path, store: Store, tag: str) -> None:
    with pytest.raises(LbdartError, match=f"lib builds to .*{tag}.whl, a wheel compiled for"):
        Builder(FakeTool(tag=tag), store).local(lib)
    assert kept_in(store) == set()


def test_a_directory_that_is_named_by_its_child_is_no_other(lib: Path, store: Store) -> None:
    """``..`` is no name: joined to a folder it is the one above, where other projects' files may lie."""
    others = store.root / "tmp/src/lib/others.py"
    others.parent.mkdir(parents=True)
    others.write_text("")
    before = files_in(store.root / "tmp")
    wheel = Builder(FakeTool(), store).local(lib / "src/..").path
    assert names_in(wheel) == [*INFO, "lib/__init__.py", "lib/app.py"]
    assert files_in(store.root / "tmp") == before


def test_its_directory_may_have_any_name(tmp_path: Path, store: Store) -> None:
    """The files alone decide what is built: a build backend sees one name."""
    tool = FakeTool()
    for name in ("wheel", "sdist", "Lib 1"):
        root = make_project(tmp_path / name, "lib", built=False)
        (root / f"{name}.txt").write_text("so that it is built again")
        make_wheel(root / "vendored")
        make_wheel(root, "beside")
        assert "lib/app.py" in names_in(Builder(tool, store).local(root).path)
    assert len({directory.name for directory in tool.built}) == 1


def test_a_directory_that_is_not_there(tmp_path: Path, store: Store) -> None:
    with pytest.raises(LbdartError, match=r"nowhere cannot be read"):
        Builder(FakeTool(), store).local(tmp_path / "nowhere")


@dataclass
class Failing(FakeTool):
    """Its build backend finds no library."""

    def build_wheel(self, source: Path, output: Path, variables: Mapping[str, str] | None = None) -> None:
        self.built.append(source)
        why = "RuntimeError: There is none"
        raise BuildError(why, ["looking for a library", why])


def test_of_a_build_that_fails_what_was_built_and_why_is_told(
    lib: Path, tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        LbdartError,
        match=r"/lib could not be built: RuntimeError: There is none\.\nSee the output .* a copy",
    ):
        Builder(Failing(), store).local(lib)
    assert capsys.readouterr().err == "looking for a library\nRuntimeError: There is none\n"
    sdist = make_sdist(tmp_path, "alpha")
    locked = LockedFile(canonicalize_name("alpha"), sdist.name, sdist, sha256(sdist))
    with pytest.raises(
        LbdartError,
        match=r"^alpha-1\.0\.tar\.gz could not be built: .*\nFor a layer, set build_in_container=True",
    ):
        Builder(Failing(), store).sdist(sdist, locked)
    assert kept_in(store) == set()


class TestTwoTargets:
    """A build that fails for one target is not run again for the next, as long as the process lives."""

    def fail(self, lib: Path, tool: FakeTool, store: Store) -> str:
        with pytest.raises(LbdartError) as error:
            Builder(tool, store).local(lib)
        return str(error.value)

    def test_a_build_that_failed(self, lib: Path, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
        tool = Failing()
        assert self.fail(lib, tool, store) == self.fail(lib, tool, store)
        assert len(tool.built) == 1
        assert capsys.readouterr().err == "looking for a library\nRuntimeError: There is none\n"

    def test_a_wheel_that_was_compiled_here(self, lib: Path, store: Store) -> None:
        tool = FakeTool(tag="cp313-cp313-linux_x86_64")
        assert self.fail(lib, tool, store) == self.fail(lib, tool, store)
        assert len(tool.built) == 1

    def test_it_is_built_again_when_a_file_changed(self, lib: Path, store: Store) -> None:
        tool = Failing()
        self.fail(lib, tool, store)
        (lib / "src/lib/app.py").write_text("y = 2\n")
        self.fail(lib, tool, store)
        assert len(tool.built) == 2

    def test_an_error_of_something_else_is_no_failure_of_the_build(self, lib: Path, store: Store) -> None:
        class Refused(FakeTool):
            def build_wheel(
                self, source: Path, output: Path, variables: Mapping[str, str] | None = None
            ) -> None:
                self.built.append(source)
                raise LbdartError("The index refused setuptools.", "Try again.")

        tool = Refused()
        self.fail(lib, tool, store)
        self.fail(lib, tool, store)
        assert len(tool.built) == 2

    def test_another_process_tries_again(self, lib: Path, store: Store) -> None:
        self.fail(lib, Failing(), store)
        assert kept_in(store) == set()


class TestSourceDistribution:
    """It is unpacked into a scratch folder and built once for its hash."""

    def build(self, sdist: Path, tool: FakeTool, store: Store, subdirectory: str = "") -> Path:
        name = canonicalize_name("alpha")
        locked = LockedFile(name, sdist.name, sdist, sha256(sdist), subdirectory=subdirectory)
        return Builder(tool, store).sdist(sdist, locked).path

    def test_it_is_built_once(self, tmp_path: Path, store: Store) -> None:
        tool = FakeTool()
        wheel = self.build(make_sdist(tmp_path, "alpha"), tool, store)
        assert {"alpha/__init__.py", "alpha/app.py"} < set(names_in(wheel))
        assert self.build(tmp_path / "alpha-1.0.tar.gz", tool, store) == wheel
        assert len(tool.built) == 1
        assert not tool.built[0].exists()

    def test_as_a_zip(self, tmp_path: Path, store: Store) -> None:
        sdist = make_zip(tmp_path / "alpha-1.0.zip", [("alpha-1.0/src/alpha.py", "x = 1\n")])
        assert "alpha.py" in names_in(self.build(sdist, FakeTool(), store))

    @pytest.mark.parametrize("form", ["gztar", "bztar", "xztar", "tar", "zip"])
    def test_an_archive_of_any_form_with_the_project_in_a_subdirectory(
        self, tmp_path: Path, store: Store, form: str
    ) -> None:
        make_project(tmp_path / "in" / "mono" / "libs" / "alpha", "alpha")
        archive = Path(shutil.make_archive(str(tmp_path / "mono"), form, tmp_path / "in", "mono"))
        wheel = self.build(archive, FakeTool(), store, "libs/alpha")
        assert "alpha/app.py" in names_in(wheel)
        assert self.build(archive, FakeTool(), store, "libs") != wheel

    @pytest.mark.parametrize("subdirectory", ["nowhere", "..", "/"])
    def test_a_subdirectory_that_is_not_in_it(self, tmp_path: Path, store: Store, subdirectory: str) -> None:
        sdist = make_sdist(tmp_path, "alpha")
        with pytest.raises(LbdartError, match=f"source distribution: it has no directory {subdirectory}"):
            self.build(sdist, FakeTool(), store, subdirectory)

    def test_one_that_compiles_is_refused(self, tmp_path: Path, store: Store) -> None:
        sdist = make_sdist(tmp_path, "alpha")
        with pytest.raises(LbdartError, match=r"^alpha-1\.0\.tar\.gz builds to .*, a wheel compiled for"):
            self.build(sdist, FakeTool(tag="cp313-cp313-linux_x86_64"), store)
        assert kept_in(store) == set()

    @pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
    @pytest.mark.parametrize("content", [b"", b"no archive"])
    def test_one_that_is_no_archive(self, tmp_path: Path, store: Store, suffix: str, content: bytes) -> None:
        sdist = tmp_path / f"alpha-1.0{suffix}"
        sdist.write_bytes(content)
        with pytest.raises(LbdartError, match="is not a usable source distribution"):
            self.build(sdist, FakeTool(), store)

    def test_one_that_would_write_elsewhere(self, tmp_path: Path, store: Store) -> None:
        sdist = tmp_path / "alpha-1.0.tar.gz"
        with tarfile.open(sdist, "w:gz") as archive:
            archive.add(__file__, "../../evil.py")
        with pytest.raises(LbdartError, match="is not a usable source distribution"):
            self.build(sdist, FakeTool(), store)
        assert list(tmp_path.rglob("evil.py")) == []

    def test_one_with_more_than_a_project(self, tmp_path: Path, store: Store) -> None:
        sdist = make_zip(tmp_path / "alpha-1.0.zip", [("one/x.py", ""), ("other/x.py", "")])
        with pytest.raises(LbdartError, match="is not a usable source distribution"):
            self.build(sdist, FakeTool(), store)


class TestCommit:
    """A directory of a repository, built once for the commit."""

    @pytest.fixture
    def locked(self, tmp_path: Path) -> LockedCommit:
        make_project(tmp_path / "mono" / "libs" / "alpha", "alpha")
        make_project(tmp_path / "mono", "mono")
        commit = make_repository(tmp_path / "mono")
        url = (tmp_path / "mono").as_uri()
        return LockedCommit(canonicalize_name("alpha"), Commit("alpha", url, commit), "libs/alpha")

    def test_it_is_built_once_even_when_the_repository_is_gone(
        self, locked: LockedCommit, tmp_path: Path, store: Store
    ) -> None:
        tool = FakeTool()
        wheel = Builder(tool, store).commit(locked).path
        assert "alpha/app.py" in names_in(wheel)
        shutil.rmtree(tmp_path / "mono")
        assert Builder(tool, store).commit(locked).path == wheel
        assert len(tool.built) == 1

    def test_another_directory_of_it_is_another_wheel(self, locked: LockedCommit, store: Store) -> None:
        Builder(FakeTool(), store).commit(locked)
        other = Builder(FakeTool(), store).commit(replace(locked, subdirectory="")).path
        assert "mono/app.py" in names_in(other)

    def test_a_subdirectory_that_is_not_in_it(self, locked: LockedCommit, store: Store) -> None:
        with pytest.raises(LbdartError, match="it has no directory nowhere"):
            Builder(FakeTool(), store).commit(replace(locked, subdirectory="nowhere"))

    def test_one_that_compiles_is_refused(self, locked: LockedCommit, store: Store) -> None:
        with pytest.raises(LbdartError, match=r"^alpha from file:.* builds to .*, a wheel compiled for"):
            Builder(FakeTool(tag="cp313-cp313-linux_x86_64"), store).commit(locked)


class TestContainer:
    """What compiles is built in the build image, where the user allows it; and only that."""

    COMPILED = "cp313-cp313-linux_x86_64"

    @pytest.fixture
    def docker(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
        """A Docker whose container gives a wheel compiled for the target."""
        make_wheel(tmp_path / "given", "lib", tag=self.COMPILED, files={"lib/_c.so": "for Lambda"})
        return FakeDocker(tmp_path / "bin", monkeypatch).answers(run=GIVES.format(tmp_path / "given"))

    def container(self, **options: Any) -> WheelContainer:
        return WheelContainer(BuildContainer(**options), Target((3, 13)))

    def test_what_compiles_comes_from_there(self, lib: Path, store: Store, docker: FakeDocker) -> None:
        before = files_in(lib)
        wheel = Builder(FakeTool(tag="cp311-cp311-linux_x86_64"), store, self.container()).local(lib).path
        assert names_in(wheel) == [*INFO, "lib/_c.so"]
        assert files_in(lib) == before
        assert docker.runs == 1

    def test_it_sees_the_whole_copy_git_and_the_variables_of_the_build(
        self, tmp_path: Path, store: Store, docker: FakeDocker
    ) -> None:
        lib = make_project(tmp_path / "mono/libs/lib", "lib", built=False)
        make_repository(tmp_path / "mono")
        see = f"""
            printf '%s\\n' "$all" > {tmp_path}/arguments; IFS= read -r settings
            printf %s "$settings" | base64 -d > {tmp_path}/settings
        """
        docker.answers(run=see + GIVES.format(tmp_path / "given"))
        environment = BuildEnvironment({"CFLAGS": "-O3"})
        Builder(Failing(), store, self.container(), environment).local(lib)
        arguments = (tmp_path / "arguments").read_text().splitlines()
        (copy,) = (line for line in arguments if line.endswith(",target=/var/task"))
        assert '/project",' in copy
        assert arguments[-1] == "/var/task/libs/lib"
        git_directory = tmp_path / "mono/.git"
        mount = f'--mount=type=bind,"source={git_directory}",target={git_directory},readonly'
        assert mount in arguments
        settings = (tmp_path / "settings").read_text()
        assert "export CFLAGS=-O3" in settings
        assert "safe.directory" in settings

    def test_also_when_it_does_not_build_here(
        self, lib: Path, store: Store, docker: FakeDocker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wheel = Builder(Failing(), store, self.container()).local(lib).path
        assert "lib/_c.so" in names_in(wheel)
        assert capsys.readouterr().err == ""

    def test_it_is_built_once(self, lib: Path, store: Store, docker: FakeDocker) -> None:
        tool = FakeTool(tag="cp311-cp311-linux_x86_64")
        built = [Builder(tool, store, self.container()).local(lib).path for _ in range(2)]
        assert built[0] == built[1]
        assert (docker.runs, len(tool.built)) == (1, 1)

    def test_once_for_each_target_and_image(self, lib: Path, store: Store, docker: FakeDocker) -> None:
        tool = FakeTool(tag="cp311-cp311-linux_x86_64")
        Builder(tool, store, self.container()).local(lib)
        Builder(tool, store, self.container(image="image:1")).local(lib)
        with pytest.raises(
            LbdartError, match=rf"{self.COMPILED}\.whl in .*3\.12:.*does not load on python3\.12"
        ):
            Builder(tool, store, WheelContainer(BuildContainer(), Target((3, 12)))).local(lib)
        assert docker.runs == 3

    def test_what_is_pure_is_built_here(self, lib: Path, store: Store, docker: FakeDocker) -> None:
        wheel = Builder(FakeTool(), store, self.container()).local(lib).path
        assert wheel == Builder(FakeTool(), store).local(lib).path
        assert docker.runs == 0

    def test_unless_nothing_is_to_be_built_here(self, lib: Path, store: Store, docker: FakeDocker) -> None:
        tool = FakeTool()
        Builder(tool, store, self.container(every_source=True)).local(lib)
        assert (docker.runs, tool.built) == (1, [])

    def test_what_is_known_to_compile_is_not_tried_here(
        self, tmp_path: Path, store: Store, docker: FakeDocker
    ) -> None:
        sdist, tool = make_sdist(tmp_path, "lib"), FakeTool()
        locked = LockedFile(canonicalize_name("lib"), sdist.name, sdist, sha256(sdist))
        Builder(tool, store, self.container()).sdist(sdist, locked, compiles=True)
        assert (docker.runs, tool.built) == (1, [])

    @pytest.mark.parametrize(
        "tag", ["cp313-cp313-linux_aarch64", "cp312-cp312-linux_x86_64", "cp313-cp313t-linux_x86_64"]
    )
    def test_a_wheel_from_there_has_to_load_on_the_target(
        self, lib: Path, store: Store, docker: FakeDocker, tmp_path: Path, tag: str
    ) -> None:
        make_wheel(tmp_path / "other", "lib", tag=tag)
        docker.answers(run=GIVES.format(tmp_path / "other"))
        with pytest.raises(LbdartError, match=rf"lib builds to lib-1\.0-{tag}\.whl in .* does not load on"):
            Builder(FakeTool(tag=tag), store, self.container()).local(lib)
        assert kept_in(store) == set()

    def test_a_build_that_makes_no_wheel(self, lib: Path, store: Store, docker: FakeDocker) -> None:
        docker.answers(run="true")
        with pytest.raises(LbdartError, match=r"The build of .*/lib made 0 wheels\."):
            Builder(FakeTool(tag=self.COMPILED), store, self.container()).local(lib)
