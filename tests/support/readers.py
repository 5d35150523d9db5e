"""Every reader of zips there is on this machine: what we write must be sound for all of them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest

from .projects import files_in

INFO_ZIP = shutil.which("unzip")
JAR = shutil.which("jar")

needs_info_zip = pytest.mark.skipif(INFO_ZIP is None, reason="Info-ZIP's unzip is not installed")
needs_jar = pytest.mark.skipif(JAR is None, reason="Java's jar is not installed")


def with_zipfile(path: Path) -> dict[str, bytes]:
    """Return the files of a zip as Python reads them."""
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def refused_by_info_zip(path: Path) -> str:
    """Return what ``unzip -t`` says when it does not find a zip sound, or nothing."""
    assert INFO_ZIP is not None
    tested = subprocess.run([INFO_ZIP, "-tqq", path], capture_output=True, timeout=60, check=False)
    # An archive without files is no error of ours.
    empty = b"zipfile is empty" in tested.stdout + tested.stderr
    return "" if not tested.returncode or empty else str(tested)


def with_jar(path: Path) -> dict[str, bytes]:
    """Return the files of a zip as Java lists and unpacks them."""
    with tempfile.TemporaryDirectory() as folder:
        _jar("xf", path, folder)
        found = files_in(Path(folder))
    assert sorted(listed_by_jar(path)) == sorted(found)
    return found


def listed_by_jar(path: Path) -> list[str]:
    return _jar("tf", path, str(path.parent)).splitlines()


def _jar(what: str, path: Path, folder: str) -> str:
    environment = {"LC_ALL": "C.UTF-8", "JAVA_TOOL_OPTIONS": "-Dsun.jnu.encoding=UTF-8"}
    ran = subprocess.run(
        [str(JAR), what, path], cwd=folder, env=environment, capture_output=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.decode()


def read_by_all(path: Path) -> dict[str, bytes]:
    """Return a zip's files as Python reads them, when Info-ZIP finds it sound as well.

    Java takes half a second to start, so it is asked once for many: :func:`with_jar`.
    """
    if INFO_ZIP is not None:
        assert not refused_by_info_zip(path)
    return with_zipfile(path)
