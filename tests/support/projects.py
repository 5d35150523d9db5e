"""Projects as users have them: a pyproject.toml, some code, a lock that uv made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lbdart_cdk.core.store.cache_tag import CACHE_TAG
from lbdart_cdk.core.store.store import Store

from .index import Index

#: A PEP 517 backend inside of the project, so that nothing is downloaded to build with.
BACKEND = """
import pathlib, tomllib, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
    tag = pathlib.Path("tag.txt").read_text() if pathlib.Path("tag.txt").exists() else "py3-none-any"
    stem = f"{project['name']}-{project['version']}"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, f"{stem}-{tag}.whl"), "w") as wheel:
        for path in sorted(pathlib.Path("src").rglob("*.py")):
            wheel.write(path, path.relative_to("src").as_posix())
        wheel.writestr(f"{stem}.dist-info/METADATA",
            f"Metadata-Version: 2.1\\nName: {project['name']}\\nVersion: {project['version']}\\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\\nGenerator: backend\\nTag: {tag}\\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    pathlib.Path("left-behind.txt").write_text("a backend may leave files in the tree it builds in")
    return f"{stem}-{tag}.whl"
"""


@dataclass(frozen=True)
class Workbench:
    """A locked project to copy, and the index it was locked against."""

    index: Index
    template: Path

    def copy(self, to: Path) -> Path:
        return Path(shutil.copytree(self.template, to))


def make_project(
    root: Path,
    name: str = "orders",
    version: str = "1.2.0",
    *,
    requires_python: str | None = ">=3.11",
    dependencies: Iterable[str] = (),
    extras: Mapping[str, list[str]] | None = None,
    groups: Mapping[str, list[str]] | None = None,
    built: bool = True,
    tail: str = "",
) -> Path:
    """Write a project with one package of its own; ``built`` gives it a build system."""
    package = root / "src" / name.replace("-", "_")
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "app.py").write_text("def handler(event, context):\n    return 42\n")
    lines = ["[project]", f'name = "{name}"', f'version = "{version}"']
    if requires_python is not None:
        lines.append(f'requires-python = "{requires_python}"')
    lines.append(f"dependencies = {json.dumps(list(dependencies))}")
    lines += ["[project.optional-dependencies]"] + [
        f"{extra} = {json.dumps(needed)}" for extra, needed in (extras or {}).items()
    ]
    lines += ["[dependency-groups]"] + [
        f"{group} = {json.dumps(needed)}" for group, needed in (groups or {}).items()
    ]
    if built:
        lines += ["[build-system]", "requires = []", 'build-backend = "backend"', 'backend-path = ["."]']
        (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text("\n".join(lines) + "\n" + tail)
    return root


def leave_extras_to_backend(root: Path) -> Path:
    """Let the build backend of a project without extras say which it has, so that uv has to ask it."""
    pyproject, backend = root / "pyproject.toml", root / "backend.py"
    table, dynamic = "[project.optional-dependencies]", 'dynamic = ["optional-dependencies"]'
    pyproject.write_text(pyproject.read_text().replace(table, dynamic))
    version = "Version: {project['version']}\\n\""
    requires = """ + "".join(f"Requires-Dist: {one}\\n" for one in project["dependencies"])"""
    backend.write_text(
        backend.read_text().replace(version, version + requires) + "\nbuild_editable = build_wheel\n"
    )
    return root


def make_sdist(folder: Path, name: str, version: str = "1.0", *, tag: str = "py3-none-any") -> Path:
    """Write a source distribution; ``tag`` is that of the wheel which it builds to."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name}-{version}"
    with tempfile.TemporaryDirectory() as scratch:
        root = make_project(Path(scratch, stem), name, version)
        (root / "tag.txt").write_text(tag)
        (root / "PKG-INFO").write_text(f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n")
        made = shutil.make_archive(str(folder / stem), "gztar", scratch, stem)
    return Path(made)


def uv_lock(root: Path) -> Path:
    """Lock a project with uv, from the index that its pyproject.toml names."""
    from uv import find_uv_bin

    result = subprocess.run(
        [find_uv_bin(), "lock"], cwd=root, env=os.environ, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return root / "uv.lock"


def run_uv(root: Path, *arguments: str) -> None:
    """Run uv in a project."""
    from uv import find_uv_bin

    subprocess.run([find_uv_bin(), *arguments], cwd=root, check=True, capture_output=True)


def index_table(url: str) -> str:
    """Return the part of a pyproject.toml that turns every index off but this one."""
    return f'[[tool.uv.index]]\nname = "tests"\nurl = "{url}/simple/"\ndefault = true\n'


def kept_in(store: Store) -> set[str]:
    """Return the names of all files in a store, without its log and the file that says that it is a cache."""
    log = store.uses.folder.relative_to(store.root).as_posix()
    return {name for name in files_in(store.root) if not name.startswith(f"{log}/")} - {CACHE_TAG}


def files_in(root: Path) -> dict[str, bytes]:
    """Return all files below a directory: what a test compares before and after."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
