"""Bytecode is made once for each wheel and version of Python, and is the same wherever it is made."""

from __future__ import annotations

import importlib.util
import marshal
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lbdart_cdk.core.archive.entry import stored
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.packing import bytecode as module
from lbdart_cdk.core.packing.bytecode import Compiler
from lbdart_cdk.core.packing.compile_modules import compiled
from lbdart_cdk.core.packing.excluded import ExcludedFiles
from lbdart_cdk.core.packing.interpreter import find_interpreter
from lbdart_cdk.core.packing.merge import Bundle, merge
from lbdart_cdk.core.packing.slim import slim
from lbdart_cdk.core.project.target import MAX_UNZIPPED, Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels.build_image import BuildContainer
from tests.support.docker import FakeDocker
from tests.support.interpreters import interpreter

HERE = sys.version_info[:2]
TAG = f"cpython-{HERE[0]}{HERE[1]}"
#: What makes the bytes of a module depend on the process that compiles it, if nothing is done about it.
TELLTALE = """\
import os, sys
def f(path, encoding="utf-8", *, name=None):
    def g():
        return path, name, {"a": 1, "b": 2.5, "c": b"x"}
    return g if name in {"alpha", "beta", "gamma", "delta"} else (1, "utf-8", (None, "path"))
class C:
    name: str = "name"
    async def close(self): return [x for x in self.name if x not in ("self", "close")]
"""


def bundle(name: str, **files: str) -> Bundle:
    return Bundle(name, tuple(stored(f"{path}.py", text.encode()) for path, text in files.items()))


@pytest.fixture
def compiler(store: Store) -> Compiler:
    return Compiler(Target(HERE), "/opt/python", store)


def with_bytecode(compiler: Compiler, *bundles: Bundle) -> list[Bundle]:
    return compiler.with_bytecode(bundles)


def made(compiler: Compiler, each: Bundle) -> dict[str, bytes]:
    (result,) = with_bytecode(compiler, each)
    return {entry.name: entry.read() for entry in result.bytecode.values()}


def test_each_module_has_unchecked_bytecode_for_its_path_on_lambda(compiler: Compiler) -> None:
    alpha = Bundle("alpha", (stored("alpha/__init__.py", b"def f(): raise ValueError\n"),))
    ((name, content),) = made(compiler, alpha).items()
    assert name == f"alpha/__pycache__/__init__.{TAG}.pyc"
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert content[4:8] == b"\1\0\0\0"  # PEP 552: by hash, not checked
    assert content[8:16] == importlib.util.source_hash(b"def f(): raise ValueError\n")
    code = marshal.loads(content[16:])
    assert code.co_filename == code.co_consts[0].co_filename == "/opt/python/alpha/__init__.py"


def test_python_imports_it_from_a_tree_without_looking_at_the_source(
    tmp_path: Path, compiler: Compiler
) -> None:
    (result,) = with_bytecode(compiler, bundle("alpha", alpha="assert __debug__; x = 'of the bytecode'"))
    for entry in merge([result]).entries:
        path = tmp_path / "tree" / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.read())
    (tmp_path / "tree/alpha.py").write_text("x = 'of the source'\n")
    for path in (tmp_path / "tree").rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'tree')!r}); import alpha; print(alpha.x)"
    run = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "of the bytecode\n"


