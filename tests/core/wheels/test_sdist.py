"""Source distributions are unpacked where they belong, and nowhere else."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.wheels import sdist
from lbdart_cdk.core.wheels.sdist import unpack_sdist
from tests.support.projects import files_in
from tests.support.raw_zip import File, raw_zip

Change = Callable[[tarfile.TarInfo], None]


def member(name: str, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    content = b"x = 1\n" if "type" not in fields else b""
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tarred(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def unpack(content: bytes, tmp_path: Path, filename: str = "evil-1.0.tar.gz") -> Path:
    (tmp_path / "sdist").write_bytes(content)
    return unpack_sdist(tmp_path / "sdist", filename, tmp_path / "unpacked" / "here")


SETUP = member("evil-1.0/setup.py")


def test_files_and_links_inside_become_files(tmp_path: Path) -> None:
    links = [
        member("evil-1.0/README", type=tarfile.SYMTYPE, linkname="setup.py"),
        member("evil-1.0/COPY", type=tarfile.LNKTYPE, linkname="evil-1.0/setup.py"),
        member("evil-1.0/DANGLING", type=tarfile.SYMTYPE, linkname="nowhere"),
    ]
    project = unpack(tarred(SETUP, *links), tmp_path)
    assert project.name == "evil-1.0"
    assert files_in(project) == dict.fromkeys(("setup.py", "README", "COPY"), b"x = 1\n")
    assert not any(path.is_symlink() for path in project.iterdir())


@pytest.mark.parametrize(
    "members",
    [
        [member("../evil.py")],
        [SETUP, member("evil-1.0/../../evil.py")],
        [SETUP, member("evil-1.0/link", type=tarfile.SYMTYPE, linkname="../../..")],
        [SETUP, member("evil-1.0/link", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
        [SETUP, member("evil-1.0/link", type=tarfile.LNKTYPE, linkname="../../secret")],
        [SETUP, member("evil-1.0/device", type=tarfile.CHRTYPE)],
        [SETUP, member("evil-1.0/pipe", type=tarfile.FIFOTYPE)],
        [SETUP, member("other-1.0/setup.py")],
        [member("evil-1.0")],
        [],
    ],
)
def test_what_leaves_the_folder_or_is_no_file_is_refused(
    members: list[tuple[tarfile.TarInfo, bytes]], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(LbdartError, match=r"evil-1\.0\.tar\.gz is not a usable source distribution"):
        unpack(tarred(*members), tmp_path)
    outside = {name for name in files_in(tmp_path) if not name.startswith("unpacked/here/")}
    assert outside == {"sdist", "secret"}


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A link to a folder, then a file below the link: the way out that filters have missed."""
    link = member("evil-1.0/a", type=tarfile.SYMTYPE, linkname="b")
    folder = member("evil-1.0/b", type=tarfile.DIRTYPE)
    project = unpack(tarred(SETUP, folder, link, member("evil-1.0/a/x.py")), tmp_path)
    assert set(files_in(project)) == {"setup.py", "a/x.py"}


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdist, "_MAX_UNPACKED", 1 << 20)
    info = tarfile.TarInfo("evil-1.0/zeros")
    info.size = 1 << 30
    bomb = gzip.compress(info.tobuf() + bytes(1 << 24))
    with pytest.raises(LbdartError, match="more than a gibibyte"):
        unpack(bomb, tmp_path)
    zipped = raw_zip(File(b"evil-1.0/zeros", bytes(1 << 21)))
    with pytest.raises(LbdartError, match="more than a gibibyte"):
        unpack(zipped, tmp_path, "evil-1.0.zip")


def test_a_zip_is_judged_as_a_wheel_is(tmp_path: Path) -> None:
    project = unpack(raw_zip(File(b"evil-1.0/setup.py")), tmp_path, "evil-1.0.zip")
    assert files_in(project) == {"setup.py": b"x = 1\n"}
    for file in (File(b"../evil.py"), File(b"evil-1.0/a.py", crc=1)):
        with pytest.raises(LbdartError, match=r"evil-1\.0\.zip is not a usable"):
            unpack(raw_zip(file), tmp_path, "evil-1.0.zip")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=st.lists(st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=8)), max_size=4))
def test_any_damage_is_refused_or_does_no_harm(damage: list[tuple[int, bytes]], tmp_path: Path) -> None:
    buffer = bytearray(gzip.decompress(tarred(SETUP, member("evil-1.0/" + "long" * 60 + ".py"))))
    for place, value in damage:
        buffer[place : place + len(value)] = value
    before = {name for name in files_in(tmp_path) if not name.startswith("unpacked/")}
    with contextlib.suppress(LbdartError):
        unpack(gzip.compress(bytes(buffer), 1), tmp_path)
    after = {name for name in files_in(tmp_path) if not name.startswith("unpacked/")}
    assert after <= before | {"sdist"}
