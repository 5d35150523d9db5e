"""What a build sees in the copy of a project is what it would see in place, and what counts is in the key."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdart_cdk.core.project.build_tree import BuildTree
from tests.support.git import commit_all, git, make_repository
from tests.support.projects import files_in

KNOWN = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
PLUGIN = KNOWN.replace('"hatchling"]', '"hatchling", "hatch-vcs"]')
UNKNOWN = '[build-system]\nrequires = ["maturin"]\nbuild-backend = "maturin"\n'
DB = '[project]\nname = "db"\nversion = "1"\n'


def write(path: Path, text: str = "x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of several projects and files beside them, one of which git does not track."""
    root = tmp_path / "mono"
    write(root / ".gitignore", ".env\nbig/\n")
    write(root / "VERSION", "1.0\n")
    write(root / "shared/text.txt")
    write(root / "other/module.py")
    write(root / "other/empty.py", "")
    write(root / "big/data.bin")
    write(root / "api/src/api/app.py")
    write(root / "api/src/api/.env")
    write(root / "api/pyproject.toml", KNOWN)
    git_init(root)
    git(root, "tag", "v1.0")
    return root


def git_init(root: Path) -> None:
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")


def copied(project: Path, folder: Path) -> tuple[Path, Path]:
    (folder / ".git").mkdir(parents=True)
    return BuildTree(project).copy(folder)


def names(top: Path) -> set[str]:
    return {name for name in files_in(top) if not name.startswith(".git/")}


