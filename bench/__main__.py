"""``make bench``: prints each figure with its goal. Needs ``zip``, uv and, the first time, the network."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench.handler import measured
from bench.index import collect, serving
from bench.locks import locked_by_each_tool
from bench.measure import ROUNDS, Run, in_rounds, interleave, run
from lbdart_cdk.core.archive.writer import write_zip
from lbdart_cdk.core.packing.interpreter import find_interpreter
from lbdart_cdk.core.packing.merge import Bundle, merge
from lbdart_cdk.core.wheels.contents import wheel_entries

#: The newest releases that still fit together into a Lambda function: 254 MB unpacked, 85 MB zipped.
_PROJECT: Final = """\
[project]
name = "bench"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["numpy==2.5.5", "pandas==3.1.1", "pyarrow==22.0.0"]

[tool.uv]
environments = ["python_version >= '3.13' and sys_platform == 'linux'"]
"""
#: Name -> packages, the statement that imports them, and the packages to keep though Lambda has them.
_IMPORTED: Final = {
    "pandas": (("pandas==3.1.1", "numpy==2.5.5"), "import pandas", ()),
    "fastapi, sqlalchemy, boto3": (
        ("fastapi==0.140.7", "pydantic", "sqlalchemy", "boto3"),
        "import fastapi, pydantic, sqlalchemy.orm, boto3; boto3.session.Session().client",
        ("boto3",),
    ),
}
_SMALL: Final = _PROJECT.replace('"numpy==2.5.5", "pandas==3.1.1", "pyarrow==22.0.0"', '"six==1.17.0"')
_PROJECTS: Final = 8
_RUNTIME: Final = "python3.13"
_PYTHON_DIRECTORIES: Final = (None, *sorted(Path.home().glob(".pyenv/versions/*/bin")))
_PLATFORM: Final = ("--python-platform", "x86_64-manylinux_2_34", "--python-version", "3.13")
_BENCHES: Final = (
    "layer_against_zip",
    "first_build",
    "each_tool",
    "assembly_against_cat",
    "same_bytes",
    "bytecode",
    "unchanged_app",
    "many_artifacts",
    "imports",
    "handler",
)


@dataclass(frozen=True)
class _Built:
    """A layer that a process built.

    :param seconds: wall time.
    :param path: of the zip.
    :param peak: the peak of the process's memory in bytes.
    """

    seconds: float
    path: Path
    peak: int

    @classmethod
    def by(cls, run: Run) -> _Built:
        """Read what ``bench.build_layer`` printed."""
        path, peak = run.output.splitlines()
        return cls(run.seconds, Path(path), int(peak))


class Bench:
    """The measurements, with their projects and their store in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"
        self.project = self._lock_project("project", _PROJECT)
        self.build()

    def build(self, project: Path | None = None, *options: str, python: str = sys.executable) -> _Built:
        """Build the layer from the lock, with all wheels but no finished layer in the store."""
        shutil.rmtree(self.store / "v1" / "archives", ignore_errors=True)
        return _Built.by(
            run(
                [python, "-m", "bench.build_layer", project or self.project, _RUNTIME, *options],
                cwd=Path.cwd(),
                env={"LBDART_CACHE_DIR": str(self.store)},
            )
        )

    def layer_against_zip(self) -> Iterator[str]:
        """Yield the time for a layer, and for installing and zipping the same packages."""
        requirements = self.folder / "requirements.txt"
        run(["uv", "export", "--quiet", "--output-file", requirements, "--no-emit-project"], cwd=self.project)
        peaks = []

        def build_layer() -> float:
            built = self.build()
            peaks.append(built.peak)
            return built.seconds

        def install_and_zip() -> float:
            tree = self.folder / "tree"
            shutil.rmtree(tree, ignore_errors=True)
            install: list[str | Path] = [
                "uv",
                "pip",
                "install",
                "--quiet",
                "--target",
                tree / "python",
                "--requirement",
                requirements,
            ]
            zipped = self.folder / "zipped.zip"
            zipped.unlink(missing_ok=True)
            return (
                run([*install, *_PLATFORM], cwd=self.folder).seconds
                + run(["zip", "-r", "-9", "-q", zipped, "python"], cwd=tree).seconds
            )

        install_and_zip()  # fills uv's cache
        mine, theirs = interleave(build_layer, install_and_zip)
        layer = self.build().path
        size, zip_size = layer.stat().st_size, (self.folder / "zipped.zip").stat().st_size
        yield f"lock to layer.zip                 {mine:6.2f} s   ({size / 1e6:.1f} MB)"
        yield f"uv pip install + zip -r -9        {theirs:6.2f} s   ({zip_size / 1e6:.1f} MB)"
        yield f"  times faster                    {theirs / mine:6.0f}     (goal: at least 60)"
        small = self.build(self._lock_project("small", _SMALL)).peak
        yield f"peak memory                       {max(peaks) / 1e6:6.0f} MB  (goal: under 150)"
        yield f"  with one small wheel            {small / 1e6:6.0f} MB"

    def first_build(self) -> Iterator[str]:
        """Yield the time for a layer with nothing in any cache, and for installing the same packages."""
        project, wheels = self.folder / "first", self.folder / "wheels"
        collect(self.project / "uv.lock", self.store, wheels)
        cold = {"UV_CACHE_DIR": str(self.folder / "uv-cache"), "LBDART_CACHE_DIR": str(self.folder / "cold")}
        project.mkdir()
        # The index has wheels for one Python only.
        (project / "pyproject.toml").write_text(_PROJECT.replace(">=3.11", ">=3.11,<3.14"))
        with serving(wheels) as url:
            env = {**cold, "UV_DEFAULT_INDEX": url}
            requirements = self.folder / "first.txt"
            run(["uv", "lock", "--quiet"], cwd=project, env=env)
            export = ("uv", "export", "--quiet", "--output-file", str(requirements), "--no-emit-project")
            run(export, cwd=project, env=env)
            target = self.folder / "installed"
            install_command = [
                *("uv", "pip", "install", "--quiet", "--target", str(target), "-r", str(requirements)),
                *_PLATFORM,
            ]
            peaks = []

            def from_nothing(command: Sequence[str | Path], cwd: Path) -> Run:
                for folder in (*cold.values(), str(target)):
                    shutil.rmtree(folder, ignore_errors=True)
                os.sync()  # what the last run wrote is not waited for in this one
                return run(command, cwd=cwd, env=env)

            def build_layer() -> float:
                command = [sys.executable, "-m", "bench.build_layer", str(project), _RUNTIME]
                built = _Built.by(from_nothing(command, Path.cwd()))
                peaks.append(built.peak)
                return built.seconds

            def install() -> float:
                return from_nothing(install_command, project).seconds

            theirs, mine, ratio = _compared(install, build_layer)
            yield f"first lock to layer.zip           {mine:6.2f} s   (from an index on this machine)"
            yield f"uv pip install --target           {theirs:6.2f} s   (no zip)"
            yield f"  times                           {ratio:6.2f}     (goal: at most 1.2)"
            yield f"peak memory                       {max(peaks) / 1e6:6.0f} MB"

    def each_tool(self) -> Iterator[str]:
        """Yield the time for a layer with each tool, relative to uv, and the time to read a new lock."""
        projects = locked_by_each_tool(self.folder / "tools", self.project)

        def build(project: Path) -> float:
            return self.build(project).seconds

        def read_and_build(project: Path) -> float:
            for notes in (self.store / "v1").iterdir():
                if notes.name != "wheels":
                    shutil.rmtree(notes)
            return build(project)

        for project in projects.values():
            build(project)
        warm = interleave(*(lambda p=p: build(p) for p in projects.values()))
        fresh = interleave(*(lambda p=p: read_and_build(p) for p in projects.values()))
        yield "lock to layer.zip, all wheels in the store      times uv   reading a new lock"
        for name, mine, first in zip(projects, warm, fresh, strict=True):
            reading = max(first - mine, 0)
            yield f"  {name:<31} {mine:6.2f} s {mine / warm[0]:11.2f}   {reading:+13.2f} s"
        yield "                                                (goal: at most 1.5)"

    def assembly_against_cat(self) -> Iterator[str]:
        """Yield the time to write the zip, and to copy the bytes of the wheels."""
        wheels = sorted((self.store / "v1" / "wheels").rglob("*.whl"))
        wheels = [wheel for wheel in wheels if wheel.stat().st_size > 20_000]
        target = self.folder / "assembled"

        def assemble() -> float:
            started = time.perf_counter()
            bundles = [Bundle(wheel.name, tuple(wheel_entries(wheel))) for wheel in wheels]
            with target.open("wb") as file:
                write_zip(file, merge(bundles, "python/").entries)
            return time.perf_counter() - started

        def concatenate() -> float:
            started = time.perf_counter()
            with target.open("wb") as file:
                subprocess.run(["cat", *wheels], stdout=file, check=True, timeout=60)
            return time.perf_counter() - started

        assemble(), concatenate()
        mine, theirs = interleave(assemble, concatenate)
        yield f"zip assembly                      {mine * 1000:6.0f} ms"
        yield f"cat of the wheels                 {theirs * 1000:6.0f} ms"
        yield f"  times                           {mine / theirs:6.1f}     (goal: at most 4)"

    def same_bytes(self) -> Iterator[str]:
        """Yield whether the zip is the same for another directory, umask and Python version."""
        hashes = {_sha256(self.build().path)}
        other = Path(shutil.copytree(self.project, self.folder / "another directory"))
        variants = ["another directory"]
        before = os.umask(0o077)
        try:
            hashes.add(_sha256(self.build(other).path))
            variants.append("umask 077")
            for python in _other_pythons(self.folder):
                hashes.add(_sha256(self.build(other, python=str(python)).path))
                variants.append(
                    run([python, "-c", "import platform; print(platform.python_version())"], cwd=other).output
                )
        finally:
            os.umask(before)
        same = "yes" if len(hashes) == 1 else "NO"
        yield f"byte-identical                    {same}       ({', '.join(variants)})"

    def bytecode(self) -> Iterator[str]:
        """Yield the CPU of imports and the time for a layer, with and without bytecode."""
        python = find_interpreter((3, 13), self.folder)
        if python is None:
            yield "bytecode                          not measured: this machine has no Python 3.13"
            return
        for number, (name, (packages, statement, keep)) in enumerate(_IMPORTED.items()):
            project = self._lock_project(f"imported{number}", _pyproject(f"imported{number}", packages))
            slow, fast, ratio = _compared(*self._imports(project, python, statement, keep))
            yield f"import {name:<26} {slow:6.2f} s   with bytecode: {fast:.2f} s of CPU"
            yield f"  times                           {ratio:6.2f}     (goal: at most 0.4)"
            builds = (self._timed_build(project, *options, *keep) for options in ((), ("bytecode",)))
            plain, compiled, ratio = _compared(*builds)
            yield f"  its layer, built again          {plain:6.2f} s   with bytecode: {compiled:.2f} s"
            yield f"  times                           {ratio:6.2f}     (goal: 1)"

    def _imports(
        self, project: Path, python: str, statement: str, keep: Sequence[str]
    ) -> tuple[Callable[[], float], Callable[[], float]]:
        """Return what measures the CPU of a statement without bytecode and with it."""

        def imported(folder: Path, *options: str) -> Callable[[], float]:
            tree = _unpacked(self.build(project, *options, *keep).path, folder)
            code = f"import sys; sys.path.insert(0, {str(tree)!r}); {statement}"
            return lambda: run([python, "-I", "-S", "-B", "-c", code], cwd=self.folder).cpu

        return (
            imported(self.folder / f"{project.name}-plain"),
            imported(self.folder / f"{project.name}-compiled", "bytecode"),
        )

    def _timed_build(self, project: Path, *options: str) -> Callable[[], float]:
        return lambda: self.build(project, *options).seconds

    def unchanged_app(self) -> Iterator[str]:
        """Yield the cost of the construct in an app whose layer is already built."""
        zip_path = shutil.copy(self.build().path, self.folder / "layer.zip")

        calls: dict[str, str] = {}

        def synth(kind: str, path: str | Path, **env: str) -> float:
            command: list[str | Path] = [
                sys.executable,
                "-m",
                "bench.app",
                kind,
                self.folder / f"{kind}.out",
                path,
            ]
            ran = run(command, cwd=Path.cwd(), env={"LBDART_CACHE_DIR": str(self.store), **env})
            seconds, calls[kind] = ran.output.split()
            return float(seconds)

        synth("ours", self.project)
        ours, asset, layer, ours_unchecked, asset_unchecked = interleave(
            lambda: synth("ours", self.project),
            lambda: synth("asset", zip_path),
            lambda: synth("layer", zip_path),
            lambda: synth("ours", self.project, CDK_VALIDATION="false"),
            lambda: synth("asset", zip_path, CDK_VALIDATION="false"),
        )
        yield f"app with LambdaLayerArtifact      {ours * 1000:6.0f} ms  (unchanged input)"
        yield f"app with s3_assets.Asset          {asset * 1000:6.0f} ms"
        yield f"app with lambda.LayerVersion      {layer * 1000:6.0f} ms"
        yield f"  more than the asset             {(ours - asset) * 1000:6.0f} ms  (goal: at most 30)"
        more, whole = (ours_unchecked - asset_unchecked) * 1000, ours_unchecked * 1000
        yield f"  without CDK's template checks   {more:6.0f} ms  (the app: {whole:.0f} ms)"
        yield f"  calls into Node                 {calls['ours']:>6}     (the asset: {calls['asset']})"

    def many_artifacts(self) -> Iterator[str]:
        """Yield the cost of an artifact, and of CDK's own constructs, in an unchanged app with many."""
        projects = [
            self._lock_project(f"small{number}", _shared_pyproject(number)) for number in range(_PROJECTS)
        ]
        for project in projects:
            (project / f"{project.name}.py").write_text("")

        kinds = ("ours", "cdk", "plain")
        for number, project in enumerate(projects):
            # Each of CDK's own constructs takes its own zip, of the same size as the layer.
            folder = Path(f"{project}-zips")
            folder.mkdir()
            layer = self.build(project).path
            for name in (f"Code{number}", *(f"Deps{layer_number}" for layer_number in range(40))):
                with zipfile.ZipFile(shutil.copy(layer, folder / f"{name}.zip"), "a") as archive:
                    archive.writestr(name, name)

        def synth(kind: str, share: int) -> float:
            """Synthesise the whole app, or half of its layers, functions and projects."""
            outdir = self.folder / f"{kind}{share}.out"
            command: list[str | Path] = [sys.executable, "-m", "bench.many_app", kind, outdir]
            ran = run(
                [*command, str(40 // share), str(100 // share), *projects[: _PROJECTS // share]],
                cwd=Path.cwd(),
                env={"LBDART_CACHE_DIR": str(self.store)},
            )
            seconds, calls[kind, share] = ran.output.split()
            return float(seconds)

        calls: dict[tuple[str, int], str] = {}
        cases = [(kind, share) for share in (2, 1) for kind in kinds]
        for case in cases:
            synth(*case)
        rounds = in_rounds(*(lambda case=case: synth(*case) for case in cases))
        taken = dict(zip(cases, zip(*rounds, strict=True), strict=True))

        def artifact_cost(kind: str, share: int) -> list[float]:
            """Return the cost of the artifacts of a kind in each round."""
            return [
                mine - plain for mine, plain in zip(taken[kind, share], taken["plain", share], strict=True)
            ]

        for kind, name in (("ours", "40 layers, 8 sources"), ("cdk", "  as CDK's LayerVersion, Code")):
            whole, half = artifact_cost(kind, 1), artifact_cost(kind, 2)
            average = median(whole) / (40 + _PROJECTS) * 1000
            more = median(all_ - some for all_, some in zip(whole, half, strict=True)) / 24 * 1000
            total, part = median(taken[kind, 1]), median(taken[kind, 2])
            yield f"{name:<31} {total:8.2f} s   (half of it: {part:.2f} s)"
            yield f"  an artifact                     {average:6.1f} ms  (one more: {more:.1f} ms)"
            yield f"  calls into Node                 {calls[kind, 1]:>6}"
        yield "                                            (goal: at most 10)"
        total, part = median(taken["plain", 1]), median(taken["plain", 2])
        yield f"  100 functions without         {total:8.2f} s   (50 functions: {part:.2f} s)"

    def imports(self) -> Iterator[str]:
        """Yield the time of the imports."""

        def time_import(statement: str) -> float:
            return run([sys.executable, "-c", statement], cwd=self.folder).seconds

        statements = (
            "import aws_cdk",
            "import aws_cdk, lbdart_cdk",
            "import aws_cdk; from aws_cdk import aws_iam, aws_lambda, aws_logs, aws_s3_assets",
            "import aws_cdk; from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact",
        )
        for statement in statements:
            time_import(statement)
        cdk, ours, modules, names = interleave(*(lambda s=s: time_import(s) for s in statements))
        yield f"import aws_cdk                    {cdk * 1000:6.0f} ms"
        yield f"  and lbdart_cdk                  {(ours - cdk) * 1000:+6.0f} ms  (goal: at most 30)"
        yield f"  and its constructs              {(names - cdk) * 1000:+6.0f} ms"
        yield f"  and the CDK modules they use    {(modules - cdk) * 1000:+6.0f} ms"

    def handler(self) -> Iterator[str]:
        """Yield the calls of the custom resources' handler, and the time of its start."""
        yield from measured()

    def _lock_project(self, name: str, pyproject: str) -> Path:
        project = self.folder / name
        project.mkdir()
        (project / "pyproject.toml").write_text(pyproject)
        run(["uv", "lock", "--quiet"], cwd=project)
        return project


def _pyproject(name: str, packages: Sequence[str]) -> str:
    """Return the ``pyproject.toml`` of a project that needs these packages, for Lambda only."""
    return f"""\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = {json.dumps(packages)}

[tool.uv]
environments = ["python_version == '3.13' and sys_platform == 'linux' and platform_machine == 'x86_64'"]
"""


def _compared(one: Callable[[], float], other: Callable[[], float]) -> tuple[float, float, float]:
    """Return the medians of two measures, and how many times the first the second is in one round."""
    rounds = in_rounds(one, other)
    first, second = (median(values) for values in zip(*rounds, strict=True))
    return first, second, median(after / before for before, after in rounds)


def _unpacked(layer: Path, folder: Path) -> Path:
    """Unpack a layer to a tree that cannot be written; return its directory of packages."""
    with zipfile.ZipFile(layer) as archive:
        archive.extractall(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder / "python"


def _shared_pyproject(number: int) -> str:
    """Return the ``pyproject.toml`` of one of several projects with the same dependencies."""
    return f"""\
[project]
name = "small{number}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["idna", "packaging", "six"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""


def _other_pythons(folder: Path) -> Iterator[Path]:
    """Yield another interpreter, if there is one, in an environment with the core's dependencies."""
    for interpreter in (
        shutil.which(f"python3.{minor}", path=directory)
        for minor in (12, 13, 14)
        for directory in _PYTHON_DIRECTORIES
    ):
        runs = (
            interpreter
            and subprocess.run([interpreter, "--version"], capture_output=True, check=False).returncode == 0
        )
        if interpreter and runs and not interpreter.endswith(f"python3.{sys.version_info.minor}"):
            run(["uv", "venv", "--quiet", "--python", interpreter, folder / "venv"], cwd=folder)
            python = folder / "venv" / "bin" / "python"
            needs = ["boto3", "filelock", "packaging", "platformdirs", "pyelftools", "requests", "uv"]
            run(["uv", "pip", "install", "--quiet", "--python", python, *needs], cwd=folder)
            yield python
            return


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Print all figures."""
    if shutil.which("zip") is None:
        sys.exit("zip is not installed, but the layer is measured against it: run apt-get install zip.")
    print(f"Medians of {ROUNDS} interleaved runs.")
    with tempfile.TemporaryDirectory(prefix="lbdart-bench-") as folder:
        bench = Bench(Path(folder))
        for name in sys.argv[1:] or _BENCHES:
            print()
            for line in getattr(bench, name)():
                print(line, flush=True)


if __name__ == "__main__":
    main()
