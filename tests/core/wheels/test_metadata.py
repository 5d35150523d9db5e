"""What of a wheel belongs in a Lambda zip."""

from __future__ import annotations

import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from lbdart_cdk.core.archive.entry import Entry
from lbdart_cdk.core.wheels.contents import installed_name, wheel_entries
from lbdart_cdk.core.wheels.metadata import dist_info_of
from lbdart_cdk.core.wheels.reproducible import code_of, reproducible
from tests.support.elf import make_elf
from tests.support.wheels import make_wheel, make_zip


def by_name(entries: list[Entry]) -> dict[str, bytes]:
    return {entry.name: entry.read() for entry in entries}


@pytest.mark.parametrize(
    ("name", "installed"),
    [
        ("alpha/x.py", "alpha/x.py"),
        ("alpha-1.0.data/purelib/alpha/x.py", "alpha/x.py"),
        ("alpha-1.0.data/platlib/alpha/_c.so", "alpha/_c.so"),
        ("alpha-1.0.data/data/share/alpha.json", "share/alpha.json"),
        ("alpha-1.0.data/scripts/alpha", "bin/alpha"),
        ("alpha-1.0.data/headers/alpha.h", None),
        ("alpha-1.0.data/purelib", None),
        ("alpha-1.0.dist-info/METADATA", "alpha-1.0.dist-info/METADATA"),
        ("my.data/x.json", "my.data/x.json"),
    ],
)
def test_where_a_wheels_file_is_installed(name: str, installed: str | None) -> None:
    assert installed_name(name) == installed


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("alpha/__pycache__/y.cpython-313.pyc", False),
        ("alpha/y.pyc", False),
        ("alpha-1.0.data/purelib/alpha/y.pyc", False),
        ("alpha/y.pyo", False),
        ("alpha/z.pyo", False),
        ("alpha/x.pyc", True),
        ("alpha-1.0.data/purelib/x.pyc", True),
        ("y.pyc", True),
        ("alpha/pyc", True),
    ],
)
def test_compiled_python_stays_only_where_it_is_the_module(tmp_path: Path, name: str, is_there: bool) -> None:
    wheel = make_wheel(tmp_path, files={"alpha/y.py": "", name: b"compiled"})
    contents = by_name(list(wheel_entries(wheel)))
    assert (b"compiled" in contents.values()) is is_there