class TestCopy:
    def test_a_project_outside_of_a_repository(self, tmp_path: Path) -> None:
        root = tmp_path / "orders"
        write(root / "src/orders/app.py")
        write(root / "build/old.py")
        write(root / "tool", "#!/bin/sh\n").chmod(0o755)
        top, project = copied(root, tmp_path / "copy")
        assert top == project == tmp_path / "copy/project"
        assert names(top) == {"src/orders/app.py", "tool"}
        assert (top / "tool").stat().st_mode & 0o100

    @pytest.mark.parametrize(
        "name",
        ["build/__init__.py", "src/api/node_modules/x.js", "src/api/cdk.out/x", "src/api/CACHEDIR.TAG"],
    )
    @pytest.mark.parametrize("is_tracked", [True, False])
    def test_what_looks_generated_is_source_if_git_tracks_it(
        self, repository: Path, tmp_path: Path, is_tracked: bool, name: str
    ) -> None:
        text = "Signature: 8a477f597d28d172789f06886806bc55\n"
        write(repository / "api" / name, text)
        if is_tracked:
            commit_all(repository)
        top, _ = copied(repository / "api", tmp_path / "copy")
        expected = is_tracked or name.endswith("TAG")  # other files of the package are tracked anyway
        assert (f"api/{name}" in names(top)) == expected

    @pytest.mark.parametrize(
        ("settings", "names_it"),
        [
            ('[tool.hatch.build.targets.wheel.force-include]\n"dist" = "api/static"\n', True),
            ('[tool.hatch.build.targets.wheel.force-include]\n"dist/app.js" = "api/app.js"\n', True),
            ('[project]\nkeywords = ["dist"]\n', False),
            ('[tool.hatch.build]\nexclude = ["dist/app.js"]\n', False),
        ],
    )
    def test_outputs_of_other_builds_are_there_if_the_settings_include_them(
        self, repository: Path, tmp_path: Path, settings: str, names_it: bool
    ) -> None:
        write(repository / "api/pyproject.toml", KNOWN + settings)
        write(repository / "api/dist/app.js")
        before = BuildTree(repository / "api").key()
        top, _ = copied(repository / "api", tmp_path / "copy")
        assert ("api/dist/app.js" in names(top)) == names_it
        write(repository / "api/dist/app.js", "changed\n")
        assert (BuildTree(repository / "api").key() != before) == names_it

    def test_ignore_files_above_the_project_are_there(self, repository: Path, tmp_path: Path) -> None:
        top, project = copied(repository / "api", tmp_path / "copy")
        assert project == top / "api"
        assert names(top) == {".gitignore", "api/pyproject.toml", "api/src/api/.env", "api/src/api/app.py"}

    def test_without_a_repository_the_next_ignore_file_above_counts(self, tmp_path: Path) -> None:
        write(tmp_path / "home/.gitignore")
        write(tmp_path / "home/code/.gitignore")
        write(tmp_path / "home/code/api/pyproject.toml", KNOWN)
        top, project = copied(tmp_path / "home/code/api", tmp_path / "copy")
        assert (names(top), project) == ({".gitignore", "api/pyproject.toml"}, top / "api")

    @pytest.mark.parametrize(
        ("settings", "name"),
        [
            ('[tool.hatch.version]\npath = "../VERSION"\n', "VERSION"),
            ('[tool.hatch.build.targets.wheel.force-include]\n"../shared" = "shared"\n', "shared/text.txt"),
            ('[tool.poetry]\ninclude = ["../shared/**/*.txt"]\n', "shared/text.txt"),
            ('[project]\nreadme = "../VERSION"\n', "VERSION"),
        ],
    )
    def test_files_beside_the_project_that_it_names(
        self, repository: Path, tmp_path: Path, settings: str, name: str
    ) -> None:
        write(repository / "api/pyproject.toml", KNOWN + settings)
        top, _ = copied(repository / "api", tmp_path / "copy")
        assert name in names(top)

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("setup.cfg", "[metadata]\nversion = file: ../VERSION\n"),
            ("MANIFEST.in", "include ../VERSION\n"),
            ("setup.py", "open('../VERSION')\n"),
        ],
    )
    def test_also_outside_of_a_repository_and_in_other_files(
        self, tmp_path: Path, file: str, text: str
    ) -> None:
        write(tmp_path / "code/VERSION")
        write(tmp_path / f"code/api/{file}", text)
        top, project = copied(tmp_path / "code/api", tmp_path / "copy")
        assert (names(top), project) == ({"VERSION", f"api/{file}"}, top / "api")

    @pytest.mark.parametrize(
        "names_it", ['[tool.uv.sources]\nlib = { path = "../other" }', "[tool.ruff]\nextend='../other'"]
    )
    def test_what_is_not_for_the_build_is_not_copied(
        self, repository: Path, tmp_path: Path, names_it: str
    ) -> None:
        write(repository / "api/pyproject.toml", KNOWN + names_it)
        top, _ = copied(repository / "api", tmp_path / "copy")
        assert "other/module.py" not in names(top)

    def test_a_build_that_runs_other_code_sees_all_that_git_does_not_ignore(
        self, repository: Path, tmp_path: Path
    ) -> None:
        write(repository / "api/pyproject.toml", UNKNOWN)
        write(repository / "new.txt")
        top, _ = copied(repository / "api", tmp_path / "copy")
        assert {"VERSION", "other/module.py", "shared/text.txt", "new.txt"} < names(top)
        assert "big/data.bin" not in names(top)

    @pytest.mark.parametrize(
        "change",
        [
            lambda root: write(root / "libs/db/pyproject.toml", DB.replace("1", "2")),
            lambda root: write(root / "libs/db/src/db.py", "changed\n"),
            lambda root: write(root / "libs/db/new.py"),
            lambda root: write(root / "libs/new/pyproject.toml", DB.replace("db", "new")),
            lambda root: write(
                root / "api/pyproject.toml", KNOWN + "[project]\nreadme = '../libs/db/README'\n"
            ),
        ],
        ids=["its settings", "its code", "a new file", "a new member", "a file that the build uses"],
    )
    def test_uv_finds_the_members_of_a_workspace_with_their_settings(
        self, repository: Path, tmp_path: Path, change: Callable[[Path], object]
    ) -> None:
        write(repository / "pyproject.toml", '[tool.uv.workspace]\nmembers = ["api", "libs/*"]\n')
        write(repository / "libs/db/pyproject.toml", DB)
        write(repository / "libs/db/src/db.py")
        write(repository / "libs/db/README")
        commit_all(repository)
        change(repository)
        top, _ = copied(repository / "api", tmp_path / "copy")
        settings = {path.relative_to(repository) for path in repository.rglob("pyproject.toml")}
        assert {path.relative_to(top) for path in top.rglob("pyproject.toml")} == settings
        for path in settings:
            assert (top / path).read_bytes() == (repository / path).read_bytes()

    def test_links_are_links_to_what_they_lead_to_in_place(self, repository: Path, tmp_path: Path) -> None:
        links = {
            "file": "app.py",
            "chain": "file",
            "folder": "../../../shared",
            "built": "../../build/made.py",
            "absolute": str(repository / "VERSION"),
        }
        write(repository / "api/build/made.py", "made\n")
        for name, target in links.items():
            (repository / "api/src/api" / name).symlink_to(target)
        _, project = copied(repository / "api", tmp_path / "copy")
        package = project / "src/api"
        assert {name: (package / name).is_symlink() for name in links} == {
            "file": True, "chain": True, "folder": True, "built": True, "absolute": False,
        }  # fmt: skip
        for name in ("file", "chain", "folder/text.txt", "built", "absolute"):
            assert (package / name).read_text() == (repository / "api/src/api" / name).read_text()

    def test_a_link_out_of_a_project_without_a_repository_is_one(self, tmp_path: Path) -> None:
        """Some build backends follow no links to directories."""
        write(tmp_path / "code/shared/text.txt")
        write(tmp_path / "code/api/app.py")
        (tmp_path / "code/api/shared").symlink_to("../shared")
        _, project = copied(tmp_path / "code/api", tmp_path / "copy")
        assert (project / "shared").is_symlink()
        assert (project / "shared/text.txt").read_text() == "x\n"

    @pytest.mark.parametrize("name", ["built.py", "tables"])
    def test_a_link_into_an_output_of_the_project_is_one(self, tmp_path: Path, name: str) -> None:
        """poetry-core refuses a package with a link out of it: in the copy, too."""
        for path in ("built.py", "tables/first.py", "left.py"):
            write(tmp_path / "api/build" / path)
        (tmp_path / "api/link").symlink_to(f"build/{name}")
        _top, project = copied(tmp_path / "api", tmp_path / "copy")
        assert (project / "link").readlink() == Path(f"build/{name}")
        assert (project / "link").exists()
        assert not (project / "build/left.py").exists()

    def test_a_link_to_nothing_stays_one(self, tmp_path: Path) -> None:
        write(tmp_path / "api/app.py")
        (tmp_path / "api/link").symlink_to("nowhere")
        top, _ = copied(tmp_path / "api", tmp_path / "copy")
        assert (top / "link").readlink() == Path("nowhere")


