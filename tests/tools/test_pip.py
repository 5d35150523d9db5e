"""Requirements files of every kind, locked for the target by the real uv from an index on loopback."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.locking.lock import Lock
from lbdart_cdk.core.locking.manifest import find_project
from lbdart_cdk.core.locking.select import select
from lbdart_cdk.core.locking.selection import Selection
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.process import run
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.tools import _index, pip
from lbdart_cdk.tools.pip import lock as pip_lock
from tests.support.git import commit_all, git, make_repository
from tests.support.index import Index
from tests.support.locks import local_directories
from tests.support.projects import BACKEND, files_in, make_project, make_sdist
from tests.support.wheels import make_wheel, names_in, sha256

#: Where the backend of the tests says what a project is.
SAYS_EXTRA = re.compile(r"(Metadata-Version: 2.1\\n)")
X86 = Target((3, 13))


@pytest.fixture
def packages(index: Index) -> dict[str, Path]:
    """The wheels that the index has: alpha requires urllib3, and beta but on Windows."""
    return {
        "alpha": make_wheel(
            index.folder, "alpha", requires=["urllib3", "beta; sys_platform == 'win32'"], extras=["fast"]
        ),
        "beta": make_wheel(index.folder, "beta"),
        "beta 2": make_wheel(index.folder, "beta", "2.0"),
        "urllib3": make_wheel(index.folder, "urllib3"),
    }


@pytest.fixture
def root(tmp_path: Path, packages: dict[str, Path]) -> Path:
    root = tmp_path / "orders"
    root.mkdir()
    return root


@pytest.fixture(autouse=True)
def _default_index(index: Index, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.url}/simple/")
    _index._pip_configuration.cache_clear()
    yield
    _index._pip_configuration.cache_clear()  # one of the tests writes a configuration file


def write(root: Path, *lines: str, name: str = "requirements.txt") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def hashed(path: Path) -> str:
    name, version, _ = path.name.split("-", 2)
    return f"{name}=={version} --hash=sha256:{sha256(path)}"


def lock(root: Path, store: Store, target: Target = X86) -> Lock:
    project, tool = find_project(root)
    return tool.lock(project, Options(), target, store)


def chosen(root: Path, store: Store, target: Target = X86) -> Selection:
    return select(lock(root, store, target), target)


def versions(root: Path, store: Store, target: Target = X86) -> list[str]:
    return ["-".join(wheel.filename.split("-")[:2]) for wheel in chosen(root, store, target).wheels]


def layer(root: Path, store: Store, **options: tuple[str, ...]) -> LayerArtifact:
    project, tool = find_project(root)
    return LayerArtifact(project, tool, X86, Options(**options), (), store)


def packed(root: Path, store: Store) -> set[str]:
    names = [name.split("/")[1] for name in names_in(layer(root, store).build())]
    return {name for name in names if not name.endswith(".dist-info")}


def is_reproducible(root: Path, store: Store) -> bool:
    """Tell whether the requirements are locked without the warning that the build is not reproducible."""
    return "lbdart_cdk:unpinned" not in {warning.id for warning in lock(root, store).warnings}


def refused(root: Path, store: Store, target: Target = X86) -> LbdartError:
    with pytest.raises(LbdartError) as error:
        lock(root, store, target)
    return error.value


class TestWhatAFileCanSay:
    """The format is pip's; what is in it is resolved with all it requires."""

    @pytest.mark.parametrize(
        ("lines", "found"),
        [
            (["alpha"], ["alpha-1.0", "urllib3-1.0"]),
            (["beta"], ["beta-2.0"]),
            (["beta==1.0"], ["beta-1.0"]),
            (["Beta >= 1.0, < 2.0  # not yet"], ["beta-1.0"]),
            (["alpha[fast]==1.0"], ["alpha-1.0", "urllib3-1.0"]),
            (["beta==1.0; sys_platform == 'win32'", "urllib3"], ["urllib3-1.0"]),
            (["beta; platform_machine == 'aarch64'", "urllib3"], ["urllib3-1.0"]),
            (["beta==1.0; python_version < '3.13'", "beta==2.0; python_version >= '3.13'"], ["beta-2.0"]),
            (["", "# nothing"], []),
        ],
    )
    def test_requirements(self, root: Path, store: Store, lines: list[str], found: list[str]) -> None:
        write(root, *lines)
        assert versions(root, store) == found

    def test_it_includes_other_files_by_paths_that_start_from_it(self, root: Path, store: Store) -> None:
        write(root, "-r sub/base.txt", "--requirement=sub/base.txt", "--constraint sub/limits.txt")
        write(root, "-r more.txt", "beta", name="sub/base.txt")
        write(root, "-c limits.txt", "urllib3", name="sub/more.txt")
        write(root, "beta<2", name="sub/limits.txt")
        assert versions(root, store) == ["beta-1.0", "urllib3-1.0"]

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("# ends so \\\nurllib3\nbeta==1.0\n", ["beta-1.0", "urllib3-1.0"]),
            ("beta \\\n# ends it\nurllib3\n", ["beta-2.0", "urllib3-1.0"]),
            ("beta \\\n  <2\nurllib3\n", ["beta-1.0", "urllib3-1.0"]),
            ("beta=\\\r\n=1.0\r\n", ["beta-1.0"]),
            ("beta # is all of it \\\nurllib3\n", ["beta-2.0"]),
            ("beta \\\n\nurllib3\n", ["beta-2.0", "urllib3-1.0"]),
            ("urllib3\nbeta==1.0 \\", ["beta-1.0", "urllib3-1.0"]),
        ],
    )
    def test_lines_go_on_as_in_pip(self, root: Path, store: Store, text: str, found: list[str]) -> None:
        (root / "requirements.txt").write_bytes(text.encode())
        assert versions(root, store) == found

    @pytest.mark.parametrize("goes_on", ["urllib3 \\", "urllib3"])
    def test_a_file_that_limits_and_is_included_does_both(
        self, root: Path, store: Store, goes_on: str
    ) -> None:
        write(root, "-c base.txt", "-r base.txt", goes_on, ">=1" if goes_on.endswith("\\") else "")
        write(root, "beta==1.0", name="base.txt")
        assert versions(root, store) == ["beta-1.0", "urllib3-1.0"]

    @pytest.mark.parametrize("name", ["requirements.txt", "sub/limits.txt", "sub/base.txt"])
    def test_a_line_may_go_on_in_any_of_the_files(self, root: Path, store: Store, name: str) -> None:
        make_wheel(root / "sub/wheels", "vendored")
        lines = {
            "requirements.txt": ["-r sub/base.txt", "beta>=1"],
            "sub/base.txt": ["--find-links wheels", "-c limits.txt", "vendored>=1"],
            "sub/limits.txt": ["beta>=1", "beta<2"],
        }
        lines[name][-1] = lines[name][-1].replace("a", "a\\\n").replace("ed>", "ed \\\n>")
        for each, said in lines.items():
            write(root, *said, name=each)
        assert versions(root, store) == ["beta-1.0", "vendored-1.0"]

    def test_a_short_option_may_have_its_value_at_once(
        self, root: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("UV_DEFAULT_INDEX")
        make_wheel(root / "wheels", "vendored")
        make_project(root / "lib", "lib")
        write(root, f"-i{index.url}/simple/", "-fwheels", "-rmore.txt", "-climits.txt", "vendored", "-e./lib")
        write(root, "beta", name="more.txt")
        write(root, "beta<2", name="limits.txt")
        assert versions(root, store) == ["beta-1.0", "vendored-1.0"]
        assert local_directories(lock(root, store)) == {"lib": root / "lib"}

    def test_a_folder_of_wheels_may_start_from_the_project(self, root: Path, store: Store) -> None:
        make_wheel(root / "wheels", "vendored")
        write(root, "-r sub/base.txt")
        write(root, "--find-links wheels", "vendored", name="sub/base.txt")
        assert versions(root, store) == ["vendored-1.0"]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_a_file_as_powershell_writes_it(
        self, root: Path, store: Store, packages: dict[str, Path], encoding: str
    ) -> None:
        (root / "requirements.txt").write_text(f"{hashed(packages['beta'])}\n", encoding)
        assert is_reproducible(root, store)
        assert versions(root, store) == ["beta-1.0"]

    def test_a_message_names_the_file_and_no_copy_of_it(self, root: Path, store: Store) -> None:
        path = write(root, "beta \\", "= 1")
        problem = refused(root, store).problem
        assert f"`{path}`" in problem
        assert str(store.root) not in problem

    def test_a_variable_in_a_path(self, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STAGE", "prod")
        write(root, "-r ${STAGE}.txt")
        write(root, "beta", name="prod.txt")
        assert versions(root, store) == ["beta-2.0"]

    def test_a_file_of_another_name(self, root: Path, store: Store) -> None:
        path = write(root, "beta", name="requirements-prod.txt")
        assert versions(path, store) == ["beta-2.0"]

    def test_local_references_and_direct_addresses(
        self, root: Path, store: Store, index: Index, packages: dict[str, Path]
    ) -> None:
        make_project(root / "lib", "lib", dependencies=["urllib3"])
        make_project(root / "tool", "tool")
        wheel = make_wheel(root / "vendor", "vendored")
        write(
            root, "./lib", "-e ./tool", f"./vendor/{wheel.name}", f"beta @ {index.file_url(packages['beta'])}"
        )
        before = files_in(root)
        assert packed(root, store) == {"beta", "lib", "tool", "urllib3", "vendored"} - {"urllib3"}
        assert local_directories(lock(root, store)) == {"lib": root / "lib", "tool": root / "tool"}
        assert files_in(root) == before

    @pytest.mark.parametrize("line", ["-e ./lib", "--editable ./lib", "./lib[fast]", "-e ./lib[fast]"])
    def test_a_local_project_with_or_without_an_extra(self, root: Path, store: Store, line: str) -> None:
        make_project(root / "lib", "lib", extras={"fast": ["beta"]})
        write(root, line)
        assert packed(root, store) == {"lib", "beta"} if "fast" in line else {"lib"}

    @pytest.mark.parametrize(
        "line",
        [
            "./my%20lib",
            "-e./my lib[fast]",
            "--editable ./my lib ; python_version > '3'",
            "lib @ file://${HERE}/my%20lib",
            "lib[fast] @ ./my lib",
            "./static",
        ],
    )
    def test_a_local_project_whose_backend_says_what_it_requires(
        self, root: Path, store: Store, line: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = "my%20lib" if line.startswith("./my%20lib") else "my lib"
        lib = make_project(root / place, "lib", extras={"fast": ["beta"]})
        pyproject = lib / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace("dependencies = []", 'dynamic = ["dependencies"]'))
        (lib / "backend.py").write_text(
            SAYS_EXTRA.sub(r"\1Provides-Extra: fast\\nRequires-Dist: beta; extra == 'fast'\\n", BACKEND)
        )
        sources = f"[tool.uv.sources]\nlib = {{ path = '../{place}' }}\n"
        static = make_project(root / "static", "static", dependencies=["lib"], tail=sources)
        monkeypatch.setenv("HERE", str(root))
        write(root, line)
        before = files_in(root)
        directories = {"lib": lib} | ({"static": static} if "static" in line else {})
        assert local_directories(lock(root, store)) == directories
        assert packed(root, store) == {*directories} | ({"beta"} if "fast" in line else set())
        assert files_in(root) == before

    def test_a_local_project_that_uses_a_member_of_its_workspace(self, root: Path, store: Store) -> None:
        (root / "mono").mkdir()
        (root / "mono/pyproject.toml").write_text("[tool.uv.workspace]\nmembers = ['*']\n")
        sources = "[tool.uv.sources]\nlib = { workspace = true }\n"
        static = make_project(root / "mono/static", "static", dependencies=["lib"], tail=sources)
        lib = make_project(root / "mono/lib", "lib")
        pyproject = lib / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace("dependencies = []", 'dynamic = ["dependencies"]'))
        backend = SAYS_EXTRA.sub(r"\1Requires-Dist: beta\\n", BACKEND)
        (lib / "backend.py").write_text(f"{backend}\nbuild_editable = build_wheel\n")
        write(root, "./mono/static")
        before = files_in(root)
        assert local_directories(lock(root, store)) == {"static": static, "lib": lib}
        assert packed(root, store) == {"static", "lib", "beta"}
        assert files_in(root) == before

    def test_archives_at_an_address(self, root: Path, store: Store, index: Index) -> None:
        make_project(root.parent / "in/mono/libs/lib", "lib")
        made = Path(shutil.make_archive(str(index.folder / "mono-1"), "gztar", root.parent / "in", "mono"))
        sdist = make_sdist(index.folder, "source")
        write(root, f"lib @ {index.file_url(made)}#subdirectory=libs/lib", index.file_url(sdist))
        assert packed(root, store) == {"lib", "source"}
        assert not is_reproducible(root, store)
        hashed_part = f"subdirectory=libs/lib&sha256={sha256(made)}"
        write(root, f"lib @ {index.file_url(made)}#{hashed_part}")
        assert is_reproducible(root, store)
        assert packed(root, store) == {"lib"}

    def test_a_variable_in_an_address(
        self,
        root: Path,
        store: Store,
        index: Index,
        packages: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        index.demanded = ("ci", "hunter2")
        monkeypatch.setenv("TOKEN", "hunter2")
        address = index.file_url(packages["beta"]).replace("//", "//ci:${TOKEN}@")
        write(root, f"beta @ {address}#sha256={sha256(packages['beta'])}")
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple/")
        assert packed(root, store) == {"beta"}
        write(root, "beta @ \\", f"{address}#sha256={sha256(packages['beta'])}")
        assert packed(root, store) == {"beta"}
        assert not [name for name, content in files_in(store.root).items() if b"hunter2" in content]

    def test_an_index_that_has_a_variable_in_its_address(
        self, root: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PORT_AND_PATH", f"{index.url.rpartition(':')[2]}/simple/")
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple/")
        write(root, "--extra-index-url http://127.0.0.1:${PORT_AND_PATH}", "beta \\", "  == 1.0  # old")
        assert versions(root, store) == ["beta-1.0"]

    def test_wheels_or_source_distributions_alone(self, root: Path, store: Store, index: Index) -> None:
        make_sdist(index.folder, "beta", "2.0")
        make_sdist(index.folder, "beta", "3.0")
        write(root, "--no-binary beta", "beta<3")
        assert [sdist.filename for sdist in chosen(root, store).sdists] == ["beta-2.0.tar.gz"]
        write(root, "--only-binary beta", "beta")
        assert versions(root, store) == ["beta-2.0"]

    def test_prereleases(
        self, root: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_wheel(index.folder, "beta", "3.0rc1")
        write(root, "beta")
        assert versions(root, store) == ["beta-2.0"]
        monkeypatch.setenv("PIP_PRE", "1")
        assert versions(root, store) == ["beta-3.0rc1"]
        monkeypatch.delenv("PIP_PRE")
        write(root, "--pre", "beta")
        assert versions(root, store) == ["beta-3.0rc1"]

    @pytest.mark.parametrize("variable", ["UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"])
    def test_a_variable_of_uv_that_names_another_project(
        self, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        write(root, "beta")
        write(root.parent / "other", "alpha")
        monkeypatch.setenv(variable, str(root.parent / "other"))
        assert versions(root, store) == ["beta-2.0"]

    @pytest.mark.parametrize("variable", ["UV_EXCLUDE", "UV_OVERRIDE"])
    def test_a_variable_of_uv_that_overrules_the_file(
        self, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        write(root, "beta==2.0")
        monkeypatch.setenv(variable, str(write(root, "beta==1.0", name="other.txt")))
        assert versions(root, store) == ["beta-2.0"]

    def test_options_that_change_nothing(self, root: Path, store: Store) -> None:
        write(root, "--prefer-binary", "--use-feature fast-deps", "beta")
        assert versions(root, store) == ["beta-2.0"]

    def test_its_own_index_and_folders(
        self, root: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("UV_DEFAULT_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
        make_wheel(root / "wheels", "vendored")
        write(root, f"--index-url {index.url}/simple/", "--find-links ./wheels", "vendored", "beta")
        assert versions(root, store) == ["beta-2.0", "vendored-1.0"]
        write(root, "--no-index", "-f ./wheels", "vendored")
        assert versions(root, store) == ["vendored-1.0"]

    def test_a_password_in_the_address_of_an_index_is_kept_nowhere(
        self, root: Path, store: Store, index: Index, packages: dict[str, Path]
    ) -> None:
        private = index.url.replace("//", "//user:hunter2@")
        write(root, f"-i {private}/simple/", hashed(packages["beta"]))
        assert "hunter2" not in str(lock(root, store).content)
        assert not [name for name, content in files_in(store.root).items() if b"hunter2" in content]


class TestVariables:
    """pip expands ``${UPPER_CASE}`` in every place of a file, and another value is another input."""

    @pytest.fixture
    def places(self, root: Path, index: Index) -> dict[str, str]:
        """What the lines and values of these tests name, most in two versions."""
        make_wheel(index.folder, "gamma")
        make_wheel(
            index.folder, "delta", requires=["beta; extra == 'b'", "gamma; extra == 'c'"], extras=["b", "c"]
        )
        make_sdist(index.folder, "beta", "1.5")
        repository = root.parent / "repository"
        make_repository(repository)
        places = {"root": str(root), "files": f"{index.url}/files", "repository": repository.as_uri()}
        for version in ("1", "2"):
            made = make_wheel(root / f"wheels{version}", "beta", f"{version}.0")
            lib = make_project(root / f"lib{version}", "lib", f"{version}.0")
            write(root, f"beta=={version}.0", name=f"beta{version}.txt")
            shutil.copytree(lib, repository / "lib", dirs_exist_ok=True)
            places |= {f"hash{version}": sha256(made), f"commit{version}": commit_all(repository)}
        return places

    @pytest.fixture
    def filled(self, places: dict[str, str]) -> Callable[[str], str]:
        """Return a function that fills the places into a text."""
        return lambda text: re.sub("<([a-z]+[12]?)>", lambda match: places[match[1]], text)

    @pytest.mark.parametrize(
        ("line", "values"),
        [
            # a requirement
            ("${ANY}", ("beta==1.0", "beta==2.0")),
            ("${ANY}==1.0", ("beta", "gamma")),
            ("beta==${ANY}.0", ("1", "2")),
            ("beta${ANY}", ("<2", ">=2")),
            ("beta>=${ANY}, \\\n<=${ANY}", ("1.0", "2.0")),
            ("delta[${ANY}]", ("b", "c")),
            ("beta==1.0; python_version >= '${ANY}'\ngamma", ("3.9", "4.0")),
            ("beta==${ANY}", ("1.0 --hash=sha256:<hash1>", "2.0 --hash=sha256:<hash2>")),
            # a URL
            ("beta @ ${ANY}", ("<files>/beta-1.0-py3-none-any.whl", "<files>/beta-2.0-py3-none-any.whl")),
            ("${ANY}", ("<files>/beta-1.0-py3-none-any.whl", "beta @ <files>/beta-2.0-py3-none-any.whl")),
            ("beta @ <files>/beta-${ANY}-py3-none-any.whl", ("1.0", "2.0")),
            (
                "beta @ <files>/beta-${ANY}",
                ("1.0-py3-none-any.whl#sha256=<hash1>", "2.0-py3-none-any.whl#sha256=<hash2>"),
            ),
            ("<files>/beta-${ANY}-py3-none-any.whl", ("1.0", "2.0")),
            # a repository
            ("lib @ git+<repository>@${ANY}#subdirectory=lib", ("<commit1>", "<commit2>")),
            ("-e git+<repository>@${ANY}#egg=lib&subdirectory=lib", ("<commit1>", "<commit2>")),
            ("lib @ ${ANY}#subdirectory=lib", ("git+<repository>@<commit1>", "git+<repository>@<commit2>")),
            # a path
            ("./lib${ANY}", ("1", "2")),
            ("${ANY}", ("./lib1", "./lib2")),
            ("-e ${ANY}", ("./lib1", "./lib2")),
            ("lib @ file://<root>/lib${ANY}", ("1", "2")),
            ("./wheels${ANY}/beta-${ANY}.0-py3-none-any.whl", ("1", "2")),
            # an option
            ("-r beta${ANY}.txt", ("1", "2")),
            ("-r${ANY}", ("beta1.txt", "beta2.txt")),
            ("--constraint=${ANY}\nbeta", ("beta1.txt", "beta2.txt")),
            ("${ANY}", ("-r beta1.txt", "-rbeta2.txt")),
            ("--no-index\n--find-links ./wheels${ANY}\nbeta", ("1", "2")),
            ("--no-index\n-f file://<root>/${ANY}\nbeta", ("wheels1", "wheels2")),
            ("--no-binary ${ANY}\ngamma\nbeta<=2", ("delta", "beta")),
        ],
    )
    def test_another_value_gives_another_package(
        self,
        root: Path,
        store: Store,
        filled: Callable[[str], str],
        line: str,
        values: tuple[str, str],
    ) -> None:
        def selected(value: str) -> tuple[Selection, str]:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("ANY", filled(value))
                return chosen(root, store), layer(root, store).build_key

        write(root, filled(line))
        (first, first_key), (second, second_key), again = map(selected, (*values, values[0]))
        assert first.packages
        assert first != second
        assert first_key != second_key
        assert again == (first, first_key)

    def test_another_index(
        self,
        root: Path,
        store: Store,
        index: Index,
        packages: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("UV_DEFAULT_INDEX")
        make_wheel(root.parent / "other", "beta", "2.0", files={"beta/other.py": ""})
        (other,) = (root.parent / "other").glob("*")
        both = " ".join(f"--hash=sha256:{sha256(path)}" for path in (packages["beta 2"], other))
        write(root, "--index-url ${INDEX}/simple/", f"beta==2.0 {both}")
        with Index(root.parent / "other") as running:
            found = []
            for url in (index.url, running.url):
                monkeypatch.setenv("INDEX", url.replace("//", "//ci:hunter2@"))
                found += [wheel.sha256 for wheel in chosen(root, store).wheels]
        assert found == [sha256(packages["beta 2"]), sha256(other)]
        assert not [name for name, content in files_in(store.root).items() if b"hunter2" in content]

    @pytest.mark.parametrize("line", ["beta==${any}", "beta==$ANY", "beta==${UNSET}", "beta${EMPTY}"])
    def test_nothing_else_is_a_variable(
        self, root: Path, store: Store, line: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("any", "1.0")
        monkeypatch.setenv("ANY", "1.0")
        monkeypatch.setenv("EMPTY", "")
        write(root, line)
        assert line.removeprefix("beta") in refused(root, store).problem

    def test_a_value_is_in_one_line(
        self, root: Path, store: Store, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(root, "beta==${ANY}; python_version > '3'")
        monkeypatch.setenv("ANY", "1.0\n")
        assert versions(root, store) == ["beta-1.0"]
        write(root, "${ANY}")
        monkeypatch.setenv("ANY", "beta\nalpha")
        assert "beta alpha" in refused(root, store).problem

    def test_an_empty_commit_is_not_the_newest_one(
        self, root: Path, store: Store, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LIB_COMMIT", "")
        write(root, f"lib @ git+{places['repository']}@${{LIB_COMMIT}}#subdirectory=lib")
        assert "${LIB_COMMIT}" in refused(root, store).problem

    @pytest.mark.parametrize(
        "address",
        [
            "http://ci:${TOKEN}@<host>/files/beta-1.0-py3-none-any.whl",
            "http://<host>/files/beta-1.0-py3-none-any.whl?token=${TOKEN}",
            "${WHOLE}",
        ],
    )
    def test_a_secret_is_written_nowhere(
        self,
        root: Path,
        store: Store,
        index: Index,
        address: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        wheel = index.folder / "beta-1.0-py3-none-any.whl"
        host = index.url.removeprefix("http://")
        monkeypatch.setenv("TOKEN", "hunter2")
        monkeypatch.setenv("WHOLE", f"http://ci:hunter2@{host}/files/{wheel.name}")
        leaks: list[str] = []

        def look() -> None:
            leaks.extend(name for name, content in files_in(store.root).items() if b"hunter2" in content)

        def run_and_look(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            look()
            leaks.extend(part for part in command if "hunter2" in str(part))
            return run(command, **options)

        monkeypatch.setattr(pip_lock, "run", run_and_look)
        write(
            root,
            f"beta @ {address.replace('<host>', host)}#sha256={sha256(wheel)}",
            "alpha \\",
            "==1.0",
        )
        assert packed(root, store) == {"alpha", "beta", "urllib3"}
        look()
        assert not leaks

    def test_a_message_has_the_url_without_the_login(
        self, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TOKEN", "hunter2")
        write(root, "beta @ https://ci:${TOKEN}@host.invalid/beta-1.0-py3-none-any.whl ; nonsense")
        problem = refused(root, store).problem
        assert "beta @ https://host.invalid/beta-1.0-py3-none-any.whl" in problem
        assert "hunter2" not in problem


class TestRepositories:
    """Named by a commit they are pinned; a branch or a tag is what it is today."""

    @pytest.fixture
    def mono(self, tmp_path: Path) -> str:
        """The address of a repository with the project lib in a directory."""
        make_project(tmp_path / "mono/libs/lib", "lib")
        make_repository(tmp_path / "mono")
        return (tmp_path / "mono").as_uri()

    def head(self, mono: str) -> str:
        return git(Path(mono.removeprefix("file://")), "rev-parse", "HEAD")

    @pytest.mark.parametrize(
        "line",
        [
            "lib @ git+{mono}@{commit}#subdirectory=libs/lib",
            "git+{mono}@{commit}#egg=lib&subdirectory=libs/lib",
            "-e git+{mono}@{commit}#egg=lib&subdirectory=libs/lib",
            "--editable=git+{mono}@{commit}#egg=lib&subdirectory=libs/lib",
        ],
    )
    def test_a_commit_is_pinned(self, root: Path, store: Store, mono: str, line: str) -> None:
        write(root, line.format(mono=mono, commit=self.head(mono)))
        assert packed(root, store) == {"lib"}
        assert lock(root, store).warnings == ()

    def test_a_password_in_the_address_is_kept_nowhere(
        self, root: Path, store: Store, mono: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
        for number, user in enumerate(("", "ci:hunter2@")):
            monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", f"url.{mono}.insteadOf")
            monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", f"https://{user}host.invalid/mono")
        monkeypatch.setenv("TOKEN", "hunter2")
        address = f"https://ci:${{TOKEN}}@host.invalid/mono@{self.head(mono)}"
        write(root, f"lib @ git+{address}#subdirectory=libs/lib")
        assert is_reproducible(root, store)
        assert packed(root, store) == {"lib"}
        assert not [name for name, content in files_in(store.root).items() if b"hunter2" in content]

    @pytest.mark.parametrize("reference", ["@main", ""])
    def test_a_branch_is_resolved_anew_and_said(
        self, root: Path, store: Store, mono: str, reference: str
    ) -> None:
        path = write(root, f"lib @ git+{mono}{reference}#subdirectory=libs/lib")
        [warning] = lock(root, store).warnings
        assert f"{path} does not pin lib by version and hash (or commit)" in warning.text
        before = layer(root, store)
        assert before.build().is_file()
        repository = Path(mono.removeprefix("file://"))
        (repository / "libs/lib/src/lib/later.py").write_text("")
        commit_all(repository)
        after = layer(root, store)
        assert after.build_key != before.build_key
        assert "python/lib/later.py" in names_in(after.build())

    def test_another_directory_of_it_gives_another_build_key(
        self, root: Path, store: Store, mono: str
    ) -> None:
        repository = Path(mono.removeprefix("file://"))
        shutil.copytree(repository / "libs/lib", repository / "libs/copy")
        commit_all(repository)
        keys = set()
        for name in ("lib", "copy"):
            write(root, f"lib @ git+{mono}#subdirectory=libs/{name}")
            keys.add(layer(root, store).build_key)
        assert len(keys) == 2

    def test_an_editable_one_in_an_included_file_beside_all_that_may_stand_there(
        self, root: Path, store: Store, mono: str
    ) -> None:
        make_project(root / "local", "local")
        write(root, "-r sub/base.txt", "-c sub/limits.txt", "alpha")
        write(
            root, f"-e git+{mono}@main#egg=lib&subdirectory=libs/lib", "./local", "beta", name="sub/base.txt"
        )
        write(root, "beta<2", name="sub/limits.txt")
        assert packed(root, store) == {"alpha", "beta", "lib", "local", "urllib3"}
        assert versions(root, store) == ["alpha-1.0", "beta-1.0", "urllib3-1.0"]

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("lib @ hg+https://host.invalid/lib", "Mercurial is not supported"),
            ("lib @ git+ext::sh -c touch% mark", "Unsupported Git URL scheme"),
            ("lib @ git+{mono}@nowhere", "nowhere"),
            ("lib @ git+{mono}@--upload-pack=touch${{IFS}}mark", "fetch"),
            ("lib @ git+{mono}#subdirectory=nowhere", "nowhere"),
        ],
    )
    def test_mistakes(self, root: Path, store: Store, mono: str, line: str, why: str) -> None:
        write(root, line.format(mono=mono))
        assert why in refused(root, store).problem
        assert not list(root.rglob("mark"))


class TestTheTargetDecides:
    """Python, markers and the C library are those of Lambda."""

    def test_the_newest_version_that_has_a_wheel_for_it(self, root: Path, store: Store, index: Index) -> None:
        for version, glibc in (("1.0", "2_17"), ("2.0", "2_28")):
            for python in ("cp311", "cp313"):
                make_wheel(index.folder, "native", version, tag=f"{python}-{python}-manylinux_{glibc}_x86_64")
        write(root, "native")
        assert versions(root, store, Target((3, 11))) == ["native-1.0"]
        assert versions(root, store, Target((3, 13))) == ["native-2.0"]

    def test_a_wheel_for_a_c_library_that_uv_has_no_name_for(
        self, root: Path, store: Store, index: Index
    ) -> None:
        make_wheel(index.folder, "native", tag="cp311-cp311-manylinux_2_24_x86_64")
        write(root, "native==1.0")
        assert versions(root, store, Target((3, 11))) == ["native-1.0"]

    def test_its_architecture(self, root: Path, store: Store, index: Index) -> None:
        for machine in ("x86_64", "aarch64"):
            make_wheel(index.folder, "native", tag=f"cp313-cp313-manylinux_2_17_{machine}")
        write(root, "native")
        (wheel,) = chosen(root, store, Target((3, 13), "arm64")).wheels
        assert wheel.filename.endswith("aarch64.whl")

    def test_no_version_loads_there(self, root: Path, store: Store, index: Index) -> None:
        make_wheel(index.folder, "native", tag="cp311-cp311-manylinux_2_28_x86_64")
        write(root, "native")
        with pytest.raises(LbdartError, match=r"No wheel loads on python3\.11 .* for native 1\.0 "):
            chosen(root, store, Target((3, 11)))


class TestPinnedByHash:
    """What is pinned by hash is locked once, and only files of these hashes are taken."""

    @pytest.fixture
    def pinned(self, root: Path, packages: dict[str, Path]) -> Path:
        return write(root, hashed(packages["alpha"]), hashed(packages["urllib3"]))

    def test_uv_is_asked_once_and_nothing_is_said(
        self,
        root: Path,
        pinned: Path,
        store: Store,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        first = lock(root, store)
        monkeypatch.setattr(frontend, "uv_executable", lambda: pytest.fail("uv was asked"))
        assert lock(root, store) == first
        assert first.warnings == ()

    def test_it_is_asked_again_for_another_target_or_included_file(
        self, root: Path, store: Store, packages: dict[str, Path]
    ) -> None:
        write(root, "-r base.txt")
        write(root, hashed(packages["beta"]), name="base.txt")
        assert versions(root, store) == ["beta-1.0"]
        write(root, hashed(packages["beta 2"]), name="base.txt")
        assert versions(root, store) == ["beta-2.0"]

    def test_the_index_may_have_more_files_of_a_version(
        self, root: Path, pinned: Path, tmp_path: Path, index: Index
    ) -> None:
        make_wheel(index.folder, "alpha", tag="cp313-cp313-manylinux_2_17_x86_64", files={"evil.so": ""})
        assert packed(root, Store(tmp_path / "fresh")) == {"alpha", "urllib3"}

    def test_files_of_other_hashes_are_refused(
        self, root: Path, pinned: Path, store: Store, packages: dict[str, Path], index: Index
    ) -> None:
        make_wheel(index.folder, "alpha", files={"evil.py": ""})
        error = refused(root, store)
        assert error.problem == f"No file of alpha 1.0 matches a hash in {pinned}."
        assert error.remedy.startswith("Find out why")

    def test_several_hashes_over_several_lines(
        self, root: Path, store: Store, packages: dict[str, Path]
    ) -> None:
        write(
            root,
            "beta==1.0 \\",
            f"  --hash=sha256:{'0' * 64} \\",
            f"  --hash=sha256:{sha256(packages['beta'])}",
        )
        assert is_reproducible(root, store)
        assert versions(root, store) == ["beta-1.0"]

    def test_the_hash_of_a_direct_address(
        self, root: Path, store: Store, index: Index, packages: dict[str, Path]
    ) -> None:
        address = f"{index.file_url(packages['beta'])}#sha256={sha256(packages['beta'])}"
        write(root, f"beta @ {address}")
        assert is_reproducible(root, store)

    def test_a_variable_of_uv_that_chooses_among_several_files(
        self, root: Path, store: Store, packages: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both = " ".join(f"--hash=sha256:{sha256(packages[name])}" for name in ("beta", "beta 2"))
        write(root, f"beta>=1 {both}")
        assert versions(root, store) == ["beta-2.0"]
        monkeypatch.setenv("UV_RESOLUTION", "lowest")
        assert versions(root, store) == ["beta-1.0"]


class TestNotPinned:
    """It works, is locked anew each time, and is said."""

    def test_the_warning_names_the_packages_and_the_way_out(
        self, root: Path, store: Store, packages: dict[str, Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write(root, "alpha", hashed(packages["urllib3"]))
        for _synth in ("first", "unchanged"):
            artifact = layer(root, store)
            artifact.build()
            assert artifact.report is not None
            [warning] = artifact.report.warnings
            assert warning.id == "lbdart_cdk:unpinned"
            assert not warning.is_info
            assert warning.text.startswith(
                f"The build is not reproducible: {path} does not pin alpha by version and hash (or commit). "
            )
            assert "uv pip compile --universal --generate-hashes requirements.in" in warning.text
        assert capsys.readouterr() == ("", "")

    def test_the_way_out_knows_the_file_that_the_requirements_are_compiled_from(
        self, root: Path, store: Store
    ) -> None:
        write(root, "alpha", name="lambda.in")
        project, tool = find_project(write(root, "alpha==1.0", name="lambda.txt"))
        [warning] = tool.lock(project, Options(), X86, store).warnings
        assert warning.text.endswith(
            "(or commit). Run `uv pip compile --universal --generate-hashes lambda.in -o lambda.txt`."
        )

    def test_the_way_out_is_one(self, root: Path, store: Store) -> None:
        write(root, "alpha", name="requirements.in")
        executable = frontend.uv_executable()
        assert executable is not None
        command = "pip compile --universal --generate-hashes requirements.in -o requirements.txt"
        subprocess.run([executable, *command.split()], cwd=root, check=True, capture_output=True)
        assert lock(root, store).warnings == ()

    @pytest.mark.parametrize("requirement", ["beta", "beta>=1"])
    def test_a_release_on_the_index_gives_another_build_key(
        self, root: Path, store: Store, index: Index, requirement: str, surroundings: dict[str, str]
    ) -> None:
        write(root, requirement)
        before = layer(root, store)
        assert layer(root, store).build_key == before.build_key
        make_wheel(index.folder, "beta", "3.0", files={"beta/new.py": ""})
        assert layer(root, store).build_key != before.build_key
        assert "python/beta/new.py" in names_in(layer(root, store).build())

    def test_a_wheel_beside_it_that_changed_gives_another_build_key(self, root: Path, store: Store) -> None:
        wheel = make_wheel(root / "vendor", "vendored")
        write(root, f"./vendor/{wheel.name}")
        before = layer(root, store).build_key
        make_wheel(root / "vendor", "vendored", files={"vendored/new.py": ""})
        assert layer(root, store).build_key != before

    @pytest.mark.parametrize(
        ("place", "text", "is_input"),
        [
            ("lib/src/lib/app.py", "# changed\n", True),
            ("lib/pyproject.toml", "# changed\n", False),
            ("base.txt", "# changed\n", False),
            ("base.txt", "alpha\n", True),
        ],
    )
    def test_a_change_that_reaches_the_layer_gives_another_build_key(
        self, root: Path, store: Store, place: str, text: str, is_input: bool
    ) -> None:
        make_project(root / "lib", "lib")
        write(root, "./lib", "-r base.txt")
        write(root, "beta==1.0", name="base.txt")
        before = layer(root, store).build_key
        (root / place).write_text((root / place).read_text() + text)
        assert (layer(root, store).build_key != before) == is_input


class TestNotPinnedInOneRun:
    """The layers of an app have one lock, and uv is asked once; the next run asks again."""

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """The projects that uv locks."""
        asked: list[Path] = []
        locks = pip_lock._compile

        def counted(project: Project, *arguments: Any) -> str:
            asked.append(project.root)
            return locks(project, *arguments)

        monkeypatch.setattr(pip_lock, "_compile", counted)
        return asked

    def test_what_an_index_has_holds_for_a_run(
        self, root: Path, store: Store, index: Index, asked: list[Path]
    ) -> None:
        write(root, "beta>=1")
        synth = replace(store, run={})
        first = lock(root, synth)
        make_wheel(index.folder, "beta", "3.0")
        assert lock(root, synth) == first
        assert versions(root, replace(store, run={})) == ["beta-3.0"]
        assert len(asked) == 2

    def test_another_target_and_an_edited_file_are_locked_anew(
        self, root: Path, store: Store, asked: list[Path]
    ) -> None:
        synth = replace(store, run={})
        write(root, "-r base.txt")
        write(root, "beta==1.0", name="base.txt")
        assert versions(root, synth) == ["beta-1.0"]
        assert versions(root, synth, Target((3, 13), "arm64")) == ["beta-1.0"]
        write(root, "beta==2.0", name="base.txt")
        assert versions(root, synth) == ["beta-2.0"]
        assert len(asked) == 3

    def test_what_is_beside_it_is_locked_anew(self, root: Path, store: Store, asked: list[Path]) -> None:
        wheel = make_wheel(root / "vendor", "vendored")
        make_project(root / "lib", "lib")
        synth = replace(store, run={})
        for line in (f"./vendor/{wheel.name}", "./lib", "--find-links vendor\nvendored"):
            write(root, line)
            lock(root, synth)
            lock(root, synth)
        assert len(asked) == 6

    def test_a_url_in_a_variable_is_locked_anew(
        self,
        root: Path,
        store: Store,
        index: Index,
        packages: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        write(root, "${URL}")
        synth = replace(store, run={})
        for name in ("beta", "beta 2"):
            monkeypatch.setenv("URL", index.file_url(packages[name]))
            assert versions(root, synth) == [f"beta-{packages[name].name.split('-')[1]}"]


class TestUrllib3:
    """What Lambda brings stays when a kept package requires it: the wheels know."""

    @pytest.mark.parametrize(
        ("requirements", "kept"),
        [(["alpha"], {"alpha", "urllib3"}), (["beta", "urllib3"], {"beta"})],
    )
    def test_it_stays_only_when_it_is_required(
        self, root: Path, store: Store, requirements: list[str], kept: set[str]
    ) -> None:
        write(root, *requirements)
        assert packed(root, store) == kept


class TestPipsOwnSettings:
    """uv does not read pip's configuration; its users have it all the same."""

    @pytest.fixture(autouse=True)
    def _only_pips(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("UV_DEFAULT_INDEX")

    def test_its_variables(
        self, root: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_wheel(root.parent / "one", "one")
        make_wheel(root.parent / "two", "two")
        monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
        monkeypatch.setenv("PIP_FIND_LINKS", f"{root.parent / 'one'} {root.parent / 'two'}")
        write(root, "beta", "one", "two")
        assert versions(root, store) == ["beta-2.0", "one-1.0", "two-1.0"]

    def test_the_first_index_that_has_a_package_decides_but_for_hashes(
        self,
        root: Path,
        store: Store,
        index: Index,
        packages: dict[str, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_wheel(root.parent / "extra", "beta", "0.1")
        with Index(root.parent / "extra") as extra:
            monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
            monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{extra.url}/simple/")
            write(root, "beta")
            assert versions(root, store) == ["beta-0.1"]
            write(root, hashed(packages["beta 2"]))
            assert versions(root, store) == ["beta-2.0"]

    def test_its_configuration_file(
        self, root: Path, store: Store, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = write(root.parent, "[global]", f"index-url = {index.url}/simple/", name="pip.conf")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
        write(root, "beta")
        assert versions(root, store) == ["beta-2.0"]

    def test_an_interpreter_without_pip_has_none(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        assert _index.pip_setting("index-url") is None


class TestMistakes:
    """One sentence of what is wrong, one of what to do."""

    def test_an_included_file_that_is_not_there(self, root: Path, store: Store) -> None:
        path = write(root, "-r nowhere.txt")
        error = refused(root, store)
        assert error.problem == (
            f"{path} includes {root / 'nowhere.txt'}, which cannot be read: No such file or directory."
        )
        assert error.remedy.startswith("Correct the path")

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("missing", "there are no versions of missing"),
            ("beta==9", "there is no version of beta==9"),
            ("beta=1", "requirements.txt"),
            ("./nowhere", "nowhere"),
        ],
    )
    def test_requirements_that_cannot_be_met(self, root: Path, store: Store, line: str, why: str) -> None:
        path = write(root, line)
        error = refused(root, store)
        assert error.problem.startswith(f"uv cannot lock {path} for python3.13 on x86_64 (glibc 2.34): ")
        assert why in error.problem
        assert error.remedy == "Run `uv pip compile requirements.txt` there to see uv's full output."

    def test_a_setting_of_uv_that_names_another_file_for_the_lock(self, root: Path, store: Store) -> None:
        write(root, "beta")
        write(root, "[tool.uv.pip]", 'output-file = "requirements.lock"', name="pyproject.toml")
        assert refused(root, store).remedy.startswith("Remove output-file from uv's settings for pip")

    def test_uv_that_is_not_installed(
        self, root: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write(root, "beta")
        monkeypatch.setattr(frontend, "uv_executable", lambda: None)
        error = refused(root, store)
        assert error.problem == f"uv is not installed, and it is needed to lock {path}."
        assert error.remedy.startswith("Install it: ")

    def test_hashes_that_are_required(self, root: Path, store: Store, packages: dict[str, Path]) -> None:
        path = write(root, "--require-hashes", hashed(packages["beta"]))
        assert is_reproducible(root, store)
        write(root, "--require-hashes", hashed(packages["beta"]), "alpha")
        error = refused(root, store)
        assert error.problem == f"{path} requires hashes, and has none for alpha, urllib3."
        assert "--generate-hashes" in error.remedy

    def test_one_hash_for_all_that_is_named_requires_hashes(
        self, root: Path, store: Store, packages: dict[str, Path]
    ) -> None:
        path = write(root, hashed(packages["alpha"]))
        assert refused(root, store).problem == f"{path} requires hashes, and has none for urllib3."

    def test_a_host_that_is_trusted_blindly(self, root: Path, store: Store) -> None:
        write(root, "--trusted-host host.invalid", "beta")
        assert "has --trusted-host" in refused(root, store).problem

    @pytest.mark.parametrize("options", [{"extras": ("fast",)}, {"groups": ("ops",)}])
    def test_requirements_have_no_extras_and_no_groups(
        self, root: Path, store: Store, options: dict[str, tuple[str, ...]]
    ) -> None:
        write(root, "beta")
        with pytest.raises(LbdartError, match=r"requirements\.txt has no (extras|groups) named "):
            layer(root, store, **options).build()


def test_the_project_is_left_as_it_is(root: Path, store: Store) -> None:
    write(root, "alpha")
    before = files_in(root)
    layer(root, store).build()
    assert files_in(root) == before


def test_a_project_is_built_by_its_own_backend(root: Path, tmp_path: Path) -> None:
    pip.TOOL.frontend.build_wheel(make_project(root / "lib", "lib"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").glob("*.whl")] == ["lib-1.2.0-py3-none-any.whl"]
