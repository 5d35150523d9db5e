"""Compare the layers of popular packages with what uv installs: ``python -m tests.registry.matrix``.

``packages.txt`` lists the packages, and ``pins.txt`` the version of everything that they require. A cell of
the matrix is one package, with all it requires, for one Python on one CPU. uv makes a universal lock for each
package, this library makes a layer from that lock, and ``uv pip install --target`` installs the same lock for
the same platform. The two must have the same files with the same bytes, but for :data:`RULES`.

Each wheel is downloaded once: uv gets the files that the layer was made from, and the URLs of all others, and
chooses by itself.

The pins are the newest versions that have wheels for both CPUs: for glibc 2.17 up to Python 3.11, and for
2.28 from 3.12 on. To renew them, resolve ``packages.txt`` for each of these with
``uv pip compile --only-binary``, and then for all with ``uv pip compile --universal --python-version 3.10``,
constrained by the results.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import time
import tomllib
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import tomli_w
from packaging.utils import canonicalize_name, parse_wheel_filename

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.errors import LbdartError, in_one_line
from lbdart_cdk.core.locking.default_list import DEFAULT_EXCLUDE
from lbdart_cdk.core.locking.lock import without_dates
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.project import Project
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from lbdart_cdk.tools.pip.lock import _GLIBC_OF_UV
from lbdart_cdk.tools.pylock import TOOL

HERE: Final = Path(__file__).parent
PACKAGES: Final = tuple((HERE / "packages.txt").read_text().split())
PINS: Final = HERE / "pins.txt"
TARGETS: Final = tuple(
    Target((3, minor), architecture) for minor in range(10, 15) for architecture in ("x86_64", "arm64")
)

#: Why a file may be in one of the two only, or differ: the name of a rule, and the paths that it is about.
RULES: Final = {
    "records of an installer": (
        r"\.lock|[^/]+\.dist-info/(INSTALLER|RECORD|REQUESTED|direct_url\.json|uv_\w+\.json)"
    ),
    "bytecode": r"(.*/)?__pycache__/.*",
    "C headers": r"include/.*",
}
#: Three more rules, which need more than a path.
_SCRIPT: Final = "scripts that name an interpreter"
_LEFT_OUT: Final = "packages of the default list"
_BUILT: Final = "metadata of what is built"

#: The settings of uv and of its network, as they were when Python started: tests run without them.
_SETTINGS: Final = {name: value for name, value in os.environ.items() if not name.startswith("UV_PYTHON")}
_OFFLINE: Final = ("Failed to fetch", "error sending request", "dns error", "Connection", "timed out")


class UnreachableError(Exception):
    """The index cannot be reached."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of one package for one target.

    :param refusals: why this library and uv refuse to install it; empty when both install it.
    :param differing: the paths that differ, each after what is different.
    :param rules: the number of files that are not compared, for each rule.
    """

    package: str
    target: Target
    refusals: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    rules: Counter[str] = field(default_factory=Counter)

    @property
    def is_equal(self) -> bool:
        """Whether both have the same files, or both refuse."""
        return not self.differing and len(self.refusals) != 1

    def __str__(self) -> str:
        target = f"{self.target.python_version} {self.target.architecture}"
        return "\n    ".join([f"{self.package}, {target}:", *self.refusals, *self.differing[:10]])


@dataclass(frozen=True)
class Matrix:
    """The matrix in a folder, which keeps what is downloaded for the next run."""

    folder: Path

    @cached_property
    def _store(self) -> Store:
        return Store(self.folder / "store")

    def cells(self, package: str, targets: Iterable[Target] = TARGETS) -> Iterator[Cell]:
        """Compare a package for each target.

        :raises UnreachableError: when the index cannot be reached.
        """
        name = re.sub(r"\W+", "-", package).strip("-")
        lock = self.folder / "locks" / name / "pylock.toml"
        lock.parent.mkdir(parents=True, exist_ok=True)
        (lock.parent / "requirements.in").write_text(f"{package}\n")
        said = self._uv(
            *("compile", "--quiet", "--universal", "--python-version=3.10", "--no-header"),
            *("--format=pylock.toml", f"--constraint={PINS}", f"--output-file={lock}"),
            lock.parent / "requirements.in",
        )
        assert said is None, said
        for target in targets:
            yield self._cell(package, lock, target)

    def _cell(self, package: str, lock: Path, target: Target) -> Cell:
        project = Project(lock.parent, lock)
        layer = LayerArtifact(project, TOOL, target, Options(), (), self._store)
        refusals = []
        with contextlib.redirect_stderr(io.StringIO()):  # the warnings about what a runtime lacks
            try:
                layer.build()
            except LbdartError as error:
                refusals.append(f"this library: {in_one_line(error)}")
        content = without_dates(tomllib.loads(lock.read_text()))
        with self._store.scratch() as folder:
            installed = folder / "python"
            if (said := self._install(content, layer, folder, installed)) is not None:
                refusals.append(f"uv: {in_one_line(said)}")
            if refusals:
                return Cell(package, target, tuple(refusals))
            with zipfile.ZipFile(layer.build()) as archive:
                comparison = Comparison(archive, installed, _built(content))
                differing = tuple(comparison.differing())
        layer.build().unlink()  # a thousand of them would fill a disk
        return Cell(package, target, differing=differing, rules=comparison.rules)

    def _install(self, content: dict[str, Any], layer: LayerArtifact, folder: Path, to: Path) -> str | None:
        """Let uv install a lock for the target; return what it says when it refuses.

        uv knows only some versions of glibc. It is told the next one, and the lock that it gets has no wheels
        that need a newer one than the target's.
        """
        target = layer.target
        for package in content["packages"]:
            wheels = package.get("wheels", [])
            wheels = [wheel for wheel in wheels if not _needs_newer_glibc(_filename(wheel), target)]
            package["wheels"] = [self._on_disk(wheel) for wheel in wheels]
        lock = folder / "pylock.toml"
        lock.write_text(tomli_w.dumps(content))
        glibc = min(glibc for glibc in _GLIBC_OF_UV if glibc >= target.glibc)
        built = _built(content)
        only_wheels = [f"--only-binary={package['name']}" for package in content["packages"]]
        return self._uv(
            *("install", "--quiet", f"--target={to}", f"--python={sys.executable}"),
            f"--python-version={target.environment()['python_full_version']}",
            f"--python-platform={target.machine}-manylinux_{glibc[0]}_{glibc[1]}",
            *(option for option in only_wheels if option.partition("=")[2] not in built),
            f"--requirement={lock}",
        )

    def _on_disk(self, wheel: dict[str, Any]) -> dict[str, Any]:
        """Return a wheel's table in a lock, with the path of its file if the layer was made from it."""
        stored = self._store.wheel(wheel["hashes"]["sha256"])
        if not stored.exists():
            return wheel
        named = self.folder / "wheels" / _filename(wheel)
        named.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            named.hardlink_to(stored)
        return {"name": named.name, "path": str(named), "hashes": wheel["hashes"]}

    def _uv(self, command: str, *arguments: str | Path) -> str | None:
        """Run uv; return what it says when it fails."""
        ended = subprocess.run(
            ["uv", "pip", command, *arguments],
            env=_SETTINGS | {"UV_CACHE_DIR": str(self.folder / "uv-cache"), "UV_PYTHON_DOWNLOADS": "never"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if ended.returncode and any(sign in ended.stderr for sign in _OFFLINE):
            raise UnreachableError(in_one_line(ended.stderr))
        return ended.stderr if ended.returncode else None


def _filename(wheel: dict[str, Any]) -> str:
    return str(wheel.get("name") or wheel["url"].rpartition("/")[2])


def _needs_newer_glibc(wheel: str, target: Target) -> bool:
    """Tell whether each platform of a wheel has a newer glibc than the target."""
    platforms = {tag.platform for tag in parse_wheel_filename(wheel)[-1]}
    found = [re.match(r"manylinux_(\d+)_(\d+)_", platform) for platform in platforms]
    return all(match is not None and (int(match[1]), int(match[2])) > target.glibc for match in found)


def _built(content: dict[str, Any]) -> set[str]:
    """Return the names of the packages of a lock that have no wheel at all."""
    return {package["name"] for package in content["packages"] if not package.get("wheels")}


class Comparison:
    """A layer's zip beside a directory that uv installed into.

    :param built: the names of packages that are built from their sources.
    """

    def __init__(self, archive: zipfile.ZipFile, installed: Path, built: Collection[str]) -> None:
        self.rules: Counter[str] = Counter()
        self._archive = archive
        self._installed = installed
        self._built = built
        self._ours = {info.filename.removeprefix("python/"): info for info in archive.infolist()}
        files = (path for path in installed.rglob("*") if not path.is_dir())
        self._theirs = {path.relative_to(installed).as_posix(): path for path in files}
        self._left_out = set(self._files_left_out())

    def differing(self) -> Iterator[str]:
        """Yield each path that differs and is not covered by a rule, after what is different."""
        for path in sorted(self._ours.keys() | self._theirs.keys()):
            difference = self._difference(path)
            if difference is None:
                continue
            if (rule := self._rule(path)) is not None:
                self.rules[rule] += 1
            else:
                yield f"{difference}: {path}"

    def _difference(self, path: str) -> str | None:
        if path not in self._theirs:
            return "only in the layer"
        if path not in self._ours:
            return "not in the layer"
        info, file = self._ours[path], self._theirs[path]
        if self._archive.read(info) != file.read_bytes():
            return "other bytes in the layer"
        is_executable = bool(info.external_attr >> 16 & 0o100)
        return None if is_executable == os.access(file, os.X_OK) else "other mode in the layer"

    def _rule(self, path: str) -> str | None:
        for name, pattern in RULES.items():
            if re.fullmatch(pattern, path):
                return name
        if path in self._left_out:
            return _LEFT_OUT
        script = self._theirs.get(path) if path.startswith("bin/") and path not in self._ours else None
        if script is not None and script.read_bytes().startswith(b"#!"):
            return _SCRIPT
        folder, _, _ = path.partition("/")
        return _BUILT if folder.endswith(".dist-info") and _package_of(folder) in self._built else None

    def _files_left_out(self) -> Iterator[str]:
        """Yield the files of the packages on the default list that the layer has nothing of."""
        in_layer = {path.partition("/")[0] for path in self._ours}
        for record in self._installed.glob("*.dist-info/RECORD"):
            folder = record.parent.name
            if folder not in in_layer and _package_of(folder) in DEFAULT_EXCLUDE:
                yield from (line.rsplit(",", 2)[0].strip('"') for line in record.read_text().splitlines())


def _package_of(dist_info: str) -> str:
    return canonicalize_name(dist_info.removesuffix(".dist-info").rpartition("-")[0])


def _cells(folder: Path, package: str, targets: Collection[Target]) -> list[Cell]:
    return list(Matrix(folder).cells(package, targets))


def compare(
    folder: Path,
    packages: Iterable[str],
    targets: Collection[Target] = TARGETS,
    show: Callable[[str], object] = print,
    seconds: float = float("inf"),
) -> list[Cell]:
    """Compare the packages in two processes, as far as the time allows; show each one that is done."""
    end = time.monotonic() + seconds
    cells: list[Cell] = []
    with ProcessPoolExecutor(2) as pool:
        pending = {package: pool.submit(_cells, folder, package, targets) for package in packages}
        for package, future in pending.items():
            if time.monotonic() > end:
                pool.shutdown(cancel_futures=True)
                break
            done = future.result()
            cells += done
            show(f"{package:34}{sum(cell.is_equal for cell in done):3} of {len(done)}")
    return cells


def table(cells: Collection[Cell]) -> str:
    """Return the number of cells for each target, by what came of them, and of files for each rule."""
    lines = [f"{'target':24}{'same files':>12}{'both refuse':>12}{'different':>12}"]
    for target in dict.fromkeys(cell.target for cell in cells):
        found = [cell for cell in cells if cell.target == target]
        refused = sum(cell.is_equal and bool(cell.refusals) for cell in found)
        different = sum(not cell.is_equal for cell in found)
        name = f"{target.runtime} {target.architecture}"
        lines.append(f"{name:24}{len(found) - refused - different:12}{refused:12}{different:12}")
    lines += ["", f"{'files that a rule excuses':36}"]
    lines += [f"  {rule:34}{count:12,}" for rule, count in sorted(_total(cells).items())]
    equal = sum(cell.is_equal for cell in cells)
    return "\n".join([*lines, "", f"{equal:,} of {len(cells):,} cells equal"])


def _total(cells: Iterable[Cell]) -> Counter[str]:
    total: Counter[str] = Counter()
    for cell in cells:
        total += cell.rules
    return total


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", default=PACKAGES)
    parser.add_argument("--count", type=int, default=len(PACKAGES), help="of the packages, from the first")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no package after them")
    parser.add_argument("--folder", type=Path, default=Path("build/registry"), help="keeps the downloads")
    arguments = parser.parse_args()
    folder = arguments.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        cells = compare(folder, arguments.packages[: arguments.count], seconds=arguments.seconds)
    except UnreachableError as error:
        raise SystemExit(f"The index cannot be reached: {error}.") from error
    print(*(cell for cell in cells if not cell.is_equal or cell.refusals), "", table(cells), sep="\n")
    raise SystemExit(not all(cell.is_equal for cell in cells))


if __name__ == "__main__":
    main()
