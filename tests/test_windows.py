"""What would fail on Windows, told on any machine: modules, functions, names, text, open files."""

from __future__ import annotations

import ast
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, Final

import pytest

from lbdart_cdk.core import process, windows
from lbdart_cdk.core.archive.names import own_name
from lbdart_cdk.core.artifacts.own_code import stored_file
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.packing.installed import installed_in
from lbdart_cdk.core.project import repository
from lbdart_cdk.core.project.patterns import is_match
from lbdart_cdk.core.project.tree import file_hash
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.core.wheels import build_hooks, container, sdist
from tests.support.git import make_repository
from tests.test_imports import MODULES, PACKAGE


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What Python has on POSIX only (*Modules by availability*, Python documentation).
POSIX_MODULES: Final = words("crypt fcntl grp nis posix pty pwd readline resource spwd syslog termios tty")
#: What modules have on POSIX only: "Availability: Unix" and "not Windows" in their documentation.
POSIX_NAMES: Final = {
    "os": words(
        """
        O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC SEEK_DATA SEEK_HOLE WEXITSTATUS
        WIFEXITED WIFSIGNALED WNOHANG WTERMSIG chflags chown chroot confstr copy_file_range ctermid
        eventfd fchdir fchmod fchown fdatasync fork forkpty fpathconf fstatvfs getegid geteuid
        getgid getgrouplist getgroups getloadavg getpgid getpgrp getpriority getresgid getresuid
        getsid getuid getxattr initgroups killpg lchown lockf login_tty major makedev memfd_create
        minor mkfifo mknod nice openpty pathconf pidfd_open pipe2 posix_fadvise posix_fallocate
        posix_openpt posix_spawn posix_spawnp pread preadv pwrite pwritev readv register_at_fork
        removexattr sched_getaffinity sched_setaffinity sched_yield sendfile setegid seteuid setgid
        setgroups setns setpgid setpriority setregid setresgid setresuid setreuid setsid setuid
        setxattr splice statvfs sync sysconf tcgetpgrp tcsetpgrp ttyname uname unshare wait wait3
        wait4 waitid writev
        """
    ),
    "signal": words(
        """
        SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGPROF SIGQUIT SIGSTOP SIGSYS SIGTSTP
        SIGTTIN SIGTTOU SIGUSR1 SIGUSR2 SIGWINCH alarm getitimer pause pthread_kill pthread_sigmask
        setitimer siginterrupt sigpending sigtimedwait sigwait sigwaitinfo
        """
    ),
    "shutil": frozenset({"chown"}),
    "socket": frozenset({"AF_UNIX", "socketpair", "fromfd", "sendmsg", "recvmsg"}),
    "time": frozenset({"tzset", "pthread_getcpuclockid"}),
    "asyncio": frozenset({"SafeChildWatcher"}),
}
#: Keyword arguments of ``subprocess`` that fail on Windows.
POSIX_ARGUMENTS: Final = {"preexec_fn", "pass_fds", "user", "group", "extra_groups", "umask", "process_group"}
#: The functions of ``subprocess``, and ours.
STARTS: Final = {"run", "Popen", "check_output", "check_call", "call"}
TEXT_FILES: Final = {"open", "fdopen", "read_text", "write_text", "NamedTemporaryFile", "TemporaryFile"}


def parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text("utf-8"))


