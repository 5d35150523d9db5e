"""poetry.lock as Poetry 2 writes it, read without Poetry; the index says where the files are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.select import select
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.tools import _index
from tests.support.git import make_repository
from tests.support.index import Index
from tests.support.locks import local_directories
from tests.support.poetry import directory, package, poetry_lock, sourced
from tests.support.projects import files_in, make_project
from tests.support.wheels import make_wheel, names_in, sha256

X86 = Target((3, 13))

PYPROJECT = """
[project]
name = "orders"
requires-python = ">=3.11"
dependencies = ["alpha"]
[project.optional-dependencies]
fast = ["beta"]
[dependency-groups]
ops = ["gamma"]
[tool.poetry.group.docs]
optional = true
"""


def write(root: Path, *packages: str, pyproject: str = PYPROJECT, content_hash: str | None = None) -> Path:
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text(pyproject)
    poetry_lock(root, *packages, content_hash=content_hash)
    return root


def lock(root: Path, store: Store, **options: tuple[str, ...]) -> Lock:
    project, tool = find_project(root)
    return tool.lock(project, Options(**options), X86, store)


def chosen(root: Path, store: Store, target: Target = X86, **options: tuple[str, ...]) -> tuple[str, ...]:
    return select(lock(root, store, **options), target).packages


def layer(root: Path, store: Store, **options: tuple[str, ...]) -> LayerArtifact:
    project, tool = find_project(root)
    return LayerArtifact(project, tool, X86, Options(**options), (), store)


def packed(root: Path, store: Store) -> set[str]:
    names = [name.split("/")[1] for name in names_in(layer(root, store).build())]
    return {name for name in names if not name.endswith(".dist-info")}


def refused(root: Path, store: Store) -> LbdartError:
    with pytest.raises(LbdartError) as error:
        lock(root, store)
    return error.value


@pytest.fixture(autouse=True)
def _default_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    _index._pip_configuration.cache_clear()


@pytest.fixture
def wheels(index: Index) -> dict[str, Path]:
    names = ("alpha", "beta", "gamma", "delta", "urllib3", "boto3")
    return {name: make_wheel(index.folder, name) for name in names}


@pytest.fixture
def orders(tmp_path: Path, wheels: dict[str, Path]) -> Path:
    """It requires alpha; the extra ``fast`` brings beta, the group ``ops`` gamma, Windows delta."""
    return write(
        tmp_path / "orders",
        package(wheels["alpha"], groups=("main", "ops")),
        package(wheels["beta"], markers='sys_platform == "linux" and extra == "fast"'),
        package(wheels["gamma"], groups=("ops",)),
        package(wheels["delta"], markers='sys_platform == "win32"'),
    )


class TestGroupsExtrasAndMarkers:
    """They become the standard's markers, evaluated for the target."""

    def test_the_projects_own_dependencies_are_the_default(self, orders: Path, store: Store) -> None:
        assert chosen(orders, store) == ("alpha",)

    def test_extras_and_groups_are_only_what_was_asked_for(self, orders: Path, store: Store) -> None:
        assert chosen(orders, store, extras=("fast",)) == ("alpha", "beta")
        assert chosen(orders, store, groups=("Ops",)) == ("alpha", "gamma")
        assert chosen(orders, store, groups=("docs",)) == ("alpha",)

    def test_a_group_and_an_extra_that_the_project_lacks(self, orders: Path, store: Store) -> None:
        with pytest.raises(LbdartError, match=r"poetry\.lock has no groups named x\.\n.*: docs, main, ops\."):
            chosen(orders, store, groups=("x",))
        with pytest.raises(LbdartError, match=r"poetry\.lock has no extras named slow\.\n.*: fast\."):
            chosen(orders, store, extras=("slow",))

    def test_each_group_can_have_a_marker_of_its_own(
        self, tmp_path: Path, store: Store, wheels: dict[str, Path]
    ) -> None:
        root = write(
            tmp_path / "orders",
            package(wheels["alpha"], groups=("main", "ops"), markers={"main": 'python_version < "3.12"'}),
        )
        assert chosen(root, store, Target((3, 11))) == ("alpha",)
        assert chosen(root, store) == ()
        assert chosen(root, store, groups=("ops",)) == ("alpha",)

    def test_one_of_two_versions(self, tmp_path: Path, store: Store, index: Index) -> None:
        root = write(
            tmp_path / "orders",
            *(
                package(
                    make_wheel(index.folder, "alpha", version), markers=f'python_version {operator} "3.12"'
                )
                for version, operator in (("1.0", "<"), ("2.0", ">="))
            ),
        )
        for target, version in ((Target((3, 11)), "1.0"), (X86, "2.0")):
            (wheel,) = select(lock(root, store), target).wheels
            assert wheel.filename == f"alpha-{version}-py3-none-any.whl"

    def test_extras_that_exclude_each_other(
        self, tmp_path: Path, store: Store, wheels: dict[str, Path]
    ) -> None:
        root = write(tmp_path / "orders", package(wheels["alpha"], markers='extra != "fast"'))
        assert chosen(root, store) == ("alpha",)
        assert chosen(root, store, extras=("fast",)) == ()


