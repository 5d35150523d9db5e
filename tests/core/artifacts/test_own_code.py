"""A project that is no package runs as it lies: nothing that its code could open is missing in the zip."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.artifacts.own_code import left_out
from lbdart_cdk.core.artifacts.source import SourceArtifact
from lbdart_cdk.core.artifacts.summary import Part, Summary
from lbdart_cdk.core.errors import BuildWarning, LbdartError
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import MAX_UNZIPPED, Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.build_image import BuildContainer
from tests.support.elf import AARCH64, make_elf
from tests.support.fakes import FakeTool
from tests.support.locks import lock_of, locked, locked_file
from tests.support.projects import make_project
from tests.support.wheels import make_wheel, names_in, read_from

#: What an entry directory of CDK's ``PythonFunction`` may look like.
CODE = ("config.json", "handlers/orders.py", "shared.py", "templates/mail.html")
LEFT_OUT = (
    ".env",
    "handlers/.cache/x",
    "pyproject.toml",
    "requirements-dev.txt",
    "tests/test_orders.py",
    "uv.lock",
)


def written(root: Path, names: Iterable[str], content: str = "") -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return written(tmp_path / "orders", (*CODE, *LEFT_OUT))


def source(root: Path, store: Store, include: Collection[str] = (), **props: object) -> SourceArtifact:
    artifact = SourceArtifact(Project(root, root / "uv.lock"), FakeTool(), tuple(include), (), store)
    return replace(artifact, **props)  # type: ignore[arg-type]


def layer(root: Path, store: Store, *packages: str) -> LayerArtifact:
    tool = FakeTool(lock_of(*packages, base=root))
    return LayerArtifact(
        Project(root, root / "uv.lock"), tool, Target((3, 13)), Options(), (), store, own_code=True
    )


class TestAsItLies:
    def test_the_whole_directory_is_taken_and_what_is_not_is_known(self, root: Path, store: Store) -> None:
        written(root, ("build/x.py", "handlers/__pycache__/orders.cpython-313.pyc", "x.egg-info/PKG-INFO"))
        assert names_in(source(root, store).build().path) == list(CODE)
        assert left_out(Project(root, root / "uv.lock"), FakeTool()) == [
            *(".env", "build/", "handlers/.cache/", "pyproject.toml", "requirements-dev.txt"),
            *("tests/", "uv.lock", "x.egg-info/"),
        ]

    def test_the_summary_names_of_it_what_may_be_missed(self, root: Path, store: Store) -> None:
        written(root, ("build/x.py", "cdk.out/x.json", "node_modules/x.js", "x.egg-info/PKG-INFO"))
        artifact = source(root, store)
        size = artifact.build().path.stat().st_size
        assert artifact.summary() == Summary(
            [Part(4, "file", [".env", "build/", "handlers/.cache/"])], size, 0
        )

    @pytest.mark.parametrize("name", [".coveragerc", ".gitignore", ".python-version", "handlers/.gitkeep"])
    def test_the_settings_of_tools_are_not_missed(self, root: Path, store: Store, name: str) -> None:
        written(root, [name])
        artifact = source(root, store)
        artifact.build()
        assert artifact.summary().parts[0].left_out == [".env", "handlers/.cache/"]

    def test_what_tools_left_after_the_build_is_named_too(self, root: Path, store: Store) -> None:
        source(root, store).build()
        written(root, ["dist/x.py"])
        artifact = source(root, store)
        assert artifact.is_kept
        assert "dist/" in artifact.summary().parts[0].left_out

    def test_src_is_taken_instead_if_it_is_there(self, root: Path, store: Store) -> None:
        inside = ("build/x.py", "config.json", "orders/app.py", "requirements.txt", "tests/x.py")
        written(root / "src", (*inside, ".env"))
        assert names_in(source(root, store).build().path) == list(inside)
        names = left_out(Project(root, root / "uv.lock"), FakeTool())
        assert {"config.json", "handlers/", "pyproject.toml", "shared.py", "src/.env"} <= {*names}
        assert "src/" not in names

    @pytest.mark.parametrize("manifest", ["setup.cfg", "pylock.dev.toml", "requirements/../lambda.txt"])
    def test_a_manifest_of_any_name_is_none_of_the_code(
        self, root: Path, store: Store, manifest: str
    ) -> None:
        written(root, ("requirements/x.py", "templates/setup.cfg"))
        path = (root / manifest).resolve()
        path.write_text("")
        artifact = source(root, store, project=Project(root, path))
        assert names_in(artifact.build().path) == sorted((*CODE, "requirements/x.py", "templates/setup.cfg"))

    def test_a_link_is_what_it_leads_to(self, root: Path, tmp_path: Path, store: Store) -> None:
        elsewhere = written(tmp_path / "elsewhere", ["lib/x.py"], "x = 1\n")
        (root / "lib").symlink_to(elsewhere / "lib")
        (root / "x.py").symlink_to(elsewhere / "lib/x.py")
        path = source(root, store).build().path
        assert read_from(path, "lib/x.py") == read_from(path, "x.py") == b"x = 1\n"

    def test_packages_that_lie_there_do_not_give_it_their_version(self, root: Path, store: Store) -> None:
        written(
            root, ["six-1.17.0.dist-info/METADATA"], "Metadata-Version: 2.1\nName: six\nVersion: 1.17.0\n"
        )
        assert source(root, store).build().version == "0.0.0"

    def test_too_much_is_refused_before_it_is_read(self, root: Path, store: Store) -> None:
        (root / "data").mkdir()
        with (root / "data/all.bin").open("wb") as file:
            file.truncate(MAX_UNZIPPED + 1)
        with pytest.raises(
            LbdartError, match=r"the code in .*/orders has .* the largest packages are data 262"
        ):
            source(root, store).build()


class TestIncluded:
    def test_a_file_that_is_not_taken_by_default(self, root: Path, store: Store) -> None:
        artifact = source(root, store, (".env", "tests", "/pyproject.toml"))
        built = artifact.build()
        assert names_in(built.path) == sorted((*CODE, ".env", "tests/test_orders.py", "pyproject.toml"))
        assert built.files == 7
        assert left_out(artifact.project, artifact.tool, artifact.include) == [
            *("handlers/.cache/", "requirements-dev.txt", "uv.lock")
        ]

    def test_one_with_other_contents_than_what_is_built_is_a_warning_at_each_synth(
        self, tmp_path: Path, store: Store
    ) -> None:
        root = make_project(tmp_path / "shop")
        written(root, ["uv.lock", "orders/__init__.py"], "other = 1\n")
        for _synth in ("first", "unchanged"):
            built = source(root, store, ["/orders/__init__.py"]).build()
            assert [(warning.id, warning.is_info) for warning in built.warnings] == [
                ("lbdart_cdk:clash:orders:include=", False)
            ]

    def test_a_file_of_src_is_at_its_place(self, root: Path, store: Store) -> None:
        written(root / "src", ("app.py", "conf/.env", "conf/a.json"))
        assert names_in(source(root, store, ("conf", "*.html")).build().path) == [
            "app.py",
            "conf/.env",
            "conf/a.json",
            "templates/mail.html",
        ]

    @pytest.mark.parametrize("built", [True, False])
    def test_a_pattern_that_matches_nothing_is_refused(
        self, tmp_path: Path, store: Store, *, built: bool
    ) -> None:
        root = written(make_project(tmp_path / "shop", built=built), ["conf/a.json", "build/b.json"])
        for pattern in ("conf/*.jsn", "b.json"):
            with pytest.raises(LbdartError) as error:
                source(root, store, ("*.json", pattern)).build()
            assert error.value.problem == (
                f"The pattern {pattern!r} in include= matches no file of the project in {root}."
            )


class TestInALayer:
    def test_it_is_what_the_source_has(self, root: Path, tmp_path: Path, store: Store) -> None:
        alpha = make_wheel(tmp_path / "wheels", files={"alpha.py": ""})
        artifact = layer(root, store, locked_file(alpha))
        with_alpha = names_in(artifact.build())
        own = [f"python/{name}" for name in names_in(source(root, store).build().path)]
        assert set(with_alpha) - set(own) == {name for name in with_alpha if name.startswith("python/alpha")}
        assert set(own) <= set(with_alpha)
        missed = [".env", "handlers/.cache/"]
        assert artifact.summary().parts == [Part(1, "package"), Part(4, "file", missed)]

    def test_a_layer_may_have_nothing_else(self, root: Path, store: Store) -> None:
        artifact = layer(root, store)
        assert names_in(artifact.build()) == [f"python/{name}" for name in CODE]
        assert b'"components"' not in artifact.sbom()
        assert artifact.report is not None
        assert set(artifact.report.sizes) == {"orders"}

    def test_a_package_is_built(self, tmp_path: Path, store: Store) -> None:
        root = written(make_project(tmp_path / "shop"), ["uv.lock"])
        own = names_in(source(root, store).build().path)
        assert "orders-1.0.dist-info/METADATA" in own
        assert names_in(layer(root, store).build()) == [f"python/{name}" for name in own]

    def test_a_project_that_its_lock_names_is_there_once(self, tmp_path: Path, store: Store) -> None:
        root = written(make_project(tmp_path / "orders"), ["uv.lock"])
        table = locked("orders", source='directory = { path = "." }\n')
        built = layer(root, store, table).build()
        assert "python/orders-1.0.dist-info/RECORD" in names_in(built)

    def test_it_must_not_clash_with_a_package(self, root: Path, tmp_path: Path, store: Store) -> None:
        shared = make_wheel(tmp_path / "wheels", "shared", files={"shared.py": "x = 1\n"})
        with pytest.raises(LbdartError, match=r"orders and shared both bring shared\.py, with different"):
            layer(root, store, locked_file(shared)).build()

    def test_what_is_compiled_must_load_there(self, root: Path, store: Store) -> None:
        (root / "native.so").write_bytes(make_elf(machine=AARCH64, module="native"))
        with pytest.raises(LbdartError, match=r"native\.so"):
            layer(root, store).build()

    def test_code_is_asked_for(self, tmp_path: Path, store: Store) -> None:
        root = written(tmp_path / "orders", ["config.json", "uv.lock"])
        with pytest.raises(LbdartError, match=r"own code in the layer of orders would have no Python code\."):
            layer(root, store).build()

    def test_it_is_an_input_only_when_it_is_in_the_layer(
        self, root: Path, tmp_path: Path, store: Store
    ) -> None:
        alpha = locked_file(make_wheel(tmp_path / "wheels"))

        def keys() -> tuple[str, str]:
            artifact = layer(root, store, alpha)
            return replace(artifact, own_code=False).build_key, artifact.build_key

        before = keys()
        (root / "config.json").write_text("{}")
        after = keys()
        assert before[0] == after[0]
        assert len({*before, *after}) == 3

    def test_the_build_image_is_an_input_of_a_package(self, tmp_path: Path, root: Path, store: Store) -> None:
        package = written(make_project(tmp_path / "shop"), ["uv.lock"])
        for project, different in ((root, 1), (package, 2)):
            artifact = layer(project, store)
            images = (None, BuildContainer("image:1"))
            assert len({replace(artifact, container=image).build_key for image in images}) == different

    @pytest.mark.parametrize(
        ("pyproject", "said"), [(None, True), ("[tool.ruff]\n", True), ('[project]\nname = "x"\n', False)]
    )
    def test_without_it_modules_beside_a_manifest_are_not_lost_silently(
        self,
        root: Path,
        tmp_path: Path,
        store: Store,
        pyproject: str | None,
        *,
        said: bool,
    ) -> None:
        (root / "pyproject.toml").unlink()
        if pyproject is not None:
            (root / "pyproject.toml").write_text(pyproject)
        locks = locked_file(make_wheel(tmp_path / "wheels"))
        information = BuildWarning(
            "lbdart_cdk:own-code",
            "The layer of orders has no code of the project itself; own_code=True adds it.",
            is_info=True,
        )
        for _synth in ("first", "unchanged"):
            artifact = replace(layer(root, store, locks), own_code=False)
            artifact.build()
            assert artifact.own_warnings == ((information,) if said else ())

    def test_modules_that_come_later_are_not_lost_silently_either(self, tmp_path: Path, store: Store) -> None:
        root = written(tmp_path / "orders", ["uv.lock"])
        locks = locked_file(make_wheel(tmp_path / "wheels"))

        def warnings() -> int:
            artifact = replace(layer(root, store, locks), own_code=False)
            artifact.build()
            return len(artifact.own_warnings)

        assert warnings() == 0
        written(root, ["handlers/orders.py"])
        assert warnings() == 1
