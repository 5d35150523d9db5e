"""Check that compiled files load on a target: compare what they need with what the target has.

An error is certain: the target's loader refuses an extension module, or a library that a module links with.
A warning is possible: a file that may never be loaded, or a library that the runtime is not known to have.
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
from ..project.target import SUPPORTED_RUNTIMES, Target
from .elf import Elf
from .found import NativeFile, NativeScan
from .image import LIBRARY_PATH, Image, image_of

LAYER_ROOT: Final = "/opt/python"
CODE_ROOT: Final = "/var/task"

#: The first glibc with the symbol versions ``GLIBC_ABI_...``, which files need beside numbered versions.
_ABI_MARKS: Final = (2, 36)
_VERSION: Final = re.compile(r"(GLIBC|GLIBCXX|CXXABI|GCC)_(\d+(?:\.\d+)+)")
_MUSL: Final = re.compile(r"libc\.musl-\w+\.so\.1|ld-musl-\w+\.so\.1|libc\.so")
_LIBPYTHON: Final = re.compile(r"libpython\d+\.\d+\w*\.so\.1\.0")
_LIBSTDCXX: Final = "libstdc++.so.6"
_SHOWN: Final = 3
_HINTS: Final = {"library": " Another layer can bring a missing library in its folder lib."}

REMEDY: Final = (
    "Lock versions of these packages that have wheels for this runtime and architecture, choose a runtime "
    "and architecture that their wheels support, or leave a package out with exclude=."
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The errors and warnings about the compiled files of some packages.

    :param errors: parts of one sentence.
    """

    errors: tuple[str, ...] = ()
    warnings: tuple[BuildWarning, ...] = ()

    def raise_errors(self, target: Target) -> None:
        """Raise all errors as one exception.

        :raises LbdartError: when there are errors.
        """
        if self.errors:
            raise LbdartError(f"This does not load on {target}: {'; '.join(self.errors)}.", REMEDY)


@dataclass(frozen=True, slots=True)
class _Problem:
    """One reason why the target may refuse a file.

    :param kind: groups warnings and is part of their id.
    :param sentence: has ``{}`` where ``name`` goes.
    :param name: the library, symbol version or machine that causes the problem.
    :param certain: whether the loader surely refuses the file.
    """

    kind: str
    sentence: str
    name: str = ""
    certain: bool = True


def check(packages: Iterable[NativeScan], target: Target, root: str = LAYER_ROOT) -> CheckResult:
    """Check the compiled files of packages against the target.

    :param root: the directory on the target that holds all the packages.
    """
    kept = [package for package in packages if package.files]
    layout = _Layout(kept, target, root)
    errors: list[str] = []
    warnings = [unknown_runtime(target)] if kept and not target.is_known else []
    for package in kept:
        certain, possible = _Group(), _Group()
        for file in package.files:
            for problem in layout.problems(file, package):
                is_error = problem.certain and layout.is_loaded(file, package)
                (certain if is_error else possible).add(problem, file)
        errors += [f"{_package_text(package)} {sentence}" for _, sentence in certain.sentences()]
        warnings += _warnings(package, possible, target)
    return CheckResult(tuple(errors), tuple(warnings))


def unknown_runtime(target: Target) -> BuildWarning:
    """Return the warning about a runtime that is newer than this library."""
    return BuildWarning(
        f"lbdart_cdk:runtime:{target.runtime}",
        f"{target.runtime} is newer than this library, which takes it for a runtime like "
        f"{SUPPORTED_RUNTIMES[-1]}: with glibc {target.glibc[0]}.{target.glibc[1]} and the same libraries.",
    )


class _Group:
    """The problems of one package; those with the same sentence become one."""

    def __init__(self) -> None:
        self._problems: dict[tuple[str, str], tuple[dict[str, None], dict[str, None]]] = {}

    def add(self, problem: _Problem, file: NativeFile) -> None:
        names, paths = self._problems.setdefault((problem.kind, problem.sentence), ({}, {}))
        names[problem.name] = paths[file.path] = None

    def sentences(self) -> Iterator[tuple[str, str]]:
        """Yield the kind and the sentence of each problem, with its files."""
        for (kind, sentence), (names, paths) in self._problems.items():
            yield kind, f"{sentence.format(_shortened(list(names)))} ({_shortened(list(paths))})"


