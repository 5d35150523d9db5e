"""Compile the modules of bundles, since Lambda cannot keep the bytecode that it makes.

A layer is mounted read-only, so without bytecode in it, each cold start compiles every module. The files are
unchecked hash-based ones (PEP 552): they stay valid when an archive changes the times of the modules, and
nothing is read to check them. They depend on the modules, the minor version of Python and the directory on
Lambda alone, so they are made once for each wheel and kept in the store, as a zip of compressed streams.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ..archive.entry import Entry, deflated
from ..archive.noted import from_rows, to_rows
from ..archive.reader import read_entries, usable
from ..archive.writer import write_zip
from ..errors import LbdartError
from ..keys import key_of
from ..process import run, said
from ..progress import announced
from ..project.target import Target
from ..store.store import Store, key_in
from ..windows import replace_file
from .interpreter import find_interpreter
from .merge import Bundle, refuse_too_large

if TYPE_CHECKING:
    from ..wheels.build_image import BuildContainer

#: Change it when the same modules would get other bytecode.
FORMAT: Final = 1
_KIND: Final = "bytecode"
#: Of the compression: the best level takes five times as long, for one per cent.
_LEVEL: Final = 6
_NAMES: Final = "names"
_NO_WHEELS: Final[Mapping[str, Path]] = MappingProxyType({})

#: Runs in the interpreter that compiles.
_SCRIPT: Final = Path(__file__).with_name("compile_modules.py")
#: The interpreter sees nothing of this machine. Before Python 3.11, the order of a set in the bytecode
#: depends on the seed of hashes.
_OPTIONS: Final = ("-S", "-s", "-W", "ignore", "-c")
_VARIABLES: Final = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}


@dataclass(frozen=True)
class Compiler:
    """Compiles modules for a target.

    :param root: the directory on Lambda that has the files of the bundles.
    :param container: compiles where no interpreter of this machine can.
    """

    target: Target
    root: str
    store: Store
    container: BuildContainer | None = None

    @property
    def inputs(self) -> dict[str, str | int]:
        """What decides the bytecode of a module."""
        return {"python": self.target.python_version, "root": self.root, "format": FORMAT}

    def with_bytecode(
        self, bundles: Iterable[Bundle], wheels: Mapping[str, Path] = _NO_WHEELS
    ) -> list[Bundle]:
        """Return the bundles with the bytecode of their modules.

        :param wheels: the wheels in the store that bundles are from, by the names of these; the modules of
            other bundles are read.
        :raises LbdartError: when the modules of a bundle are too large for Lambda, and when no interpreter
            of the target's version can be found or it fails.
        """
        modules = [_Modules.of(bundle, wheels.get(bundle.name), self) for bundle in bundles]
        with ThreadPoolExecutor() as pool:  # hashing releases the GIL
            kept = list(pool.map(self._kept, modules))
        missing = [each for each, path in zip(modules, kept, strict=True) if path is None]
        if missing:
            self._compile(missing)
            kept = list(map(self._kept, modules))
        if None in kept:
            raise self.store.vanished()
        return [each.compiled(made) for each, made in zip(modules, kept, strict=True) if made is not None]

    def _kept(self, modules: _Modules) -> list[Entry] | None:
        """Return the modules' bytecode, with its streams in the store; None when it is missing or damaged."""
        noted = self.store.recall(_KIND, modules.key)
        if noted is None:
            return None
        path = self.store.kept_bytecode(noted["sha256"])
        return from_rows(noted["entries"], path) if path is not None else None

    def _compile(self, modules: Sequence[_Modules]) -> None:
        """Compile the modules of bundles, and keep the bytecode of each bundle in the store."""
        sources = [entry for each in modules for entry in each.sources]
        what = f"Compiling {len(sources):,} modules for Python {self.target.python_version}"
        with announced(what), self.store.scratch() as folder, self.store.guarded(folder):
            for number, entry in enumerate(sources):
                with usable(entry.name):
                    (folder / f"{number}.py").write_bytes(entry.read())
            paths = (f"{self.root}/{entry.name}" for entry in sources)
            (folder / _NAMES).write_bytes("\0".join(paths).encode())
            if sources:
                self._run(folder, len(sources))
            numbers = iter(range(len(sources)))
            numbered = [[(next(numbers), entry) for entry in each.sources] for each in modules]
            with ThreadPoolExecutor() as pool:  # zlib releases the GIL
                list(pool.map(lambda each, files: self._keep(each, files, folder), modules, numbered))

    def _run(self, folder: Path, count: int) -> None:
        python = find_interpreter(self.target.python, folder)
        if python is not None:
            cores = os.cpu_count() or 1
            shares = [range(start, count, cores) for start in range(min(cores, count))]
            with ThreadPoolExecutor(cores) as pool:
                list(pool.map(lambda numbers: self._run_here(python, folder, numbers), shares))
        elif self.container is not None:
            self._run_in(self.container, folder)
        else:
            version = self.target.python_version
            raise LbdartError(
                f"bytecode= needs CPython {version} to compile with, and it was not found.",
                f"Install it: uv python install {version}. Layers and functions can use the build image "
                "instead: build_in_container=True.",
            )

    def _run_here(self, python: str, folder: Path, numbers: range) -> None:
        while numbers:
            command = (python, *_OPTIONS, _SCRIPT.read_text("utf-8"), str(numbers.start), str(numbers.step))
            result = run(command, cwd=folder, environment={**_system_variables(), **_VARIABLES})
            if result.returncode == -signal.SIGSEGV:
                # Older compilers overflow their stack with some files. So go on behind the last file that was
                # compiled and the one after it, which is this one, or does not compile either.
                made = (place for place in reversed(range(len(numbers))) if _compiled(folder, numbers[place]))
                numbers = numbers[next(made, -1) + 2 :]
            elif result.returncode:
                raise LbdartError(
                    f"{python} cannot compile the modules for bytecode=: {said(result)}.",
                    f"Install another Python {self.target.python_version}, or turn bytecode= off.",
                )
            else:
                return

    def _run_in(self, container: BuildContainer, folder: Path) -> None:
        from ..wheels.build_image import CONTAINER_ROOT, platform_of
        from ..wheels.container import Container

        Container(
            image=container.image_uri(self.target),
            platform=platform_of(self.target),
            mounts=((folder, CONTAINER_ROOT),),
            command=(self.target.runtime, *_OPTIONS, _SCRIPT.read_text("utf-8"), "0", "1"),
            network=container.network,
            what="The compilation for bytecode=",
            variables=_VARIABLES,
        ).run()

    def _keep(self, modules: _Modules, numbered: Iterable[tuple[int, Entry]], folder: Path) -> None:
        made = folder / f"{modules.key}.zip"
        spool_path = folder / modules.key
        with spool_path.open("wb") as spool:
            entries = [
                deflated(modules.compiled_name(entry.name), compiled, spool, spool_path, _LEVEL)
                for number, entry in numbered
                if (compiled := _compiled(folder, number)) is not None
            ]
        with made.open("wb") as file:
            sha256 = write_zip(file, entries)
        spool_path.unlink()
        noted = to_rows(read_entries(made))
        path = self.store.bytecode(sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(made, path)
        self.store.note(_KIND, modules.key, {"sha256": sha256, "entries": noted})


@dataclass(frozen=True)
class _Modules:
    """The modules of a bundle.

    :param sources: their files.
    :param tag: between the name of a module and ``.pyc``: ``cpython-313``.
    :param key: of their bytecode.
    """

    bundle: Bundle
    sources: tuple[Entry, ...]
    tag: str
    key: str

    @classmethod
    def of(cls, bundle: Bundle, wheel: Path | None, compiler: Compiler) -> _Modules:
        """Return the modules of a bundle, if they are not too large to be read."""
        sources = tuple(_sources(bundle))
        size = sum(entry.size for entry in sources)
        refuse_too_large(size, {bundle.name: size})
        major, minor = compiler.target.python
        # A wheel that was built twice may have other files under the same hash, which is that of its source.
        files = {entry.name: [entry.crc, entry.size] for entry in sources}
        key = key_of(
            {"artifact": "bytecode", "content": _content(sources, wheel), "files": files, **compiler.inputs}
        )
        return cls(bundle, sources, f"cpython-{major}{minor}", key)

    def compiled_name(self, name: str) -> str:
        """Return the path of a module's bytecode (PEP 3147)."""
        folder, slash, file = name.rpartition("/")
        return f"{folder}{slash}__pycache__/{file.removesuffix('.py')}.{self.tag}.pyc"

    def compiled(self, made: Iterable[Entry]) -> Bundle:
        """Return the bundle with its bytecode."""
        entries = {entry.name: entry for entry in made}
        names = ((entry.name, self.compiled_name(entry.name)) for entry in self.sources)
        return replace(self.bundle, bytecode={name: entries[pyc] for name, pyc in names if pyc in entries})


def _compiled(folder: Path, number: int) -> Path | None:
    """Return the bytecode of a module that was compiled; None when it does not compile."""
    path = folder / f"{number}.pyc"
    return path if path.exists() else None


def _content(sources: Iterable[Entry], wheel: Path | None) -> str:
    """Return a hash of modules, which are read only if they are not from a wheel in the store."""
    if wheel is not None:
        return key_in(wheel)
    return key_of({entry.name: entry.sha256() for entry in sources})


def _sources(bundle: Bundle) -> Iterable[Entry]:
    return (entry for entry in bundle.entries if entry.name.endswith(".py"))


def _system_variables() -> dict[str, str]:
    """Return the variables without which some interpreters do not start."""
    names = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH", "HOME", "PYENV_VERSION")
    return {name: os.environ[name] for name in names if name in os.environ}
