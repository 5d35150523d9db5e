"""Whether compiled files load on a target: a pure function of what they ask for and what the target has.

An error is what cannot work: an extension module, or a library that one links with, that the loader of the
target refuses. A file that may never be loaded, and a library that the runtime is not known to have, are
warnings.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ..errors import BuildWarning, LbdartError
from ..project.target import Target
from .elf import Elf
from .image import LIBRARY_PATH, Image, image_of
from .scan import NativeFile, NativeScan

LAYER_ROOT: Final = "/opt/python"
CODE_ROOT: Final = "/var/task"

#: The first glibc that has the marks ``GLIBC_ABI_...``, which are asked for beside numbered versions.
_ABI_MARKS: Final = (2, 36)
_VERSION: Final = re.compile(r"(GLIBC|GLIBCXX|CXXABI|GCC)_(\d+(?:\.\d+)+)")
_MUSL: Final = re.compile(r"libc\.musl-\w+\.so\.1|ld-musl-\w+\.so\.1|libc\.so")
_LIBPYTHON: Final = re.compile(r"libpython\d+\.\d+\w*\.so\.1\.0")
_LIBSTDCXX: Final = "libstdc++.so.6"
_SHOWN: Final = 3
_WAYS_OUT: Final = {"library": " A library can come with another layer, in its folder lib."}

REMEDY: Final = (
    "Lock versions of these packages that have wheels for this runtime and architecture, choose the ones "
    "that their wheels are for, or leave a package out with exclude=."
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What is wrong for sure, as parts of one sentence, and what may be."""

    errors: tuple[str, ...] = ()
    warnings: tuple[BuildWarning, ...] = ()

    def raise_errors(self, target: Target) -> None:
        """Raise :class:`LbdartError` with all errors, when there are any."""
        if self.errors:
            raise LbdartError(f"This does not load on {target}: {'; '.join(self.errors)}.", REMEDY)


@dataclass(frozen=True, slots=True)
class _Problem:
    """What one file is refused for: a kind and a sentence with the place of ``name`` in it as ``{}``.

    Only what is beyond doubt is ``certain``.
    """

    kind: str
    sentence: str
    name: str = ""
    certain: bool = True


def check(packages: Iterable[NativeScan], target: Target, root: str = LAYER_ROOT) -> CheckResult:
    """Judge the compiled files of packages that are unpacked together below ``root`` on the target."""
    kept = [package for package in packages if package.files]
    layout = _Layout(kept, target, root)
    errors: list[str] = []
    warnings: list[BuildWarning] = []
    for package in kept:
        refused, doubted = _Group(), _Group()
        for file in package.files:
            for problem in layout.problems(file, package):
                certain = problem.certain and layout.is_loaded(file, package)
                (refused if certain else doubted).add(problem, file)
        errors += [f"{_named(package)} {said}" for _, said in refused.sentences()]
        warnings += _warnings(package, doubted, target)
    return CheckResult(tuple(errors), tuple(warnings))


