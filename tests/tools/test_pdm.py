"""pdm.lock as PDM 2 writes it, read without PDM; the project's sources say where the files are."""

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
from lbdart_cdk.tools import pdm
from tests.support.git import make_repository
from tests.support.index import Index
from tests.support.locks import local_directories
from tests.support.pdm import package, pdm_lock, source_package
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
"""


def write(root: Path, *packages: str, pyproject: str = PYPROJECT, **options: object) -> Path:
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text(pyproject)
    pdm_lock(root, *packages, **options)  # type: ignore[arg-type]
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


@pytest.fixture
def wheels(index: Index) -> dict[str, Path]:
    names = ("alpha", "beta", "gamma", "delta", "urllib3", "boto3")
    return {name: make_wheel(index.folder, name) for name in names}


@pytest.fixture
def orders(tmp_path: Path, wheels: dict[str, Path]) -> Path:
    """It requires alpha with an extra; its extra ``fast`` brings beta, the group ``ops`` gamma."""
    return write(
        tmp_path / "orders",
        package(wheels["alpha"], groups=("default", "ops")),
        package(wheels["alpha"], extras=("http",), requires=["alpha==1.0", "urllib3"]),
        package(wheels["beta"], groups=("fast",), marker='sys_platform == "linux"'),
        package(wheels["gamma"], groups=("ops",)),
        package(wheels["delta"], marker='sys_platform == "win32"'),
        package(wheels["urllib3"]),
    )


class TestGroupsExtrasAndMarkers:
    """They become the standard's markers, evaluated for the target."""

    def test_the_projects_own_dependencies_are_the_default(self, orders: Path, store: Store) -> None:
        assert chosen(orders, store) == ("alpha", "urllib3")

    def test_extras_and_groups_are_only_what_was_asked_for(self, orders: Path, store: Store) -> None:
        assert chosen(orders, store, extras=("fast",)) == ("alpha", "beta", "urllib3")
        assert chosen(orders, store, groups=("Ops",)) == ("alpha", "gamma", "urllib3")

    def test_a_group_and_an_extra_that_were_not_locked(self, orders: Path, store: Store) -> None:
        with pytest.raises(LbdartError, match=r"pdm\.lock has no groups named x\.\n.*: default, ops\."):
            chosen(orders, store, groups=("x",))
        with pytest.raises(LbdartError, match=r"pdm\.lock has no extras named slow\.\n.*: fast\."):
            chosen(orders, store, extras=("slow",))

    @pytest.mark.parametrize(
        ("targets", "covers"),
        [
            ('requires_python = ">=3.11"\n', True),
            ('requires_python = "==3.13.*"\n', True),
            ('requires_python = ">=3.11,<3.13"\n', False),
            ('requires_python = ">=3.11"\nplatform = "manylinux_2_17_x86_64"\n', True),
            ('requires_python = ">=3.11"\nplatform = "manylinux_2_17_aarch64"\n', False),
            ('requires_python = ">=3.11"\nplatform = "windows_amd64"\n', False),
            ("", True),
        ],
    )
    def test_a_lock_is_for_the_targets_that_it_names(
        self, tmp_path: Path, store: Store, wheels: dict[str, Path], targets: str, covers: bool
    ) -> None:
        root = write(tmp_path / "orders", package(wheels["alpha"]), targets=targets)
        if covers:
            assert chosen(root, store) == ("alpha",)
        else:
            with pytest.raises(LbdartError, match=r"^The lock does not cover python3\.13 on x86_64"):
                chosen(root, store)

    @pytest.mark.parametrize(
        ("asks_for", "kept"),
        [
            ("alpha[HTTP]", {"alpha", "urllib3"}),
            ("alpha[http,tls]", {"alpha", "urllib3"}),
            ("alpha[tls]", {"alpha"}),
            ("alpha[http]; sys_platform == 'win32'", {"alpha"}),
            ("alpha", {"alpha"}),
        ],
    )
    def test_urllib3_stays_when_a_kept_package_requires_it(
        self,
        tmp_path: Path,
        store: Store,
        wheels: dict[str, Path],
        asks_for: str,
        kept: set[str],
    ) -> None:
        root = write(
            tmp_path / "orders",
            package(wheels["alpha"]),
            package(wheels["alpha"], extras=("http",), requires=["alpha==1.0", "urllib3"]),
            package(wheels["urllib3"]),
            package(wheels["boto3"], requires=["urllib3"]),
            pyproject=PYPROJECT.replace('["alpha"]', f'["{asks_for}"]'),
        )
        assert packed(root, store) == kept


