"""A project's own build backend makes a wheel, in an environment of its own."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.process import time_limit
from lbdart_cdk.core.wheels import frontend
from lbdart_cdk.core.wheels.build_hooks import BuildError
from lbdart_cdk.core.wheels.frontend import PIP, UV, IsolatedBuild
from tests.support.index import Index
from tests.support.interpreters import other_interpreter
from tests.support.projects import BACKEND, files_in, index_table, make_project
from tests.support.wheels import make_wheel, names_in

WITH_UV = IsolatedBuild("uv", (UV,))
WITH_PIP = IsolatedBuild("pip", (PIP,))
BOTH = pytest.mark.parametrize("build", [WITH_UV, WITH_PIP], ids=lambda build: build.name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path / "orders")


@pytest.fixture
def hosted(index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    """The only index that there is; a build backend comes from it."""
    make_wheel(index.folder, "hosted", files={"hosted.py": BACKEND})
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.url}/simple/")
    return index


def say(root: Path, **build_system: str) -> Path:
    """Let the project say how it is built, and nothing else."""
    path = root / "pyproject.toml"
    others = re.sub(r"(?m)^(requires|build-backend|backend-path) = .*\n", "", path.read_text())
    lines = "".join(f"{key.replace('_', '-')} = {value}\n" for key, value in build_system.items())
    path.write_text(others.replace("[build-system]\n", f"[build-system]\n{lines}"))
    return root


def needing(root: Path, *requirements: str) -> Path:
    return say(root, requires=repr([*requirements]), build_backend="'hosted'")


def built(build: IsolatedBuild, root: Path) -> Path:
    build.build_wheel(root, root.parent / "out")
    (wheel,) = (root.parent / "out").glob("*.whl")
    return wheel


def refused(build: IsolatedBuild, root: Path) -> BuildError:
    with pytest.raises(BuildError) as error:
        build.build_wheel(root, root.parent / "out")
    assert [path.name for path in root.parent.glob(".environment-*")] == []
    return error.value


@BOTH
def test_a_project_becomes_one_wheel(root: Path, build: IsolatedBuild) -> None:
    wheel = built(build, root)
    assert wheel.name == "orders-1.2.0-py3-none-any.whl"
    assert "orders/app.py" in names_in(wheel)


@BOTH
def test_what_a_build_requires_is_installed_for_it(root: Path, hosted: Index, build: IsolatedBuild) -> None:
    assert "orders/app.py" in names_in(built(build, needing(root, "hosted; python_version > '3'")))


@BOTH
def test_so_is_what_the_backend_asks_for(root: Path, hosted: Index, build: IsolatedBuild) -> None:
    asking = "def get_requires_for_build_wheel(config_settings=None):\n    return ['more']\n"
    asking += BACKEND.replace("import pathlib", "import importlib, pathlib", 1).replace(
        "    project =", "    importlib.import_module('more')\n    project =", 1
    )
    make_wheel(hosted.folder, "hosted", "2.0", files={"hosted.py": asking})
    make_wheel(hosted.folder, "more", files={"more.py": ""})
    assert "orders/app.py" in names_in(built(build, needing(root, "hosted>=2")))


#: A backend that fails when it finds what is no business of its.
ISOLATED = """
import importlib.util, os
assert importlib.util.find_spec("boto3") is None
assert importlib.util.find_spec("elsewhere") is None
assert os.environ["PATH"].startswith(os.environ["VIRTUAL_ENV"])
"""


@BOTH
def test_and_nothing_else_is_there(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: IsolatedBuild
) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path/elsewhere.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    (root / "backend.py").write_text(ISOLATED + BACKEND)
    assert built(build, root).is_file()


FAILING = """
import os, sys
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    print("looking for a library")
    print(os.environ.get("UV_INDEX_TEAM_PASSWORD"), file=sys.stderr)
    raise RuntimeError("There is none.\\nInstall it in " + os.path.abspath("lib"))