class _Group:
    """Problems of a package that are told in one sentence."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}

    def add(self, problem: _Problem, file: NativeFile) -> None:
        names, paths = self._found.setdefault((problem.kind, problem.sentence), ({}, {}))
        names[problem.name] = paths[file.path] = None

    def sentences(self) -> Iterator[tuple[str, str]]:
        """Yield the kind and the sentence, with the files."""
        for (kind, sentence), (names, paths) in self._found.items():
            yield kind, f"{sentence.format(_listed(list(names)))} ({_listed(list(paths))})"


def _warnings(package: NativeScan, doubted: _Group, target: Target) -> Iterator[BuildWarning]:
    """Yield one warning for each kind of doubt about a package."""
    by_kind: dict[str, list[str]] = {}
    for kind, said in doubted.sentences():
        by_kind.setdefault(kind, []).append(f"it {said}")
    for kind, doubts in by_kind.items():
        yield BuildWarning(
            f"lbdart_cdk:{kind}:{package.package}",
            f"{_named(package)} may not work on {target}: {'; '.join(doubts)}.{_WAYS_OUT.get(kind, '')}",
        )


def _named(package: NativeScan) -> str:
    tags = f" (tagged {_listed(package.tags)})" if package.tags else ""
    return f"{package.package} {package.version}".rstrip() + tags


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


class _Layout:
    """Where the files of all packages lie on the target, and what the loader makes of them."""

    def __init__(self, packages: Sequence[NativeScan], target: Target, root: str) -> None:
        self._packages = packages
        self._target = target
        self._root = root
        self._image: Image = image_of(target)
        self._own = (f"cpython-{target.python[0]}{target.python[1]}-{target.machine}-linux-gnu", "abi3", "")
        self._by_path: dict[str, tuple[NativeFile, Elf]] = {}
        self._by_name: dict[str, list[str]] = {}
        for package in packages:
            for file in package.files:
                if file.elf is not None and file.elf.machine == target.machine:
                    path = posixpath.join(root, file.path)
                    self._by_path[path] = (file, file.elf)
                    for name in {posixpath.basename(path), file.elf.soname}:
                        self._by_name.setdefault(name, []).append(path)

    def is_loaded(self, file: NativeFile, package: NativeScan) -> bool:
        """Tell whether the file is surely loaded when its package is used."""
        path = posixpath.join(self._root, file.path)
        return self._is_module(file) or path in self._linked or package.package in self._foreign

    def problems(self, file: NativeFile, package: NativeScan) -> Iterator[_Problem]:
        """Yield what the target's loader would refuse the file for."""
        elf = file.elf
        if elf is not None and elf.machine != self._target.machine:
            yield _Problem("machine", f"is built for {{}} and not for {self._target.machine}", elf.machine)
        elif posixpath.join(self._root, posixpath.dirname(file.path), file.module) in self._not_importable:
            python = self._target.python_version
            yield _Problem("module", f"has modules that CPython {python} cannot import")
        elif elf is None:
            if file.tag in self._own:
                sentence = "has files that cannot be read as ELF files, since {}"
                yield _Problem("unreadable", sentence, file.problem, certain=False)
        else:
            path = posixpath.join(self._root, file.path)
            yield from self._too_new(path, elf)
            for name in elf.needed:
                if name not in self._image.libraries and not self._brought(path, elf, name):
                    yield self._missing(name)

    def _too_new(self, path: str, elf: Elf) -> Iterator[_Problem]:
        """Yield the newest version of each family that is newer than what the runtime has."""
        newest: dict[str, tuple[tuple[int, ...], str]] = {}
        for library, version in elf.versions:
            family, number = _parsed(version)
            own = library == _LIBSTDCXX and self._brought(path, elf, library)
            if family and not own and number > self._image.newest[family]:
                newest[family] = max(newest.get(family, ((), "")), (number, f"{version} of {library}"))
        for family, (_, wanted) in newest.items():
            had = ".".join(map(str, self._image.newest[family]))
            yield _Problem("symbols", f"needs {{}}, and {self._target.runtime} has {family}_{had}", wanted)

    def _missing(self, name: str) -> _Problem:
        if _MUSL.fullmatch(name):
            return _Problem(
                "library", f"is linked with musl ({{}}), and {self._target.runtime} has glibc", name
            )
        if _LIBPYTHON.fullmatch(name):
            return _Problem("library", f"needs {{}}, and {self._target.runtime} has its own", name)
        if name in self._by_name:
            return _Problem("path", "needs {}, which the loader does not look for where it is", name, False)
        return _Problem(
            "library",
            f"needs {{}}, which neither the artifact nor {self._target.runtime} is known to bring",
            name,
            certain=False,
        )

    def _is_module(self, file: NativeFile) -> bool:
        """Tell whether the file is the one that an import loads, or should be."""
        module = posixpath.join(self._root, posixpath.dirname(file.path), file.module)
        return bool(file.module) and (file.tag in self._own or module in self._not_importable)

    def _brought(self, path: str, elf: Elf, name: str) -> str | None:
        """Return where the loader finds a library among the packages' files.

        Beyond a file's own search path, a library is found where any other file looks: search paths are
        inherited (DT_RPATH), and what is loaded already is found by its name.
        """
        if "/" in name:
            return name if name in self._by_path else None
        for folder in (*_folders(path, elf), *LIBRARY_PATH):
            found = posixpath.join(folder, name)
            if found in self._by_path:
                return found
        candidates = self._by_name.get(name, ())
        return next((found for found in candidates if posixpath.dirname(found) in self._searched), None)

    @cached_property
    def _searched(self) -> set[str]:
        """The directories that some file has in its search path."""
        return {folder for path, (_, elf) in self._by_path.items() for folder in _folders(path, elf)}

    @cached_property
    def _not_importable(self) -> set[str]:
        """The modules that are there for other interpreters only, and not in Python either."""
        importable: dict[str, bool] = {}
        for package in self._packages:
            for file in package.files:
                if file.module:
                    module = posixpath.join(self._root, posixpath.dirname(file.path), file.module)
                    here = file.tag in self._own or file.fallback
                    importable[module] = importable.get(module, False) or here
        return {module for module, here in importable.items() if not here}

    @cached_property
    def _linked(self) -> set[str]:
        """What is loaded with an extension module: the libraries it links with, and those they do."""
        waiting = deque(path for path, (file, _) in self._by_path.items() if self._is_module(file))
        loaded = set(waiting)
        while waiting:
            path = waiting.popleft()
            elf = self._by_path[path][1]
            for name in elf.needed:
                found = self._brought(path, elf, name)
                if found is not None and found not in loaded:
                    loaded.add(found)
                    waiting.append(found)
        return loaded

    @cached_property
    def _foreign(self) -> set[str]:
        """The packages that are for one platform by their own tags, and have nothing for the target's."""
        return {
            package.package
            for package in self._packages
            if package.tags
            and not any(tag.endswith("-any") for tag in package.tags)
            and all(file.elf is None or file.elf.machine != self._target.machine for file in package.files)
        }


def _folders(path: str, elf: Elf) -> list[str]:
    origin = posixpath.dirname(path)
    return [
        posixpath.normpath(part.replace("${ORIGIN}", origin).replace("$ORIGIN", origin))
        for part in elf.search
    ]


def _parsed(version: str) -> tuple[str, tuple[int, ...]]:
    """Return family and number of a symbol version; an empty family for one that says nothing."""
    match = _VERSION.fullmatch(version)
    if match is not None:
        return match[1], tuple(int(part) for part in match[2].split("."))
    return ("GLIBC", _ABI_MARKS) if version.startswith("GLIBC_ABI_") else ("", ())