class TestWhereFilesAre:
    """On the project's sources, in their order, or at the addresses that the lock names."""

    def test_the_default_index_is_asked_once_and_the_project_left_as_it_is(
        self, orders: Path, store: Store, index: Index, wheels: dict[str, Path]
    ) -> None:
        before = files_in(orders)
        first = lock(orders, store)
        assert sorted(index.requested) == ["alpha", "beta", "delta", "gamma", "urllib3"]
        index.requested.clear()
        assert lock(orders, store) == first
        assert index.requested == []
        (wheel, _) = select(first, X86).wheels
        assert (wheel.source, wheel.sha256) == (index.file_url(wheels["alpha"]), sha256(wheels["alpha"]))
        assert packed(orders, store) == {"alpha", "urllib3"}
        assert files_in(orders) == before

    def test_sources_beside_it_and_in_its_place(
        self, tmp_path: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        private = tmp_path / "private"
        ours = make_wheel(private, "ours")
        theirs = make_wheel(index.folder, "theirs")
        with Index(private) as other:
            other.demanded = ("ci", "hunter2")
            monkeypatch.setenv("TOKEN", "hunter2")
            source = (
                f'[[tool.pdm.source]]\nname = "NAME"\nurl = "{other.url}/simple"\n'
                'username = "ci"\npassword = "${TOKEN}"\n'
            )
            beside = write(
                tmp_path / "beside",
                package(ours), package(theirs),
                pyproject=PYPROJECT + source.replace("NAME", "ours"),
            )  # fmt: skip
            assert chosen(beside, store) == ("ours", "theirs")
            assert other.requested == ["ours"]
            instead = write(
                tmp_path / "instead",
                package(ours), package(theirs),
                pyproject=PYPROJECT + source.replace("NAME", "pypi"),
            )  # fmt: skip
            error = refused(instead, store)
        assert error.problem == "The index has none of the locked files of theirs 1.0."
        assert error.remedy.endswith("run `pdm lock`.")
        assert not [name for name, content in files_in(store.root).items() if b"hunter2" in content]

    def test_addresses_in_the_lock(
        self,
        tmp_path: Path,
        store: Store,
        index: Index,
        wheels: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
        root = write(
            tmp_path / "orders",
            package(wheels["alpha"], static_url=index.file_url(wheels["alpha"])),
            strategy=("inherit_metadata", "static_urls"),
        )
        assert packed(root, store) == {"alpha"}

    def test_direct_addresses_files_directories_and_repositories(
        self, tmp_path: Path, store: Store, index: Index, wheels: dict[str, Path]
    ) -> None:
        make_project(tmp_path / "mono/libs/deep", "deep")
        commit = make_repository(tmp_path / "mono")
        repository = f'git = "{(tmp_path / "mono").as_uri()}"\nref = "main"\nrevision = "{commit}"\n'
        make_project(tmp_path / "in/mono/libs/part", "part")
        archive = Path(shutil.make_archive(str(index.folder / "part-1"), "gztar", tmp_path / "in", "mono"))
        vendored = make_wheel(tmp_path / "orders/vendor", "vendored")
        lib = make_project(tmp_path / "lib", "lib")
        root = write(
            tmp_path / "orders",
            package(wheels["beta"], source=f'url = "{index.file_url(wheels["beta"])}"'),
            package(archive, source=f'url = "{index.file_url(archive)}"\nsubdirectory = "libs/part"'),
            package(vendored, source=f'path = "./vendor/{vendored.name}"'),
            source_package("lib", 'editable = true\npath = "../lib"'),
            source_package("deep", f'{repository}subdirectory = "libs/deep"'),
        )
        before = files_in(tmp_path / "lib")
        assert packed(root, store) == {"beta", "deep", "lib", "part", "vendored"}
        assert local_directories(lock(root, store)) == {"lib": lib}
        assert files_in(tmp_path / "lib") == before
        key = layer(root, store).build_key
        (lib / "src/lib/app.py").write_text("changed = True\n")
        assert layer(root, store).build_key != key


class TestFreshness:
    """A lock that does not match its pyproject.toml is refused, by PDM's own hash."""

    MADE_BY_PDM = """
[project]
name = "orders"
version = "1.2.0"
requires-python = ">=3.11"
dependencies = ["alpha[fast]", "gamma; sys_platform=='win32'"]
[project.optional-dependencies]
speed = ["delta"]
[dependency-groups]
ops = ["zeta"]
[[tool.pdm.source]]
name = "pypi"
url = "https://host.invalid/simple/"
verify_ssl = true
[tool.pdm.dev-dependencies]
Test_it = ["-e file:///${PROJECT_ROOT}/loc"]
"""

    def test_the_hash_is_that_which_pdm_makes(self, tmp_path: Path, store: Store) -> None:
        hashed = "206b68915ceb272c1203ba351e3431eae460ac18e84dbfa1a23d52924628539c"
        root = write(tmp_path / "orders", pyproject=self.MADE_BY_PDM, content_hash=hashed)
        assert chosen(root, store) == ()

    def test_another_dependency_makes_it_stale(self, orders: Path, store: Store) -> None:
        lock(orders, store)
        pyproject = orders / "pyproject.toml"
        pyproject.write_text(PYPROJECT.replace('["alpha"]', '["alpha", "delta"]'))
        error = refused(orders, store)
        assert error.problem == f"{orders / 'pdm.lock'} does not match {pyproject}."
        assert error.remedy == "Run `pdm lock` and commit the result."

    def test_what_no_lock_follows_from_does_not(self, orders: Path, store: Store) -> None:
        (orders / "pyproject.toml").write_text(PYPROJECT + "\n[tool.ruff]\nline-length = 100\n")
        assert chosen(orders, store) == ("alpha", "urllib3")


class TestMistakes:
    """One sentence of what is wrong, one of what to do."""

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            (lambda _: "= 1", " is not TOML: "),
            (lambda _: "", " is not a lock of PDM: its metadata is incomplete."),
            (
                lambda text: text.replace('"4.5.0"', '"5.0"'),
                " has the format 5.0, and this library reads only format 4",
            ),
            (lambda text: text.replace("inherit_metadata", ""), " does not have the groups of each package."),
            (lambda text: text.replace("content_hash", "hash"), " has no hash of the pyproject.toml"),
            (
                lambda text: text.replace('groups = ["default", "ops"]', ""),
                " is not a lock of PDM: KeyError('groups')",
            ),
        ],
    )
    def test_what_is_no_lock_of_pdm(
        self, orders: Path, store: Store, change: Callable[[str], str], problem: str
    ) -> None:
        path = orders / "pdm.lock"
        path.write_text(change(path.read_text()))
        assert refused(orders, store).problem.startswith(f"{path}{problem}")

    def test_an_editable_repository_has_no_commit(self, tmp_path: Path, store: Store) -> None:
        table = source_package("lib", 'editable = true\ngit = "https://host.invalid/lib"\nref = "main"')
        error = refused(write(tmp_path / "orders", table), store)
        assert error.problem.startswith("lib is locked as an editable repository")
        assert error.remedy.startswith("Depend on it without -e")

    def test_a_repository_of_another_kind(self, tmp_path: Path, store: Store) -> None:
        table = source_package("lib", f'hg = "https://host.invalid/lib"\nrevision = "{"a" * 40}"')
        with pytest.raises(LbdartError, match="lib comes from a repository of type hg"):
            chosen(write(tmp_path / "orders", table), store)


def test_a_project_is_built_by_its_own_backend(tmp_path: Path) -> None:
    pdm.TOOL.frontend.build_wheel(make_project(tmp_path / "lib", "lib"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").glob("*.whl")] == ["lib-1.2.0-py3-none-any.whl"]