class TestGit:
    """Git says the same of the copy as of the user's tree, and does not touch that."""

    SAYS = (
        ("describe", "--tags", "--dirty", "--long"),
        ("status", "--porcelain", "--untracked-files=no"),
        ("ls-files", "--others", "--ignored", "--exclude-standard"),
        ("ls-files",),
        ("symbolic-ref", "HEAD"),
    )

    @pytest.mark.parametrize(
        "change",
        [
            lambda _root: None,
            lambda root: write(root / "api/src/api/app.py", "changed\n"),
            lambda root: write(root / "VERSION", "2.0\n"),
            lambda root: (root / "other/module.py").unlink(),
            lambda root: write(root / "other/empty.py", "changed\n"),
            lambda root: write(root / "other/module.py", ""),
            lambda root: write(root / "api/new.py"),
            lambda root: (write(root / "api/new.py"), git(root, "add", "--all")),
            lambda root: (write(root / "other/new.py"), git(root, "add", "--all")),
            lambda root: git(root, "checkout", "--quiet", "-b", "branch"),
            lambda root: (write(root / "other/module.py", "2\n"), commit_all(root)),
            lambda root: git(root, "rm", "--quiet", "--cached", "api/src/api/app.py"),
        ],
    )
    def test_of_any_state(self, repository: Path, tmp_path: Path, change: Callable[[Path], object]) -> None:
        change(repository)
        expected = [git(repository / "api", *arguments) for arguments in self.SAYS]
        before = files_in(repository)
        _, project = copied(repository / "api", tmp_path / "copy")
        says = [git(project, *arguments) for arguments in self.SAYS]
        assert says == expected
        assert files_in(repository) == before

    def test_changed_files_that_are_copied_are_those_of_the_user(
        self, repository: Path, tmp_path: Path
    ) -> None:
        write(repository / "api/pyproject.toml", KNOWN + '[tool.hatch.version]\npath = "../VERSION"\n')
        write(repository / "VERSION", "2.0\n")
        write(repository / "uv.toml", "# new\n")
        top, _ = copied(repository / "api", tmp_path / "copy")
        assert (top / "VERSION").read_text() == "2.0\n"
        assert (top / "uv.toml").read_text() == "# new\n"

    def test_untracked_files_elsewhere_show(self, repository: Path, tmp_path: Path) -> None:
        write(repository / "new/file.txt")
        top, _ = copied(repository / "api", tmp_path / "copy")
        assert git(top, "status", "--porcelain") == "?? new/"

    def test_in_a_linked_work_tree(self, repository: Path, tmp_path: Path) -> None:
        git(repository, "worktree", "add", "--quiet", "-b", "branch", str(tmp_path / "linked"))
        write(tmp_path / "linked/api/new.py")
        commit_all(tmp_path / "linked")
        top, project = copied(tmp_path / "linked/api", tmp_path / "copy")
        assert git(project, "describe", "--tags", "--dirty").startswith("v1.0-1-g")
        assert not git(project, "describe", "--tags", "--dirty").endswith("dirty")
        assert git(top, "symbolic-ref", "--short", "HEAD") == "branch"

    def test_in_a_submodule(self, repository: Path, tmp_path: Path) -> None:
        make_repository(tmp_path / "outer")
        add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
        git(tmp_path / "outer", *add, repository.as_uri(), "vendor/mono")
        _, project = copied(tmp_path / "outer/vendor/mono/api", tmp_path / "copy")
        assert git(project, "describe", "--tags", "--dirty") == "v1.0"

    def test_in_a_submodule_of_the_project(self, repository: Path, tmp_path: Path) -> None:
        """There, too, git is asked for tracked files."""
        write(tmp_path / "inner/text.txt")
        git_init(tmp_path / "inner")
        add = ("-c", "protocol.file.allow=always", "submodule", "--quiet", "add")
        git(repository, *add, (tmp_path / "inner").as_uri(), "api/src/api/vendor")
        commit_all(repository)
        write(repository / "api/src/api/vendor/text.txt", "changed\n")
        before = files_in(repository)
        _, project = copied(repository / "api", tmp_path / "copy")
        for folder in (repository / "api", project):
            assert git(folder / "src/api/vendor", "ls-files") == "text.txt"
            assert git(folder / "src/api/vendor", "status", "--porcelain") == "M text.txt"
            assert git(folder, "status", "--porcelain") == "M api/src/api/vendor"
        assert (project / "src/api/vendor/.git").is_file()
        assert files_in(repository) == before

    def test_without_a_repository_there_is_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Not even if the copy lies in one."""
        write(tmp_path / "api/app.py")
        make_repository(tmp_path / "checkout")
        _, project = copied(tmp_path / "api", tmp_path / "checkout/cache")
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path / "checkout/cache"))
        assert git_fails(project)


def git_fails(directory: Path) -> bool:

    command = ["git", "rev-parse", "--show-toplevel"]
    return (
        subprocess.run(command, cwd=directory, capture_output=True, check=False, timeout=60).returncode != 0
    )


class TestKey:
    @pytest.mark.parametrize(
        ("name", "counts"),
        [
            ("api/src/api/app.py", True),
            (".gitignore", True),
            ("VERSION", True),
            ("shared/text.txt", False),
            ("other/module.py", False),
        ],
    )
    def test_the_files_that_a_known_backend_uses_count(
        self, repository: Path, name: str, counts: bool
    ) -> None:
        write(repository / "api/pyproject.toml", KNOWN + '[tool.hatch.version]\npath = "../VERSION"\n')
        before = BuildTree(repository / "api").key()
        write(repository / name, "changed\n")
        assert (BuildTree(repository / "api").key() != before) == counts

    @pytest.mark.parametrize(("build_system", "counts"), [(KNOWN, False), (PLUGIN, True), (UNKNOWN, True)])
    @pytest.mark.parametrize(
        "change",
        [
            commit_all,
            lambda root: git(root, "tag", "v2.0"),
            lambda root: git(root, "checkout", "--quiet", "-b", "branch"),
            lambda root: (root / "other/module.py").unlink(),
        ],
    )
    def test_the_state_of_git_counts_where_a_build_may_ask_for_it(
        self, repository: Path, build_system: str, counts: bool, change: Callable[[Path], object]
    ) -> None:
        write(repository / "api/pyproject.toml", build_system)
        before = BuildTree(repository / "api").key()
        change(repository)
        assert (BuildTree(repository / "api").key() != before) == counts

    def test_for_poetry_only_the_ignored_files_count(self, repository: Path) -> None:
        system = '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
        write(repository / "api/pyproject.toml", system)
        before = BuildTree(repository / "api").key()
        git(repository, "commit", "--quiet", "--allow-empty", "--message", "other")
        assert BuildTree(repository / "api").key() == before
        write(repository / ".git/info/exclude", "*.local\n")
        write(repository / "api/src/api/x.local")
        ignored = BuildTree(repository / "api").key()
        write(repository / ".git/info/exclude", "")
        assert len({before, ignored, BuildTree(repository / "api").key()}) == 3

    def test_any_file_counts_where_a_build_runs_other_code(self, repository: Path) -> None:
        write(repository / "api/pyproject.toml", UNKNOWN)
        keys = set()
        for text in ("one\n", "two\n"):
            write(repository / "other/module.py", text)
            keys.add(BuildTree(repository / "api").key())
        assert len(keys) == 2

    def test_the_place_does_not_count(self, repository: Path, tmp_path: Path) -> None:
        git(tmp_path, "clone", "--quiet", str(repository), "elsewhere")
        write(repository / "api/src/api/.env")
        write(tmp_path / "elsewhere/api/src/api/.env")
        for build_system in (KNOWN, PLUGIN, UNKNOWN):
            keys = set()
            for root in (repository, tmp_path / "elsewhere"):
                write(root / "api/pyproject.toml", build_system)
                keys.add(BuildTree(root / "api").key())
            assert len(keys) == 1

    def test_in_a_linked_work_tree_it_is_the_same(self, repository: Path, tmp_path: Path) -> None:
        git(repository, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
        (repository / "api/src/api/.env").unlink()
        assert BuildTree(tmp_path / "linked/api").key() == BuildTree(repository / "api").key()