class TestWhereFilesAre:
    """The lock names no addresses: the index does, by the simple API in either form."""

    @pytest.mark.parametrize("serves_json", [False, True])
    def test_the_default_index(
        self, orders: Path, store: Store, index: Index, wheels: dict[str, Path], serves_json: bool
    ) -> None:
        index.serves_json = serves_json
        (wheel,) = select(lock(orders, store), X86).wheels
        assert wheel.source == index.file_url(wheels["alpha"])
        assert wheel.sha256 == sha256(wheels["alpha"])
        assert wheel.size == (wheels["alpha"].stat().st_size if serves_json else None)
        assert packed(orders, store) == {"alpha"}

    def test_the_index_that_the_lock_names(
        self,
        tmp_path: Path,
        store: Store,
        index: Index,
        wheels: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
        source = f'type = "legacy"\nurl = "{index.url}/simple"\nreference = "tests"\n'
        root = write(tmp_path / "orders", package(wheels["alpha"], source=source))
        assert packed(root, store) == {"alpha"}

    def test_a_private_index_gets_what_poetrys_variables_say(
        self,
        tmp_path: Path,
        store: Store,
        index: Index,
        wheels: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        index.demanded = ("user", "hunter2")
        source = f'type = "legacy"\nurl = "{index.url}/simple"\nreference = "our-index"\n'
        root = write(tmp_path / "orders", package(wheels["alpha"], source=source))
        assert refused(root, store).problem == "The index at 127.0.0.1 refused alpha: 401 Unauthorized."
        monkeypatch.setenv("POETRY_HTTP_BASIC_OUR_INDEX_USERNAME", "user")
        monkeypatch.setenv("POETRY_HTTP_BASIC_OUR_INDEX_PASSWORD", "hunter2")
        assert chosen(root, store) == ("alpha",)
        assert not [name for name, content in files_in(store.root).items() if b"hunter2" in content]

    def test_only_files_that_the_lock_names_are_taken(self, orders: Path, store: Store, index: Index) -> None:
        make_wheel(index.folder, "alpha", tag="cp313-cp313-manylinux_2_17_x86_64", files={"evil.so": ""})
        assert packed(orders, store) == {"alpha"}

    def test_direct_addresses_files_and_directories(
        self, tmp_path: Path, store: Store, index: Index, wheels: dict[str, Path]
    ) -> None:
        vendored = make_wheel(tmp_path / "orders/vendor", "vendored")
        lib = make_project(tmp_path / "lib", "lib")
        root = write(
            tmp_path / "orders",
            package(wheels["beta"], source=f'type = "url"\nurl = "{index.file_url(wheels["beta"])}"\n'),
            package(vendored, source=f'type = "file"\nurl = "vendor/{vendored.name}"\n'),
            directory("lib", "../lib"),
        )
        before = files_in(tmp_path / "lib")
        assert packed(root, store) == {"beta", "lib", "vendored"}
        assert local_directories(lock(root, store)) == {"lib": lib}
        assert files_in(tmp_path / "lib") == before

    def test_a_directory_of_a_repository(self, tmp_path: Path, store: Store) -> None:
        make_project(tmp_path / "mono/libs/lib", "lib")
        commit = make_repository(tmp_path / "mono")
        source = f'type = "git"\nurl = "{(tmp_path / "mono").as_uri()}"\nresolved_reference = "{commit}"\n'
        table = sourced("lib", f'{source}reference = "main"\nsubdirectory = "libs/lib"')
        assert packed(write(tmp_path / "orders", table), store) == {"lib"}

    def test_an_archive_at_an_address_with_the_project_in_a_directory_of_it(
        self, tmp_path: Path, store: Store, index: Index
    ) -> None:
        make_project(tmp_path / "in/mono/libs/lib", "lib")
        made = Path(shutil.make_archive(str(index.folder / "lib-1"), "gztar", tmp_path / "in", "mono"))
        source = f'type = "url"\nurl = "{index.file_url(made)}"\nsubdirectory = "libs/lib"\n'
        assert packed(write(tmp_path / "orders", package(made, source=source)), store) == {"lib"}

    def test_the_index_is_asked_once_and_the_project_is_left_as_it_is(
        self, orders: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = files_in(orders)
        first = lock(orders, store)
        assert sorted(index.requested) == ["alpha", "beta", "delta", "gamma"]
        index.requested.clear()
        assert lock(orders, store) == first
        assert index.requested == []
        assert files_in(orders) == before

    def test_a_password_in_the_address_of_the_index_is_kept_nowhere(
        self, orders: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index.demanded = ("user", "hunter2")
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.url.replace('//', '//user:hunter2@')}/simple/")
        assert "hunter2" not in str(lock(orders, store).content)
        assert not [name for name, content in files_in(store.root).items() if b"hunter2" in content]

    @pytest.mark.parametrize(
        ("variables", "found"),
        [
            ({"UV_DEFAULT_INDEX": "http://uv", "PIP_INDEX_URL": "http://pip"}, "http://uv"),
            ({"PIP_INDEX_URL": "http://pip"}, "http://pip"),
        ],
    )
    def test_which_index_is_the_default(
        self, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], found: str
    ) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert _index.default_index() == found

    def test_without_any_setting_it_is_the_tools_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PIP_INDEX_URL")
        pips = _index.default_index()
        assert pips.startswith("https://")
        monkeypatch.setitem(__import__("sys").modules, "pip._internal.models.index", None)
        assert _index.default_index().rstrip("/") == pips.rstrip("/")
        monkeypatch.setattr(frontend, "uv_executable", lambda: None)
        with pytest.raises(LbdartError, match=r"No package index is configured.*\nSet PIP_INDEX_URL"):
            _index.default_index()


class TestWhoRequiresWhom:
    """The lock says it; what an extra requires counts when somebody asks for the extra."""

    OF_EXTRA = 'urllib3 = {version = "*", optional = true, markers = "extra == \\"http\\""}'

    @pytest.mark.parametrize(
        ("requires", "kept"),
        [
            ('urllib3 = ">=1"', {"alpha", "urllib3"}),
            ("", {"alpha"}),
            ('urllib3 = {version = "*", markers = "sys_platform == \'win32\'"}', {"alpha"}),
            (
                'urllib3 = [{version = "<2", markers = "sys_platform == \'win32\'"}, '
                '{version = ">=2", markers = "sys_platform == \'linux\'"}]',
                {"alpha", "urllib3"},
            ),
            (OF_EXTRA, {"alpha"}),
        ],
    )
    def test_urllib3_stays_when_a_kept_package_requires_it(
        self, tmp_path: Path, store: Store, wheels: dict[str, Path], requires: str, kept: set[str]
    ) -> None:
        root = write(
            tmp_path / "orders",
            package(wheels["alpha"], requires=requires),
            package(wheels["urllib3"]),
            package(wheels["boto3"], requires='urllib3 = "*"'),
        )
        assert packed(root, store) == kept

    @pytest.mark.parametrize(
        "pyproject",
        [
            PYPROJECT.replace('["alpha"]', '["Alpha[HTTP]"]'),
            PYPROJECT.replace("dependencies", "dynamic")
            + '[tool.poetry.dependencies]\nalpha = {version = "*", extras = ["http"], python = "^3.11"}\n',
            PYPROJECT.replace("dependencies", "dynamic")
            + '[tool.poetry.dependencies]\nalpha = [{version = "1", python = "<3.12"}, '
            '{version = "1", extras = ["http"], platform = "linux", python = ">=3.12"}]\n',
        ],
    )
    def test_an_extra_that_the_project_asks_for(
        self, tmp_path: Path, store: Store, wheels: dict[str, Path], pyproject: str
    ) -> None:
        root = write(
            tmp_path / "orders",
            package(wheels["alpha"], requires=self.OF_EXTRA),
            package(wheels["urllib3"]),
            package(wheels["boto3"], requires='urllib3 = "*"'),
            pyproject=pyproject,
        )
        assert packed(root, store) == {"alpha", "urllib3"}

    @pytest.mark.parametrize(
        "condition", ["markers = \"sys_platform == 'win32'\"", 'platform = "win32"', 'python = "<3.12"']
    )
    def test_an_extra_that_the_project_asks_for_elsewhere(
        self, tmp_path: Path, store: Store, wheels: dict[str, Path], condition: str
    ) -> None:
        root = write(
            tmp_path / "orders",
            package(wheels["alpha"], requires=self.OF_EXTRA),
            package(wheels["urllib3"]),
            package(wheels["boto3"], requires='urllib3 = "*"'),
            pyproject=PYPROJECT.replace("dependencies", "dynamic")
            + f'[tool.poetry.dependencies]\nalpha = {{version = "1", extras = ["http"], {condition}}}\n',
        )
        assert packed(root, store) == {"alpha"}


class TestFreshness:
    """A lock that does not match its pyproject.toml is refused, by Poetry's own hash."""

    OLD_STYLE = """
[tool.poetry]
name = "orders"
version = "1"
[tool.poetry.dependencies]
python = "^3.11"
alpha = { version = "*", extras = ["x"] }
[tool.poetry.group.ops.dependencies]
gamma = "*"
"""
    WITH_SOURCE = """
[project]
name = "orders"
dependencies = ["alpha"]
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "tests"
url = "https://host.invalid/simple/"
"""
    GROUPS_ONLY = '[dependency-groups]\nops = ["gamma"]\n'

    @pytest.mark.parametrize(
        ("pyproject", "content_hash"),
        [
            (OLD_STYLE, "387fac52648c75968b77012d4e74541e30c69f9af6755a04eaeababd25faf9e3"),
            (WITH_SOURCE, "97c8ad7f64beac136dab9df4ed739ef11ec07bf295ea7f39867d0d172786fb07"),
            (GROUPS_ONLY, "928747dd27d736d4df8c0be57a2f0c3b2a83fb73bb8f65afac2c423ef54de8c4"),
        ],
    )
    def test_hashes_that_poetry_made(
        self, tmp_path: Path, store: Store, wheels: dict[str, Path], pyproject: str, content_hash: str
    ) -> None:
        root = write(
            tmp_path / "orders", package(wheels["alpha"]), pyproject=pyproject, content_hash=content_hash
        )
        assert chosen(root, store) == ("alpha",)

    def test_before_2_3_groups_were_not_hashed(
        self, tmp_path: Path, store: Store, wheels: dict[str, Path]
    ) -> None:
        hashed = "115cf985d932e9bf5f540555bbdd75decbb62cac81e399375fc19f6277f8c1d8"
        root = write(
            tmp_path / "orders", package(wheels["alpha"]), pyproject=self.GROUPS_ONLY, content_hash=hashed
        )
        assert "does not match" in refused(root, store).problem
        path = root / "poetry.lock"
        path.write_text(path.read_text().replace("Poetry 2.5.1", "Poetry 2.2.0"))
        assert chosen(root, store) == ("alpha",)

    def test_another_dependency_makes_it_stale(self, orders: Path, store: Store) -> None:
        lock(orders, store)
        pyproject = orders / "pyproject.toml"
        pyproject.write_text(PYPROJECT.replace('["alpha"]', '["alpha", "delta"]'))
        error = refused(orders, store)
        assert error.problem == f"{orders / 'poetry.lock'} does not match {pyproject}."
        assert error.remedy == "Run `poetry lock` and commit the result."

    def test_what_no_lock_follows_from_does_not(self, orders: Path, store: Store) -> None:
        (orders / "pyproject.toml").write_text(PYPROJECT + "\n[tool.ruff]\nline-length = 100\n")
        assert chosen(orders, store) == ("alpha",)


class TestMistakes:
    """One sentence of what is wrong, one of what to do."""

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            (lambda _: "= 1", " is not TOML: "),
            (lambda _: "", " is not a lock of Poetry: its metadata is incomplete."),
            (
                lambda text: text.replace("groups =", "teams ="),
                " is not a lock of Poetry: KeyError('groups')",
            ),
            (lambda text: text.replace('"2.1"', '"2.0"'), " was written by Poetry 1 and does not have"),
            (
                lambda text: text.replace('"2.1"', '"3.0"'),
                " has the format 3.0, which this library does not know",
            ),
        ],
    )
    def test_what_is_no_lock_of_poetry(
        self, orders: Path, store: Store, change: Callable[[str], str], problem: str
    ) -> None:
        path = orders / "poetry.lock"
        path.write_text(change(path.read_text()))
        assert refused(orders, store).problem.startswith(f"{path}{problem}")

    def test_an_index_without_the_files(self, orders: Path, store: Store, wheels: dict[str, Path]) -> None:
        wheels["alpha"].unlink()
        error = refused(orders, store)
        assert error.problem == "The index has none of the locked files of alpha 1.0."
        assert "poetry lock" in error.remedy

    def test_an_index_that_refuses(self, orders: Path, store: Store, index: Index) -> None:
        index.demanded = ("user", "secret")
        error = refused(orders, store)
        assert error.problem == "The index at 127.0.0.1 refused alpha: 401 Unauthorized."

    def test_an_index_that_cannot_be_reached(
        self, orders: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", "http://user:hunter2@127.0.0.1:1/simple/")
        error = refused(orders, store)
        assert error.problem == "The request for alpha to the index at 127.0.0.1 failed: ConnectionError."

    def test_no_wheel_loads_there(self, tmp_path: Path, store: Store, index: Index) -> None:
        foreign = make_wheel(index.folder, "native", tag="cp313-cp313-win_amd64")
        root = write(tmp_path / "orders", package(foreign))
        with pytest.raises(LbdartError, match=r"No wheel loads on python3\.13 .* for native 1\.0 "):
            chosen(root, store)