"""


@BOTH
def test_a_backend_that_fails_is_quoted(root: Path, build: IsolatedBuild) -> None:
    (root / "backend.py").write_text(FAILING)
    error = refused(build, root)
    assert error.why == "RuntimeError: There is none. Install it in lib"
    assert str(error).startswith("The project could not be built to a wheel: RuntimeError: There is none.")
    assert [line.strip() for line in error.said if "library" in line] == ["looking for a library"]


QUOTING = """
import sys
from pathlib import Path
from lbdart_cdk.core.wheels.frontend import PIP, UV, IsolatedBuild
from lbdart_cdk.core.wheels.build_hooks import BuildError
root = Path(sys.argv[1])
for installer in (UV, PIP):
    try:
        IsolatedBuild("any", (installer,)).build_wheel(root, root.parent / "out")
    except BuildError as error:
        print(error.why)
"""


@pytest.mark.parametrize(
    "terminal", [{}, {"COLUMNS": "40"}, {"COLUMNS": "300"}, {"FORCE_COLOR": "1", "LC_ALL": "C"}], ids=str
)
def test_wherever_it_runs_it_is_quoted_alike(root: Path, tmp_path: Path, terminal: dict[str, str]) -> None:
    """In an environment that has nothing but what a program needs to be found."""
    why = "RuntimeError: There is no library of this name, and a name as long as this is not often seen"
    text = why.removeprefix("RuntimeError: ")
    (root / "backend.py").write_text(f"def build_wheel(*_):\n    raise RuntimeError({text!r})\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **terminal}
    quoted = subprocess.run(
        [sys.executable, "-c", QUOTING, root],
        cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert quoted.stdout.splitlines() == [why, why]


@BOTH
def test_nobody_hears_of_a_secret_or_of_the_place_of_a_copy(
    root: Path, monkeypatch: pytest.MonkeyPatch, build: IsolatedBuild
) -> None:
    """Nor of one that a build hook finds in spite of its environment, as in a file."""
    failing = FAILING.replace('os.environ.get("UV_INDEX_TEAM_PASSWORD")', '"m4rked"')
    (root / "backend.py").write_text(failing)
    monkeypatch.setenv("UV_INDEX_TEAM_PASSWORD", "m4rked")
    error = refused(build, root)
    said = "\n".join([*error.said, str(error)])
    assert "****" in said
    assert "m4rked" not in said
    assert str(root.parent) not in "\n".join(line for line in error.said if "pyproject_hooks" not in line)
    assert str(root) not in said


@BOTH
@pytest.mark.parametrize(
    ("backend", "why"),
    [
        (
            "import nowhere",
            "its build backend 'backend' cannot be imported: ModuleNotFoundError: .*",
        ),
        ("raise OSError('no')", "OSError: no"),
        ("x = 1", "AttributeError: module 'backend' has no attribute 'build_wheel'"),
        ("def build_wheel(*_): raise SystemExit('error: no gcc')", "error: no gcc"),
        ("def build_wheel(*_): raise SystemExit(3)", "its build backend ended with exit code 3"),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "its build backend ended with exit code -9",
        ),
        ("import os\nos._exit(0)", "its build backend ended without a result"),
        ("import os\nos.write(2, b'b\\xffd')\nos._exit(1)", "b\N{REPLACEMENT CHARACTER}d"),
    ],
)
def test_each_way_to_fail_has_its_reason(root: Path, build: IsolatedBuild, backend: str, why: str) -> None:
    (root / "backend.py").write_text(backend)
    assert re.fullmatch(why, refused(build, root).why)


@BOTH
def test_where_a_backend_imports_what_is_not_there_is_said(root: Path, build: IsolatedBuild) -> None:
    (root / "backend.py").write_text("\nimport nowhere\n")
    assert '  File "backend.py", line 2, in <module>' in refused(build, root).said


@BOTH
@pytest.mark.parametrize(
    ("build_system", "why"),
    [
        ({"build_backend": "'backend'"}, "`requires` is a required property"),
        ({"requires": "'none'"}, "`requires` must be an array of strings"),
        ({"requires": "['no name!']"}, "its build requirement 'no name!' is not valid"),
        (
            {"requires": "[]", "build_backend": "'nowhere'"},
            "backend 'nowhere' cannot be imported: Mod",
        ),
        ({"requires": "[]", "build_backend": "'x'", "backend_path": "['..']"}, "inside source tree"),
    ],
)
def test_so_has_what_does_not_say_how_it_is_built(
    root: Path, build: IsolatedBuild, build_system: dict[str, str], why: str
) -> None:
    assert why in refused(build, say(root, **build_system)).why


@BOTH
def test_requirements_that_cannot_be_installed_are_named(
    root: Path, hosted: Index, build: IsolatedBuild
) -> None:
    error = refused(build, needing(root, "hosted", "nowhere>=2"))
    assert error.why == f"{build.name} could not install its build requirements: hosted, nowhere>=2"
    assert [line for line in error.said if "nowhere" in line]
    before = (root / "pyproject.toml").read_text()
    assert "build-requirements" not in before


@BOTH
def test_a_password_in_the_address_of_a_requirement_is_not_heard(
    root: Path, hosted: Index, build: IsolatedBuild
) -> None:
    url = hosted.url.replace("//", "//ci:m4rked@")
    error = refused(build, needing(root, f"nowhere @ {url}/nowhere-1.0-py3-none-any.whl"))
    assert "nowhere @ http://ci:****@127.0.0.1" in error.why
    assert "m4rked" not in "\n".join(error.said)


@BOTH
def test_a_backend_that_hangs(root: Path, build: IsolatedBuild) -> None:
    (root / "backend.py").write_text("import time\ntime.sleep(60)\n")
    with time_limit(0.5):
        assert re.match("python did not end within", refused(build, root).why)


def test_without_uv(root: Path, hosted: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "uv_executable", lambda: None)
    assert built(WITH_UV, root).is_file()
    with pytest.raises(LbdartError, match="uv is not installed, and the project is locked or built with it"):
        built(WITH_UV, needing(root, "hosted"))


def test_without_pip(root: Path, hosted: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a virtual environment that uv made."""
    monkeypatch.setattr(frontend, "find_spec", lambda name: None)
    assert built(WITH_PIP, root).is_file()
    with pytest.raises(
        LbdartError, match=r"pip is not installed for .*\nInstall it with `python -m ensurepip"
    ):
        built(WITH_PIP, needing(root, "hosted"))