def mode_of(called: str, call: ast.Call) -> str:
    """The mode that a file is opened with as text; empty when it is not."""
    values = [*call.args, *(each.value for each in call.keywords if each.arg == "mode")]
    texts = [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    default = "r" if called == "open" and isinstance(call.func, ast.Name) else ""
    mode = {"read_text": "r", "write_text": "w"}.get(called) or next(iter(texts), default)
    return mode if mode and set(mode) <= set("rwxat+") else ""


def problems_of_text(called: str, call: ast.Call) -> Iterator[str]:
    """A text has an encoding, and a written one its line ends."""
    mode, given = mode_of(called, call), {each.arg for each in call.keywords}
    position = {"read_text": 1, "write_text": 2}.get(called, 99)
    if called in TEXT_FILES and mode:
        if "encoding" not in given and len(call.args) < position:
            yield f"{called}() has no encoding"
        if set(mode) & set("wxa") and "newline" not in given:
            yield f"{called}() has no newline"


def problems(tree: ast.AST) -> Iterator[str]:
    """What does not run on Windows, or does another thing there."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name in POSIX_NAMES.get(module, ()):
                yield f"{node.lineno}: {module}.{name}"
            case ast.ImportFrom(module=str(module), names=names):
                posix = {each.name for each in names} & POSIX_NAMES.get(module, set())
                yield from (f"{node.lineno}: {module}.{name}" for name in posix)
                if module in POSIX_MODULES:
                    yield f"{node.lineno}: {module}"
            case ast.Import(names=names):
                yield from (f"{node.lineno}: {each.name}" for each in names if each.name in POSIX_MODULES)
            case ast.Call():
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                arguments = {str(each.arg) for each in node.keywords}
                if called in STARTS:
                    yield from (f"{node.lineno}: {name}=" for name in arguments & POSIX_ARGUMENTS)
                if called in STARTS and arguments & {"text", "universal_newlines"}:
                    yield f"{node.lineno}: {called}() has text= and no encoding"
                if called == "relpath" or (called == "replace" and len(node.args) == 1 and not node.keywords):
                    yield f"{node.lineno}: {called}(), which core.windows has for every system"
                yield from (f"{node.lineno}: {text}" for text in problems_of_text(called, node))
            case _:
                pass


def test_no_module_has_what_windows_does_not() -> None:
    others = {name: path for name, path in MODULES.items() if name != windows.__name__}
    assert [f"{name}:{each}" for name, path in others.items() for each in problems(parsed(path))] == []


@pytest.mark.parametrize(
    "code",
    [
        "import fcntl",
        "from resource import getrusage",
        "from os import fork",
        "os.getuid()",
        "os.path.relpath(path, start)",
        "made.replace(target)",
        "signal.SIGKILL",
        "subprocess.run(command, preexec_fn=start)",
        "subprocess.run(command, text=True)",
        "open(path)",
        "open(path, 'w', encoding='utf-8')",
        "path.read_text()",
        "path.write_text(text, 'utf-8')",
        "path.open('a', newline='')",
        "os.fdopen(handle, 'w')",
    ],
)
def test_the_rules_see_what_they_forbid(code: str) -> None:
    assert list(problems(ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "getattr(os, 'getuid', None)",
        "open(path, 'rb')",
        "path.read_text('utf-8')",
        "path.write_text(text, encoding='utf-8', newline='\\n')",
        "subprocess.run(command, encoding='utf-8')",
        "sources.open(path)",
        "text.replace('a', 'b')",
        "replace(value, name=name)",
    ],
)
def test_the_rules_allow_what_runs_everywhere(code: str) -> None:
    assert list(problems(ast.parse(code))) == []


def test_everything_is_imported_without_the_modules_of_posix() -> None:
    folders = ("lbdart_cdk.core", "lbdart_cdk.tools", "lbdart_cdk.cli", "runtime")
    code = f"""
import importlib, sys
for name in {sorted(POSIX_MODULES - {"posix"})!r}:
    sys.modules[name] = None
for name in {[name for name in sorted(MODULES) if name.startswith(folders)]!r}:
    if name != "lbdart_cdk.core.packing.compile_modules":  # a script, which the target's Python runs
        importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_container_runs_as_its_own_user_where_users_have_no_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert container._this_user() == f"{os.getuid()}:{os.getgid()}"
    monkeypatch.delattr(os, "getuid")
    assert container._this_user() is None


@pytest.mark.parametrize(
    "name",
    [
        *("con", "AUX.py", "pkg/nul.txt", "com1", "lpt9.tar.gz", "pkg/prn", "COM¹", "CONIN$", "aux .py"),
        *("a.", "pkg./a.py", "a ", "a:b", "ab:stream.py"),
        *("what?.py", "a*b", "<a>", "a|b", 'a"b', "tab\tb", "back\\slash"),
    ],
)
def test_names_that_windows_does_not_have(name: str) -> None:
    assert windows.is_refused_name(name)


@pytest.mark.parametrize(
    "name",
    ["console.py", "auxiliary/null.py", "com10", "a.b.c", ".env", "ä/ö.py", "../x", "./y", "a b.py", "com"],
)
def test_names_that_windows_has(name: str) -> None:
    assert not windows.is_refused_name(name)


@pytest.mark.parametrize("name", ["a\\b.py", "C:/a.py", "c:a.py", "\\\\server\\share\\a.py"])
def test_no_zip_has_a_name_with_a_drive_or_a_backslash(name: str) -> None:
    with pytest.raises(LbdartError, match="do not accept"):
        own_name(name)


def test_patterns_match_a_path_of_windows_as_one_of_linux() -> None:
    parts = PureWindowsPath("src\\orders\\data\\prices.json").parts
    assert is_match(parts, ["data/*.json"], [])
    assert not is_match(parts, [], ["data/*.json"])


def archive_of(folder: Path, *names: str) -> Path:
    path = folder / "demo-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(f"demo-1.0/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    return path


@pytest.mark.parametrize("name", ["aux.py", "data/what?.json", "trailing.", "stream:name"])
def test_a_source_that_windows_cannot_unpack_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = archive_of(tmp_path, "setup.py", name)
    assert (sdist.unpack_sdist(archive, archive.name, tmp_path / "linux") / name).is_file()
    monkeypatch.setattr(sdist, "IS_WINDOWS", True)
    with pytest.raises(LbdartError, match="which Windows cannot have under this name"):
        sdist.unpack_sdist(archive, archive.name, tmp_path / "windows")


def test_two_names_that_are_one_file_are_refused(tmp_path: Path) -> None:
    # What a file system that ignores case has when Prices.py was written, and prices.py is next.
    there = tmp_path / "out" / "demo-1.0" / "prices.py"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"of Prices.py")
    archive = archive_of(tmp_path, "prices.py")
    with pytest.raises(LbdartError, match=r"it has the file prices\.py twice"):
        sdist.unpack_tree(archive, archive.name, tmp_path / "out")
    assert there.read_bytes() == b"of Prices.py"