def _warnings(package: NativeScan, possible: _Group, target: Target) -> Iterator[BuildWarning]:
    """Yield one warning for each kind of possible problem of a package."""
    by_kind: dict[str, list[str]] = {}
    for kind, sentence in possible.sentences():
        by_kind.setdefault(kind, []).append(f"it {sentence}")
    for kind, sentences in by_kind.items():
        problem = f"{_package_text(package)} may not work on {target}: {'; '.join(sentences)}."
        yield BuildWarning(f"lbdart_cdk:{kind}:{package.package}", problem + _HINTS.get(kind, ""))


def _package_text(package: NativeScan) -> str:
    tags = f" (tagged {_shortened(package.tags)})" if package.tags else ""
    return f"{package.package} {package.version}".rstrip() + tags


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


class _Layout:
    """The paths of all packages' files on the target, and how its loader resolves them."""

    def __init__(self, packages: Sequence[NativeScan], target: Target, root: str) -> None:
        self._packages = packages
        self._target = target
        self._root = root
        self._image: Image = image_of(target)
        self._own_tags = (
            f"cpython-{target.python[0]}{target.python[1]}-{target.machine}-linux-gnu",
            "abi3",
            "",
        )
        self._by_path: dict[str, tuple[NativeFile, Elf]] = {}
        self._by_name: dict[str, list[str]] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        for package in packages:
            for file in package.files:
                if file.elf is not None and file.elf.machine == target.machine:
                    path = posixpath.join(root, file.path)
                    self._by_path[path] = (file, file.elf)
                    for name in {posixpath.basename(path), file.elf.soname}:
                        self._by_name.setdefault(name, []).append(path)

    def is_loaded(self, file: NativeFile, package: NativeScan) -> bool:
        """Tell whether using the package surely loads the file."""
        path = posixpath.join(self._root, file.path)
        return (
            self._is_module(file) or path in self._loaded_paths or package.package in self._foreign_packages
        )

    def problems(self, file: NativeFile, package: NativeScan) -> Iterator[_Problem]:
        """Yield the reasons why the target's loader would refuse the file."""
        elf, path = file.elf, posixpath.join(self._root, file.path)
        if path in self._never_loaded:
            return
        if elf is not None and elf.machine != self._target.machine:
            yield _Problem("machine", f"is built for {{}}, not for {self._target.machine}", elf.machine)
        elif self._module(file) in self._unimportable_modules:
            python = self._target.python_version
            yield _Problem("module", f"has modules that CPython {python} cannot import")
        elif elf is None:
            if file.tag in self._own_tags:
                sentence = "has files that cannot be read as ELF files: {}"
                yield _Problem("unreadable", sentence, file.problem, certain=False)
        else:
            yield from self._too_new(path, elf)
            for name in elf.needed:
                if name not in self._image.libraries and not self._library_path(path, elf, name):
                    yield self._missing(name)

    def _too_new(self, path: str, elf: Elf) -> Iterator[_Problem]:
        """Yield a problem for each family of symbol versions of which the file needs a newer one."""
        newest: dict[str, tuple[tuple[int, ...], str]] = {}
        for library, version in elf.versions:
            family, number = _family_and_number(version)
            own = library == _LIBSTDCXX and self._library_path(path, elf, library)
            if family and not own and number > self._image.newest[family]:
                newest[family] = max(newest.get(family, ((), "")), (number, f"{version} of {library}"))
        for family, (_, needed) in newest.items():
            newest_there = ".".join(map(str, self._image.newest[family]))
            sentence = f"needs {{}}, but {self._target.runtime} has {family}_{newest_there}"
            yield _Problem("symbols", sentence, needed)

    def _missing(self, name: str) -> _Problem:
        if _MUSL.fullmatch(name):
            return _Problem(
                "library", f"is linked with musl ({{}}), but {self._target.runtime} has glibc", name
            )
        if _LIBPYTHON.fullmatch(name):
            return _Problem("library", f"needs {{}}, but {self._target.runtime} has its own", name)
        if name in self._by_name:
            return _Problem(
                "path", "needs {}, which the artifact has outside the loader's search path", name, False
            )
        return _Problem(
            "library",
            f"needs {{}}, which the artifact lacks and {self._target.runtime} probably lacks",
            name,
            certain=False,
        )

    def _is_module(self, file: NativeFile) -> bool:
        """Tell whether an import loads this file, or would if it were for this Python."""
        return bool(file.module) and (
            file.tag in self._own_tags or self._module(file) in self._unimportable_modules
        )

    def _module(self, file: NativeFile) -> str:
        """Return the path by which variants of a module are one module."""
        return posixpath.join(self._root, posixpath.dirname(file.path), file.module)

    def _library_path(self, path: str, elf: Elf, name: str) -> str | None:
        """Return the path at which the loader finds a library among the packages' files.

        The search paths of all other files count too: a file inherits DT_RPATH, and the loader finds an
        already loaded library by its name.
        """
        if (path, name) not in self._found:  # several questions look for the same libraries
            self._found[path, name] = self._find_library(path, elf, name)
        return self._found[path, name]

    def _find_library(self, path: str, elf: Elf, name: str) -> str | None:
        if "/" in name:
            return name if name in self._by_path else None
        for folder in (*_folders(path, elf), *LIBRARY_PATH):
            library = posixpath.join(folder, name)
            if library in self._by_path:
                return library
        candidates = self._by_name.get(name, ())
        return next(
            (library for library in candidates if posixpath.dirname(library) in self._search_paths), None
        )

    @cached_property
    def _search_paths(self) -> set[str]:
        """The directories in the search path of any file."""
        return {folder for path, (_, elf) in self._by_path.items() for folder in _folders(path, elf)}

    @cached_property
    def _unimportable_modules(self) -> set[str]:
        """The modules that exist only for other interpreters, without a fallback in Python."""
        importable: dict[str, bool] = {}
        for package in self._packages:
            for file in package.files:
                if file.module:
                    module = self._module(file)
                    can_import = file.tag in self._own_tags or file.fallback
                    importable[module] = importable.get(module, False) or can_import
        return {module for module, can_import in importable.items() if not can_import}

    @cached_property
    def _loaded_paths(self) -> set[str]:
        """The extension modules and all libraries that loading them loads too."""
        return self._with_libraries(
            path for path, (file, _) in self._by_path.items() if self._is_module(file)
        )

    @cached_property
    def _never_loaded(self) -> set[str]:
        """The variants of modules for other interpreters, and the libraries that only these link with.

        A module without a variant for this interpreter is not among them: importing it is an error.
        """
        foreign = {
            posixpath.join(self._root, file.path)
            for package in self._packages
            for file in package.files
            if file.module and not self._is_module(file)
        }
        linked = self._with_libraries(foreign & self._by_path.keys())
        return foreign | (linked - self._with_libraries(self._by_path.keys() - linked))

    def _with_libraries(self, paths: Iterable[str]) -> set[str]:
        """Return files with all libraries among the packages' files that the loader loads for them."""
        loaded = set(paths)
        waiting = deque(loaded)
        while waiting:
            path = waiting.popleft()
            elf = self._by_path[path][1]
            for name in elf.needed:
                library = self._library_path(path, elf, name)
                if library is not None and library not in loaded:
                    loaded.add(library)
                    waiting.append(library)
        return loaded

    @cached_property
    def _foreign_packages(self) -> set[str]:
        """The packages whose tags name a platform, and that have no file for the target's machine."""
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


def _family_and_number(version: str) -> tuple[str, tuple[int, ...]]:
    """Return the family and number of a symbol version; an empty family when it has no number."""
    match = _VERSION.fullmatch(version)
    if match is not None:
        return match[1], tuple(int(part) for part in match[2].split("."))
    return ("GLIBC", _ABI_MARKS) if version.startswith("GLIBC_ABI_") else ("", ())