def test_pip_takes_constraints_of_builds_and_no_other_place(
    root: Path, hosted: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(hosted.folder, "hosted", "3.0", files={"hosted.py": "raise RuntimeError('too new')"})
    (tmp_path / "constraints").write_text("hosted<3")
    monkeypatch.setenv("PIP_BUILD_CONSTRAINT", str(tmp_path / "constraints"))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "target"))
    monkeypatch.setenv("PIP_USER", "1")
    assert built(WITH_PIP, needing(root, "hosted")).is_file()
    assert not (tmp_path / "target").exists()


class TestUv:
    """What uv reads in a project counts for its build as it does for ``uv build``."""

    def in_tree(self, root: Path, tail: str) -> Path:
        path = root / "pyproject.toml"
        path.write_text(path.read_text() + tail)
        return root

    def test_a_build_requirement_may_have_a_source(self, root: Path, hosted: Index) -> None:
        make_wheel(root / "vendored", "plugin", files={"plugin.py": ""})
        (wheel,) = (root / "vendored").iterdir()
        source = f"[tool.uv.sources]\nplugin = {{ path = 'vendored/{wheel.name}' }}\n"
        before = files_in(root)
        project = self.in_tree(needing(root, "hosted", "plugin"), source)
        assert built(WITH_UV, project).is_file()
        assert files_in(root).keys() - before.keys() == {"left-behind.txt"}

    def test_it_may_be_a_member_of_the_workspace(self, root: Path, hosted: Index) -> None:
        plugin = make_project(root / "plugin", "plugin")
        (plugin / "backend.py").write_text(BACKEND + "\nbuild_editable = build_wheel\n")
        tail = "[tool.uv.workspace]\nmembers = ['plugin']\n"
        tail += "[tool.uv.sources]\nplugin = { workspace = true }\n"
        assert built(WITH_UV, self.in_tree(needing(root, "hosted", "plugin"), tail)).is_file()

    def test_an_index_that_the_project_names_for_it_alone(
        self, root: Path, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_wheel(index.folder, "hosted", files={"hosted.py": BACKEND})
        index.demanded = ("ci", "m4rked")
        monkeypatch.setenv("UV_NO_INDEX", "0")
        monkeypatch.setenv("UV_INDEX_TESTS_USERNAME", "ci")
        monkeypatch.setenv("UV_INDEX_TESTS_PASSWORD", "m4rked")
        explicit = index_table(index.url).replace("default", "explicit")
        explicit += "[tool.uv.sources]\nhosted = { index = 'tests' }\n"
        assert built(WITH_UV, self.in_tree(needing(root, "hosted"), explicit)).is_file()

    def test_constraints_of_builds_hold_and_those_of_the_project_do_not(
        self, root: Path, hosted: Index
    ) -> None:
        make_wheel(hosted.folder, "hosted", "3.0", files={"hosted.py": "raise RuntimeError('too new')"})
        constraints = "[tool.uv]\nbuild-constraint-dependencies = ['hosted<3']\n"
        constraints += "constraint-dependencies = ['hosted>=3']\noverride-dependencies = ['hosted>=3']\n"
        assert built(WITH_UV, self.in_tree(needing(root, "hosted"), constraints)).is_file()

    def test_also_those_in_the_environment(
        self, root: Path, hosted: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_wheel(hosted.folder, "hosted", "3.0", files={"hosted.py": "raise RuntimeError('too new')"})
        for name, line in (("UV_BUILD_CONSTRAINT", "hosted<3"), ("UV_CONSTRAINT", "hosted>=3")):
            (tmp_path / name).write_text(line)
            monkeypatch.setenv(name, str(tmp_path / name))
        monkeypatch.setenv("UV_SYSTEM_PYTHON", "1")
        assert built(WITH_UV, needing(root, "hosted")).is_file()

    def test_settings_for_the_backend_and_further_requirements(self, root: Path, hosted: Index) -> None:
        make_wheel(hosted.folder, "more", files={"more.py": ""})
        asking = "def build_wheel(directory, config_settings=None, metadata_directory=None):\n"
        asking += "    import more\n    raise RuntimeError(config_settings)\n"
        (root / "backend.py").write_text(asking)
        tail = "[tool.uv]\nconfig-settings = { a = '1', b = ['2', '3'] }\n"
        tail += "config-settings-package = { Orders = { a = '4' } }\n"
        tail += "extra-build-dependencies = { orders = ['more'] }\n"
        error = refused(WITH_UV, self.in_tree(root, tail))
        assert error.why == "RuntimeError: {'a': '4', 'b': ['2', '3']}"

    def test_a_file_of_its_own_settings(self, root: Path) -> None:
        (root / "uv.toml").write_text("config-settings = { a = '1' }\n")
        backend = "def build_wheel(directory, config_settings=None, metadata_directory=None):\n"
        (root / "backend.py").write_text(f"{backend}    raise RuntimeError(config_settings)\n")
        assert refused(WITH_UV, root).why == "RuntimeError: {'a': '1'}"
        assert refused(WITH_PIP, root).why == "RuntimeError: {}"

    def test_its_own_build_backend_is_not_installed(self, root: Path, hosted: Index) -> None:
        say(root, requires="['uv_build<100']", build_backend="'uv_build'")
        assert "orders/app.py" in names_in(built(WITH_UV, root))
        (root / "src").rename(root / "source")
        why = refused(WITH_UV, root).why
        assert re.search(r"Expected a Python module at: \S*src/orders/__init__\.py", why)

    def test_unless_it_is_of_another_version(self, root: Path, hosted: Index) -> None:
        say(root, requires="['uv_build>=100']", build_backend="'uv_build'")
        assert refused(WITH_UV, root).why == "uv could not install its build requirements: uv_build>=100"

    def test_a_project_for_another_python(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        python = other_interpreter()
        if python is None:
            pytest.skip("there is no other Python here")
        monkeypatch.setenv("UV_PYTHON", str(python))
        path, here = root / "pyproject.toml", platform.python_version()
        path.write_text(path.read_text().replace(">=3.11", f">=3.11,!={here}"))
        (root / "backend.py").write_text("import sys\nraise RuntimeError(sys.version_info[:2])")
        major, minor = python.name.removeprefix("python").split(".")
        assert refused(WITH_UV, root).why == f"RuntimeError: ({major}, {minor})"

    def test_a_python_that_is_not_there(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("UV_PYTHON")
        path = root / "pyproject.toml"
        path.write_text(path.read_text().replace(">=3.11", ">=3.99"))
        error = refused(WITH_UV, root)
        assert error.why == "uv finds no Python >=3.99 for its build"
        assert [line for line in error.said if "3.99" in line]