def test_the_last_of_two_entries_with_one_name_wins(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, "a.py", "a.py")
    assert (sdist.unpack_sdist(archive, archive.name, tmp_path / "out") / "a.py").read_bytes() == b"a.py"


class Open:
    """A file that another process has open on Windows, for some attempts to replace it."""

    def __init__(self, attempts: int, winerror: int = 32) -> None:
        self.left, self.winerror = attempts, winerror

    def install(self, patch: pytest.MonkeyPatch) -> None:
        replace = Path.replace

        def refused(made: Path, target: Path) -> Path:
            if self.left:
                self.left -= 1
                error: Any = PermissionError(13, "The process cannot access the file", str(made))
                error.winerror = self.winerror
                raise error
            return replace(made, target)

        patch.setattr(Path, "replace", refused)
        patch.setattr(windows, "_PATIENCE", 0.1)


@pytest.mark.parametrize("winerror", [5, 32, 33])
def test_a_file_that_is_read_is_replaced_when_the_reader_is_done(
    winerror: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Open(3, winerror).install(monkeypatch)
    store = Store(tmp_path)
    store.note("notes", "0" * 64, {"answer": 42})
    assert store.recall("notes", "0" * 64) == {"answer": 42}


def test_a_file_that_stays_open_stays_if_it_has_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Open(1000).install(monkeypatch)
    made, target = tmp_path / "made", tmp_path / "target"
    made.write_bytes(b"same")
    target.write_bytes(b"same")
    windows.replace_file(made, target)
    assert not made.exists()
    made.write_bytes(b"other")
    with pytest.raises(PermissionError):
        windows.replace_file(made, target)


def test_another_refusal_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Open(1, winerror=19)
    file.install(monkeypatch)
    (tmp_path / "made").write_bytes(b"")
    with pytest.raises(PermissionError):
        windows.replace_file(tmp_path / "made", tmp_path / "target")
    assert file.left == 0


def test_a_tool_is_found_under_its_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "poetry.CMD"
    shim.write_text("#!/bin/sh\necho shim $1\n", "utf-8")
    shim.chmod(0o755)
    which = shutil.which

    def of_windows(name: str, path: str | None = None) -> str | None:
        return which(name, path=path) or which(f"{name}.CMD", path=path)

    monkeypatch.setattr(process, "IS_WINDOWS", True)
    monkeypatch.setattr(shutil, "which", of_windows)
    done = process.run(["poetry", "one"], cwd=tmp_path, environment={"PATH": str(tmp_path)})
    assert done.stdout == "shim one\n"


def test_what_a_tool_prints_is_utf_8_in_any_locale(tmp_path: Path) -> None:
    code = "import sys; sys.stdout.buffer.write('Zürich\\n'.encode())"
    done = process.run([sys.executable, "-c", code], cwd=tmp_path, environment={"LC_ALL": "C"})
    assert done.stdout == "Zürich\n"


def test_programs_of_a_build_are_where_venv_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = build_hooks.IsolatedEnvironment(tmp_path, {})
    assert environment.python_executable == str(tmp_path / "bin" / "python")
    monkeypatch.setattr(build_hooks, "IS_WINDOWS", True)
    assert environment.python_executable == str(tmp_path / "Scripts" / "python.exe")
    assert environment.make_extra_environ()["PATH"].startswith(str(tmp_path / "Scripts"))


def test_a_file_is_as_executable_as_git_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, data = tmp_path / "bin" / "start", tmp_path / "data"
    script.parent.mkdir()
    script.write_bytes(b"#!/bin/sh\n")
    data.write_bytes(b"")
    script.chmod(0o755)
    make_repository(tmp_path)
    on_linux = [(stored_file(path, path.name).executable, file_hash(path)) for path in (script, data)]
    script.chmod(0o644)  # all that Windows knows
    monkeypatch.setattr(repository, "IS_WINDOWS", True)
    assert [(stored_file(path, path.name).executable, file_hash(path)) for path in (script, data)] == on_linux
    outside = tmp_path / "outside"
    shutil.copytree(script.parent, outside)
    assert not stored_file(outside / "start", "start").executable


def test_a_path_on_another_drive_is_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert windows.relative_or_absolute(Path("/a/b"), Path("/a/c")) == Path("../b")

    def on_another_drive(path: Path, start: Path) -> str:
        raise ValueError(f"path is on mount 'D:', start on mount {start}")

    monkeypatch.setattr(os.path, "relpath", on_another_drive)
    assert windows.relative_or_absolute(Path("/a/b"), Path("/a/c")) == Path("/a/b")


def test_a_list_of_files_that_names_another_drive_names_no_file_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "demo-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n", "utf-8")
    (info / "RECORD").write_text("demo.py,,\nX:other.py,,\n", "utf-8")
    splitdrive = os.path.splitdrive

    def with_drives(path: str) -> tuple[str, str]:
        name = os.path.basename(path)  # noqa: PTH119
        return ("X:", name[2:]) if name.startswith("X:") else splitdrive(path)

    monkeypatch.setattr(os.path, "splitdrive", with_drives)
    (package,) = installed_in(tmp_path).values()
    assert "demo.py" in package.files
    assert not [name for name in package.files if "other" in name]
