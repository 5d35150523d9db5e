"""The builders of the tools: what they are given, and which project they build."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbdart_cdk.core.api import (
    BaseLambdaLayerLocalBuilder,
    LayerPathLayout,
    LbdartError,
    Store,
    Target,
    create_layer_zip_file,
)
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.tools import UvLambdaLayerContainerBuilder, UvLambdaLayerLocalBuilder
from tests.support.index import Index
from tests.support.projects import index_table, make_project, uv_lock
from tests.support.wheels import make_wheel, names_in


def test_one_name_is_as_good_as_a_list_of_it(orders: Path, store: Store) -> None:
    target = Target((3, 13))
    one, listed = (
        UvLambdaLayerLocalBuilder(
            orders / "pyproject.toml",
            extras=extras,
            groups=groups,
            exclude=exclude,
            prefer=exclude,
            keep=keep,
            exclude_files=groups,
            store=store,
            target=target,
        )
        for extras, groups, exclude, keep in (
            ("fast", "ops", "native", "pip"),
            (["fast"], ["ops"], ["native"], ["pip"]),
        )
    )
    assert one.artifact.options == listed.artifact.options == Options(("fast",), ("ops",))
    assert one.artifact.exclude == listed.artifact.exclude == ("native",)
    assert one.artifact.keep == listed.artifact.keep == ("pip",)
    assert one.artifact.prefer == listed.artifact.prefer == ("native",)
    assert one.artifact.exclude_files == listed.artifact.exclude_files == ("ops",)
    assert one.build_key == listed.build_key


def test_a_tools_builder_adds_bytecode_of_the_same_layer(orders: Path, store: Store) -> None:
    target = Target(sys.version_info[:2])
    builder = UvLambdaLayerLocalBuilder(
        orders / "pyproject.toml", exclude="native", store=store, target=target, bytecode=True
    )
    builder.run()
    packed = create_layer_zip_file(builder.path_layout, compiler=builder.compiler, verbose=False)
    assert any(name.endswith(".pyc") for name in names_in(packed))
    assert names_in(packed) == names_in(builder.artifact.build())


def test_a_runtime_that_is_not_known_yet_is_taken_and_said(
    orders: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    builder = UvLambdaLayerLocalBuilder(
        orders / "pyproject.toml", exclude="native", store=store, target=Target((3, 99))
    )
    builder.run()
    assert {path.name for path in builder.path_layout.dir_wheels.iterdir()} == {"alpha.whl", "urllib3.whl"}
    assert "Warning: python3.99 is newer than this library" in capsys.readouterr().out


def test_what_may_not_be_as_expected_is_said(orders: Path, store: Store) -> None:
    lines: list[str] = []
    builder = UvLambdaLayerLocalBuilder(
        orders / "pyproject.toml", exclude="nativ", store=store, skip_prompt=True, printer=lines.append
    )
    builder.run()
    (warning,) = [line for line in lines if line.startswith("Warning: ")]
    assert warning.startswith("Warning: exclude= names nativ, which is not among the packages")


def test_what_is_left_out_is_said_once(
    orders: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    builder = UvLambdaLayerLocalBuilder(
        orders / "pyproject.toml", exclude="native", store=store, skip_prompt=True, printer=lines.append
    )
    builder.run()
    assert [line for line in lines if line.startswith("Left out")] == ["Left out: native"]
    assert capsys.readouterr() == ("", "")


@dataclass(frozen=True, kw_only=True)
class Builder(BaseLambdaLayerLocalBuilder):
    """A builder by the script's author; ``step`` is what it does in its third step."""

    step: Callable[[LayerPathLayout], object]

    def step_3_execute_build(self) -> None:
        self.step(self.path_layout)