#: What pip and uv put into ``bin`` with ``--target``, and what they rewrite for their own interpreter.
PROGRAMS: dict[str, bytes | str] = {
    "elf": make_elf(kind=2),
    "sh": "#!/bin/sh\necho hello\n",
    "node": "#!/usr/bin/env node\n",
    "env": "#!/usr/bin/env python3\n",
    "sub/sh": "#!/bin/sh\n",
    "empty": "",
}
MADE_SCRIPTS: dict[str, bytes | str] = {"py": "#!python\n", "pyw": "#!pythonw\n", "py312": "#!python3.12\n"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_programs_are_where_installers_put_them(tmp_path: Path, method: int) -> None:
    files = {f"alpha-1.0.data/scripts/{name}": content for name, content in (PROGRAMS | MADE_SCRIPTS).items()}
    entries = list(wheel_entries(make_wheel(tmp_path, files=files, method=method)))
    programs = [entry for entry in entries if entry.name.startswith("bin/")]
    assert {entry.name: entry.read() for entry in programs} == {
        f"bin/{name}": content.encode() if isinstance(content, str) else content
        for name, content in PROGRAMS.items()
    }
    assert all(entry.executable for entry in programs)
    assert not any(".data/" in entry.name for entry in entries)


def test_a_wheel_is_laid_out_as_installed(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path,
        files={
            "alpha/__init__.py": "x = 1\n",
            "alpha/tool": "#!/bin/sh\n",
            "alpha-1.0.data/purelib/beta.py": "y = 2\n",
            "alpha-1.0.data/scripts/alpha": "#!python\n",
            "alpha/__pycache__/__init__.cpython-311.pyc": b"\0",
        },
        executable=["alpha/tool"],
    )
    entries = list(wheel_entries(wheel))
    assert sorted(entry.name for entry in entries) == [
        "alpha-1.0.dist-info/METADATA",
        "alpha-1.0.dist-info/RECORD",
        "alpha-1.0.dist-info/WHEEL",
        "alpha/__init__.py",
        "alpha/tool",
        "beta.py",
    ]
    assert [entry.name for entry in entries if entry.executable] == ["alpha/tool"]


DECLARED = """\
Name: alpha
Version: 1.0
Summary: Ünï
  code
Requires-Python: <4,>=3.9
Provides-Extra: Fast_er
Provides-Extra: a
Requires-Dist: PyYAML (>=1,!=3)
Requires-Dist: beta[y,x]; extra == 'Fast_er'
"""
OTHERWISE = """\
Metadata-Version: 2.4
Name: alpha
Version: 1.0
License-Expression: MIT
License-File: LICENSE
Dynamic: summary
Summary: Ünï code
Requires-Dist: beta[x, y] ; extra == "fast-er"
Requires-Dist: pyyaml!=3,>=1
Provides-Extra: a
Provides-Extra: fast-er
Requires-Python: >=3.9, <4

A description, as the backend puts it.
"""


def installed(entries: Iterable[Entry], folder: Path) -> Distribution:
    for entry in entries:
        (folder / entry.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / entry.name).write_bytes(entry.read())
    return Distribution.at(next(folder.glob("*.dist-info")))


def test_a_built_wheel_tells_at_run_time_what_it_is_and_what_it_requires(tmp_path: Path) -> None:
    files = {
        "alpha/__init__.py": "x = 1\n" * 99,
        "alpha-1.0.dist-info/entry_points.txt": "[group]\none = alpha:x\n",
        "alpha-1.0.data/purelib/beta,gamma.py": "y = 2\n",
    }
    kept = list(reproducible(wheel_entries(make_wheel(tmp_path, metadata=DECLARED, files=files))))
    assert {entry.method for entry in kept} == {0}
    found = installed(kept, tmp_path / "python")
    assert (found.version, found.metadata["Summary"]) == ("1.0", "Ünï code")
    assert found.requires == ['beta[x,y]; extra == "fast-er"', "pyyaml!=3,>=1"]
    assert found.metadata.get_all("Provides-Extra") == ["a", "fast-er"]
    assert [point.name for point in found.entry_points] == ["one"]
    assert found.files is not None
    assert sorted(map(str, found.files)) == sorted(entry.name for entry in kept)
    for file in found.files:
        content = file.read_binary()
        assert (
            file.hash is None or file.hash.value == urlsafe_b64encode(sha256(content).digest()).decode()[:-1]
        )
        assert file.size in (len(content), None)
    assert [str(file) for file in found.files if file.hash is None] == ["alpha-1.0.dist-info/RECORD"]


def test_what_another_version_of_its_backend_writes_is_the_same_wheel(tmp_path: Path) -> None:
    one, other = (
        by_name(list(reproducible(wheel_entries(make_wheel(tmp_path / name, metadata=metadata)))))
        for name, metadata in (("one", DECLARED), ("other", OTHERWISE))
    )
    assert one == other


def test_what_is_no_value_of_a_field_is_left_out(tmp_path: Path) -> None:
    metadata = "Name: a\nVersion: 1\nRequires-Dist: b (and c)\nRequires-Python: three\nSummary:\n"
    kept = by_name(list(reproducible(wheel_entries(make_wheel(tmp_path, metadata=metadata)))))
    assert kept["alpha-1.0.dist-info/METADATA"] == b"Metadata-Version: 2.1\nName: a\nVersion: 1\n"


def test_metadata_inside_of_a_package_is_the_packages(tmp_path: Path) -> None:
    files = {"alpha/_vendor/beta-1.dist-info/METADATA": "Name: beta\n", "alpha/x.dist-info/RECORD": ""}
    kept = by_name(list(code_of(reproducible(wheel_entries(make_wheel(tmp_path, files=files))))))
    assert {name: kept[name].decode() for name in files} == files


def test_of_a_projects_own_wheel_only_the_code_decides_the_bytes(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, requires=["beta>=2"], extras=["fast"], files={"alpha.py": "x = 1\n" * 99})
    content = by_name(list(code_of(reproducible(wheel_entries(wheel)))))
    assert sorted(content) == ["alpha-1.0.dist-info/METADATA", "alpha.py"]
    metadata = content["alpha-1.0.dist-info/METADATA"].decode()
    assert metadata.splitlines() == ["Metadata-Version: 1.0", "Name: alpha", "Version: 1.0"]


def test_the_version_of_a_wheel_is_told_whatever_its_file_is_called(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "alpha", "1.2.post3").rename(tmp_path / "alpha.whl")
    assert dist_info_of(wheel).version == "1.2.post3"
    assert dist_info_of(make_zip(tmp_path / "none.whl", [("alpha.py", "")])).version == ""