@pytest.mark.parametrize(
    "text",
    ["print 'Python 2'", "{% template %}", "x = '\0'", "# coding: nowhere\n", "\xff = 1 \x80", "(" * 300],
)
def test_what_does_not_compile_has_none(
    compiler: Compiler, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = Bundle("broken", (stored("broken.py", text.encode("latin-1")), stored("fine.py", b"x = 1\n")))
    assert list(made(compiler, broken)) == [f"__pycache__/fine.{TAG}.pyc"]
    assert capfd.readouterr() == ("", "")


def test_what_crashes_the_interpreter_has_none(
    tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some files do with the stack of Python 3.9."""
    crashing, program = tmp_path / "python", tmp_path / "crashing.py"
    text = "import os; (os.kill(os.getpid(), 11) if b'crash' in source else None); code = compile("
    # Not in the first line of the program: the path may have a space.
    crashing.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(program))} "$@"\n')
    program.write_text(
        f"""import os, sys
script = sys.argv[sys.argv.index("-c") + 1].replace("code = compile(", {text!r})
os.execv({sys.executable!r}, [{sys.executable!r}, "-S", "-c", script, *sys.argv[-2:]])
"""
    )
    crashing.chmod(0o755)
    monkeypatch.setattr(module, "find_interpreter", lambda *_: str(crashing))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    texts = ["1", "(", "crash", "2", "crash", "crash", "3", "4", "crash"]
    result = made(compiler, bundle("t", **{f"m{number}": text for number, text in enumerate(texts)}))
    assert [name[len("__pycache__/m")] for name in result] == ["0", "3", "6", "7"]


def test_a_bundle_without_modules_needs_no_interpreter(store: Store) -> None:
    data = Bundle("data", (stored("data.json", b"{}"),))
    assert with_bytecode(Compiler(Target((3, 99)), "/opt/python", store), data) == [data]


class TestSameBytes:
    """The modules, the version of Python and the place on Lambda decide the bytes, and nothing else does."""

    def test_whatever_else_is_compiled_and_wherever(self, tmp_path: Path) -> None:
        alone = Compiler(Target(HERE), "/opt/python", Store(tmp_path / "one"))
        others = Compiler(Target(HERE), "/opt/python", Store(tmp_path / "another folder"))
        telltale, other = bundle("t", telltale=TELLTALE), bundle("o", a="path = 'alpha'\n", b=TELLTALE * 2)
        first = made(alone, telltale)
        second = with_bytecode(others, other, telltale, bundle("z", path="encoding = path = 1\n"))[1]
        assert {entry.name: entry.read() for entry in second.bytecode.values()} == first

    def test_whatever_the_compiling_process_has(self, compiler: Compiler) -> None:
        """The test's own process has other modules, and another seed of hashes."""
        ((_, content),) = made(compiler, bundle("t", telltale=TELLTALE)).items()
        assert compiled(TELLTALE.encode(), "/opt/python/telltale.py") == content

    @pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 12), (3, 13)])
    def test_on_each_version_of_python(self, tmp_path: Path, version: tuple[int, int]) -> None:
        python = interpreter(version)
        if python is None:
            pytest.skip(f"this machine has no Python {version[0]}.{version[1]}")
        source = Path(module.__file__).with_name("compile_modules.py").read_text()
        (tmp_path / "names").write_text("/opt/python/telltale.py")
        (tmp_path / "0.py").write_text(TELLTALE)
        contents = set()
        for preamble in ("", "import json, asyncio, argparse; path = 'path alpha'\n"):
            code = source.replace('if __name__ == "__main__"', f'{preamble}if __name__ == "__main__"')
            environment = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
            subprocess.run([python, "-S", "-c", code, "0", "1"], cwd=tmp_path, env=environment, check=True)
            contents.add((tmp_path / "0.pyc").read_bytes())
        assert len(contents) == 1

    def test_the_environment_of_the_user_is_not_seen(
        self, tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = made(compiler, bundle("t", telltale=TELLTALE))
        (tmp_path / "evil").mkdir()
        (tmp_path / "evil/marshal.py").write_text("raise SystemExit")
        (tmp_path / "evil/importlib.py").write_text("raise SystemExit")
        for name, value in {
            "PYTHONPATH": str(tmp_path / "evil"),
            "PYTHONOPTIMIZE": "2",
            "PYTHONHASHSEED": "7",
            "PYTHONWARNINGS": "error",
        }.items():
            monkeypatch.setenv(name, value)
        again = replace(compiler, store=Store(tmp_path / "other"))
        assert made(again, bundle("t", telltale=TELLTALE)) == first


class TestKept:
    """The bytecode of a wheel is made once."""

    @pytest.fixture
    def runs(self, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
        """The folders in which something was compiled."""
        runs: list[Path] = []
        original = Compiler._run

        def run(compiler: Compiler, folder: Path, count: int) -> None:
            runs.append(folder)
            original(compiler, folder, count)

        monkeypatch.setattr(Compiler, "_run", run)
        return runs

    def test_it_is_not_made_again(self, compiler: Compiler, runs: list[Path]) -> None:
        alpha, beta = bundle("alpha", alpha="x = 1"), bundle("beta", beta="x = 2")
        first = made(compiler, alpha)
        assert len(with_bytecode(compiler, alpha, beta)) == 2
        assert made(compiler, alpha) == first
        assert len(runs) == 2

    @pytest.mark.parametrize("damage", [b"", b"damaged"])
    def test_damaged_bytecode_is_made_again(
        self, compiler: Compiler, runs: list[Path], damage: bytes
    ) -> None:
        alpha = bundle("alpha", alpha="x = 1")
        first = made(compiler, alpha)
        (path,) = compiler.store.root.rglob("bytecode/*/*.zip")
        path.write_bytes(damage)
        assert made(compiler, alpha) == first
        assert len(runs) == 2

    def test_a_changed_module_another_version_and_another_place_are_others(self, compiler: Compiler) -> None:
        one, other = bundle("alpha", alpha="x = 1"), bundle("alpha", alpha="x = 2")
        assert made(compiler, one) != made(compiler, other)
        # Built again from one source, a wheel may have other modules.
        first, second = (
            compiler.with_bytecode([each], {"alpha": Path("a/source.whl")})[0] for each in (one, other)
        )
        assert first.bytecode["alpha.py"].read() != second.bytecode["alpha.py"].read()
        assert made(compiler, one) != made(replace(compiler, root="/var/task"), one)
        assert replace(compiler, target=Target((3, 15))).inputs != compiler.inputs

    def test_nothing_half_made_is_left(self, compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Compiler, "_run", fail)
        with pytest.raises(KeyboardInterrupt):
            made(compiler, bundle("alpha", alpha="x = 1"))
        assert not [path for path in compiler.store.root.rglob("*") if path.suffix in (".py", ".zip")]


class TestInterpreter:
    """This one, one that uv knows, one on PATH, or the build image; else it is said how to get one."""

    NEWEST = (3, 15)

    def program(self, folder: Path, name: str, says: str) -> Path:
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(f"#!/bin/sh\nprintf '%s\\n' {says} {path}\n")
        path.chmod(0o755)
        return path

    def test_this_one(self, tmp_path: Path) -> None:
        assert find_interpreter(HERE, tmp_path) == sys.executable

    def test_one_on_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        python = self.program(tmp_path / "bin", "python3", "3.15 True")
        monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
        assert find_interpreter(self.NEWEST, tmp_path) == str(python)

    @pytest.mark.parametrize("says", ["3.15 False", "3.14 True", ""])
    def test_none_that_makes_other_bytecode(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
    ) -> None:
        python = self.program(tmp_path / "bin", "python3.15", says)
        monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
        assert find_interpreter(self.NEWEST, tmp_path) is None

    def test_one_that_pyenv_has_and_does_not_select(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        python = self.program(tmp_path / "versions", "python3.15", "3.15 True")
        pyenv = self.program(tmp_path / "bin", "pyenv", "")
        pyenv.write_text(f"#!/bin/sh\n[ \"$*\" = 'whence --path python3.15' ] && echo {python}\n")
        monkeypatch.setenv("PATH", f"{pyenv.parent}{os.pathsep}{os.environ['PATH']}")
        assert find_interpreter(self.NEWEST, tmp_path) == str(python)

    def test_a_program_that_starts_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        python = self.program(tmp_path / "versions", "python", "3.15 True")
        shim = self.program(tmp_path / "bin", "python3.15", "")
        shim.write_text(f"#!/bin/sh\nexec {python}\n")
        monkeypatch.setenv("PATH", f"{shim.parent}{os.pathsep}{os.environ['PATH']}")
        assert find_interpreter(self.NEWEST, tmp_path) == str(python)

    def test_one_that_uv_knows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        python = self.program(tmp_path / "elsewhere", "python", "3.15 True")
        uv = self.program(tmp_path / "bin", "uv", "")
        uv.write_text(f'#!/bin/sh\n[ "$UV_PYTHON_DOWNLOADS" = never ] && echo {python}\n')
        monkeypatch.setattr("lbdart_cdk.core.wheels.frontend.uv_executable", lambda: str(uv))
        monkeypatch.setattr("lbdart_cdk.core.packing.interpreter.uv_executable", lambda: str(uv))
        assert find_interpreter(self.NEWEST, tmp_path) == str(python)

    @pytest.fixture
    def none_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "find_interpreter", lambda *_: None)

    @pytest.mark.usefixtures("none_here")
    def test_none_at_all(self, compiler: Compiler) -> None:
        with pytest.raises(LbdartError) as error:
            made(replace(compiler, target=Target(self.NEWEST)), bundle("alpha", alpha="x = 1"))
        assert error.value.problem == "bytecode= needs CPython 3.15 to compile with, and it was not found."
        assert error.value.remedy == (
            "Install it: uv python install 3.15. Layers and functions can use the build image instead: "
            "build_in_container=True."
        )

    @pytest.mark.usefixtures("none_here")
    def test_the_build_image(
        self, tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "image").mkdir()
        (tmp_path / "image" / Target(HERE).runtime).symlink_to(sys.executable)
        # The container's working directory is the mounted folder.
        docker = FakeDocker(tmp_path / "bin", monkeypatch).answers(
            run=f"""
cd "$(printf '%s\\n' "$all" | sed -n 's|^--mount=type=bind,"source=\\(.*\\)",target=/var/task$|\\1|p')"
export PATH={tmp_path / "image"}:$PATH
exec /bin/sh "$@"
"""
        )
        in_container = replace(compiler, container=BuildContainer(), store=Store(tmp_path / "other"))
        telltale = bundle("t", telltale=TELLTALE)
        content = made(in_container, telltale)
        assert docker.runs == 1
        assert content[f"__pycache__/telltale.{TAG}.pyc"] == compiled(
            TELLTALE.encode(), "/opt/python/telltale.py"
        )

    def test_one_that_fails(
        self, tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = tmp_path / "python"
        broken.write_text("#!/bin/sh\necho 'error: no' >&2\nexit 3\n")
        broken.chmod(0o755)
        monkeypatch.setattr(module, "find_interpreter", lambda *_: str(broken))
        with pytest.raises(LbdartError, match=r"cannot compile the modules for bytecode=: no\."):
            made(compiler, bundle("alpha", alpha="x = 1"))


class TestPacked:
    """A module has its own bytecode beside it, or none."""

    def test_the_bytecode_is_that_of_the_module_that_wins(self, compiler: Compiler) -> None:
        texts = {"alpha": "x = 1", "beta": "this does not compile"}
        bundles = with_bytecode(compiler, *(bundle(name, shared=text) for name, text in texts.items()))
        of_alpha = merge(bundles, "python/", prefer=["alpha"]).entries
        assert [entry.name for entry in of_alpha] == [
            "python/shared.py",
            f"python/__pycache__/shared.{TAG}.pyc",
        ]
        assert [entry.name for entry in merge(bundles, prefer=["beta"]).entries] == ["shared.py"]

    def test_it_goes_with_its_module(self, compiler: Compiler) -> None:
        bundles = with_bytecode(compiler, bundle("alpha", a="x = 1", b="x = 1", c="x = 1"))
        slimmed = slim(bundles, ["a.py", "b.*.pyc"])
        (left,) = slimmed.bundles
        assert [entry.name for entry in merge([left]).entries] == ["b.py", "c.py", f"__pycache__/c.{TAG}.pyc"]
        assert slimmed.excluded == ExcludedFiles(3, bundles[0].size - left.size)
        assert slimmed.unmatched == ()

    def test_it_is_in_the_place_of_what_another_package_has_there(self, compiler: Compiler) -> None:
        """A package has bytecode without a module, and another package of the namespace has the module."""
        stale = Bundle("stale", (stored(f"space/__pycache__/a.{TAG}.pyc", b"stale"),))
        bundles = with_bytecode(compiler, bundle("alpha", **{"space/a": "x = 1"}), stale)
        packed = merge(bundles)
        assert [entry.name for entry in packed.entries].count(f"space/__pycache__/a.{TAG}.pyc") == 1
        (code,) = (entry.read() for entry in packed.entries if entry.name.endswith(".pyc"))
        assert code != b"stale"
        assert packed.bytecode == len(code)

    def test_it_counts_towards_the_size(self, compiler: Compiler) -> None:
        (small,) = with_bytecode(compiler, bundle("alpha", a="x = 1"))
        (code,) = small.bytecode.values()
        large = replace(small, bytecode={"a.py": replace(code, size=MAX_UNZIPPED)})
        with pytest.raises(LbdartError, match="262,144,000 of them bytecode") as error:
            merge([large])
        assert error.value.remedy.startswith("Turn bytecode= off, leave packages out with exclude=")

    def test_a_package_that_fits_without_some_files_is_compiled(self, compiler: Compiler) -> None:
        alpha = bundle("alpha", a="x = 1")
        data = replace(alpha.entries[0], name="data.bin", size=MAX_UNZIPPED + 1)
        bundles = compiler.with_bytecode([replace(alpha, entries=(*alpha.entries, data))])
        assert len(merge(slim(bundles, ["data.bin"]).bundles).entries) == 2

    def test_what_is_too_large_without_it_is_not_even_read(self, compiler: Compiler) -> None:
        alpha = bundle("alpha", a="x = 1")
        huge = Bundle("alpha", (replace(alpha.entries[0], size=MAX_UNZIPPED + 1),))
        with pytest.raises(LbdartError, match=r"the largest packages are alpha 262\.1 MB"):
            compiler.with_bytecode([huge])