class TestSteps:
    @pytest.fixture
    def pyproject(self, tmp_path: Path) -> Path:
        return make_project(tmp_path / "orders") / "pyproject.toml"

    def test_an_earlier_build_stays_where_nobody_can_be_asked(
        self, pyproject: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        layout = LayerPathLayout(pyproject)
        layout.dir_python.mkdir(parents=True)
        with pytest.raises(LbdartError, match="has an earlier build") as error:
            Builder(pyproject, step=lambda _: None).run()
        assert error.value.remedy == "Pass skip_prompt=True to delete it without a question."
        assert layout.dir_python.exists()

    @pytest.mark.parametrize("left", [set(), {"wheels"}, {"artifacts"}, {"wheels", "artifacts"}])
    def test_a_script_may_remove_the_folders_that_it_does_not_fill(
        self, pyproject: Path, left: set[str]
    ) -> None:
        def step(layout: LayerPathLayout) -> None:
            for path in {layout.dir_wheels, layout.dir_artifacts}:
                if path.name not in left:
                    shutil.rmtree(path)
            if "artifacts" in left:
                (layout.dir_python / "alpha.py").touch()
            elif left:
                make_wheel(layout.dir_wheels, "alpha")

        builder = Builder(pyproject, step=step, verbose=False)
        if left:
            builder.run()
            assert create_layer_zip_file(builder.path_layout).is_file()
        else:
            with pytest.raises(LbdartError, match="The build left nothing in"):
                builder.run()


@pytest.fixture
def member(tmp_path: Path, index: Index) -> Path:
    """A member of a workspace, which requires another one and alpha."""
    workspace = tmp_path / "workspace"
    make_wheel(index.folder, "alpha")
    make_project(workspace / "libs/lib", "lib")
    (workspace / "pyproject.toml").write_text(
        "[tool.uv.workspace]\nmembers = ['orders', 'libs/lib']\n" + index_table(index.url)
    )
    sources = "[tool.uv.sources]\nlib = { workspace = true }\n"
    root = make_project(workspace / "orders", dependencies=["lib", "alpha"], tail=sources)
    uv_lock(workspace)
    return root


class TestWorkspace:
    @pytest.mark.parametrize("relative", [False, True])
    def test_a_member_is_locked_by_the_manifest_above_it(
        self, member: Path, store: Store, monkeypatch: pytest.MonkeyPatch, relative: bool
    ) -> None:
        monkeypatch.chdir(member.parent)
        pyproject = Path("orders/pyproject.toml") if relative else member / "pyproject.toml"
        builder = UvLambdaLayerLocalBuilder(pyproject, store=store, verbose=False, skip_prompt=True)
        builder.run()
        names = names_in(create_layer_zip_file(builder.path_layout))
        assert {"python/alpha/__init__.py", "python/lib/__init__.py"} <= set(names)
        project, tool = find_project(member)
        assert builder.path_manifest == builder.artifact.project.manifest == project.manifest
        assert builder.path_manifest == member.parent / "uv.lock"
        assert builder.artifact.tool is tool

    def test_in_a_container_too(self, member: Path, store: Store) -> None:
        builder = UvLambdaLayerContainerBuilder(
            member / "pyproject.toml", py_ver_major=3, py_ver_minor=13, store=store
        )
        assert builder.artifact.project.manifest == member.parent / "uv.lock"

    def test_a_manifest_that_is_not_there_is_missed_beside_the_project(self, tmp_path: Path) -> None:
        root = make_project(tmp_path / "orders")
        with pytest.raises(LbdartError, match=f"The manifest {root}/uv.lock cannot be read"):
            UvLambdaLayerLocalBuilder(root / "pyproject.toml", verbose=False).run()
        assert not (root / "build").exists()


def test_the_projects_own_code_is_packed_as_in_the_layer_of_an_app(
    orders: Path, tmp_path: Path, store: Store
) -> None:
    builder = UvLambdaLayerLocalBuilder(
        orders / "pyproject.toml", own_code=True, store=store, skip_prompt=True, target=Target((3, 13))
    )
    builder.run()
    names = names_in(create_layer_zip_file(builder.path_layout))
    assert "python/orders/app.py" in names
    assert names == names_in(builder.artifact.build())
