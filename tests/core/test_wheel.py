"""What of a wheel belongs into a Lambda zip."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.archive import Entry
from lbdart_cdk.core.build_key import is_bytecode
from lbdart_cdk.core.wheel import installed_name, lasting, version_of, wheel_entries
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
        ("alpha-1.0.data/scripts/alpha", None),
        ("alpha-1.0.data/headers/alpha.h", None),
        ("alpha-1.0.data/purelib", None),
        ("alpha-1.0.dist-info/METADATA", "alpha-1.0.dist-info/METADATA"),
        ("my.data/x.json", "my.data/x.json"),
        ("alpha/__pycache__/x.cpython-313.pyc", None),
        ("alpha-1.0.data/purelib/x.pyc", None),
        ("alpha/x.pyo", None),
        ("alpha/pyc", "alpha/pyc"),
    ],
)
def test_where_a_wheels_file_is_installed(name: str, installed: str | None) -> None:
    assert installed_name(name) == installed


@given(st.text("abc._-/", min_size=1, max_size=30))
def test_no_bytecode_is_installed(name: str) -> None:
    installed = installed_name(name)
    assert installed is None or not is_bytecode(installed)


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


def test_of_a_built_wheel_only_the_code_decides_the_bytes(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, requires=["beta>=2"], extras=["fast"], files={"alpha.py": "x = 1\n" * 99})
    kept = list(lasting(wheel_entries(wheel)))
    assert {entry.method for entry in kept} == {0}
    content = by_name(kept)
    assert sorted(content) == ["alpha-1.0.dist-info/METADATA", "alpha.py"]
    metadata = content["alpha-1.0.dist-info/METADATA"].decode()
    assert metadata.splitlines()[1:] == ["Name: alpha", "Version: 1.0"]


def test_a_readme_or_another_version_of_the_backend_is_no_new_code(tmp_path: Path) -> None:
    other = "Metadata-Version: 2.4\nName: alpha\nVersion: 1.0\nSummary: new\n\nA new README\n"
    before = make_wheel(tmp_path / "before", files={"alpha.py": "x = 1\n"})
    after = make_wheel(tmp_path / "after", files={"alpha.py": "x = 1\n"}, metadata=other)
    old, new = (by_name(list(lasting(wheel_entries(wheel)))) for wheel in (before, after))
    assert new == old


def test_the_version_of_a_wheel_is_told_whatever_its_file_is_called(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "alpha", "1.2.post3").rename(tmp_path / "alpha.whl")
    assert version_of(wheel) == "1.2.post3"
    assert version_of(make_zip(tmp_path / "none.whl", [("alpha.py", "")])) == ""
