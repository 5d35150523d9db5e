"""Source distributions are unpacked where they belong, and nowhere else."""

from __future__ import annotations

import contextlib
import gzip
import io
import stat
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


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(f"evil-1.0/{name}", type=tarfile.SYMTYPE, linkname=target)


def hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(f"evil-1.0/{name}", type=tarfile.LNKTYPE, linkname=f"evil-1.0/{target}")


#: Links as a repository has them: to what comes later, to a folder, to a link, to nothing, in a circle.
LINKS = {
    "README": "docs/README",
    "lib/data": "../shared/data",
    "lib/more": "data",
    "nowhere": "docs/missing",
    "lib/top": "..",
    "one": "other",
    "other": "one",
}
FILES = ("docs/README", "setup.py", "shared/data/a.json", "lib/mod.py")


def links_in(project: Path) -> dict[str, str]:
    found = (path for path in project.rglob("*") if path.is_symlink())
    return {path.relative_to(project).as_posix(): str(path.readlink()) for path in found}


def zipped_links() -> bytes:
    files = [File(f"evil-1.0/{name}".encode()) for name in FILES]
    mode = stat.S_IFLNK | 0o777
    links = [File(f"evil-1.0/{name}".encode(), target.encode(), mode=mode) for name, target in LINKS.items()]
    return raw_zip(*links, *files)


def tarred_links() -> bytes:
    return tarred(
        *(link(name, target) for name, target in LINKS.items()),
        *(member(f"evil-1.0/{name}") for name in FILES),
    )


@pytest.mark.parametrize(
    ("made", "filename"), [(tarred_links, "evil-1.0.tar.gz"), (zipped_links, "evil-1.0.zip")]
)
def test_a_build_sees_the_links_that_it_sees_in_place(
    made: Callable[[], bytes], filename: str, tmp_path: Path
) -> None:
    project = unpack(made(), tmp_path, filename)
    assert project.name == "evil-1.0"
    assert links_in(project) == LINKS
    assert (project / "README").read_bytes() == (project / "lib/more/a.json").read_bytes() == b"x = 1\n"


def test_a_hard_link_is_a_file_and_takes_no_space(tmp_path: Path) -> None:
    copies = [hard_link(f"copy{number}", "setup.py") for number in range(9)]
    project = unpack(tarred(SETUP, *copies, hard_link("again", "copy0")), tmp_path)
    assert len(files_in(project)) == 11
    assert not links_in(project)
    assert {path.stat().st_ino for path in project.iterdir()} == {(project / "setup.py").stat().st_ino}


def test_links_to_folders_of_links_take_no_space(tmp_path: Path) -> None:
    """Each level has two links to the next one, so copies would be 2 ** 40 files."""
    levels = [link(f"{level}/{side}", f"../{level + 1}") for level in range(40) for side in "ab"]
    project = unpack(tarred(*levels, member("evil-1.0/40/x.py")), tmp_path)
    assert (project / "0" / "/".join("ab" * 20) / "x.py").read_bytes() == b"x = 1\n"


def test_the_last_member_of_a_name_wins(tmp_path: Path) -> None:
    members = [link("a", "setup.py"), member("evil-1.0/a"), member("evil-1.0/b"), link("b", "a")]
    project = unpack(tarred(SETUP, *members), tmp_path)
    assert links_in(project) == {"b": "a"}
    assert files_in(project) == dict.fromkeys(("setup.py", "a", "b"), b"x = 1\n")


@pytest.mark.parametrize(
    "members",
    [
        [member("../evil.py")],
        [SETUP, member("evil-1.0/../../evil.py")],
        [SETUP, member("evil-1.0/link", type=tarfile.SYMTYPE, linkname="../../..")],
        [SETUP, member("evil-1.0/link", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
        [SETUP, member("evil-1.0/link", type=tarfile.LNKTYPE, linkname="../../secret")],
        [
            SETUP,
            link("up", "d/e/../.."),
            member("evil-1.0/d/x"),
            link("d/e", ".."),
            link("out", "up/../secret"),
        ],
        [SETUP, link("a", "b/.."), link("b", "c/.."), link("c", ".")],
        [SETUP, link("a", "."), link("b", "a/../../secret")],
        [SETUP, link("a", "b"), member("evil-1.0/b/x"), member("evil-1.0/a/x.py")],
        [SETUP, link("a", "b"), member("evil-1.0/b/x"), link("a/x", "setup.py")],
        [SETUP, link("a", "b"), member("evil-1.0/b/x"), hard_link("y", "a/x")],
        [SETUP, link("a", "b"), member("evil-1.0/b/x"), link("c/../a/x", "setup.py")],
        [SETUP, hard_link("a", "missing")],
        [SETUP, hard_link("a", "b"), member("evil-1.0/b/x")],
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


def test_a_path_that_is_too_long_to_follow_is_refused(tmp_path: Path) -> None:
    """Python's own filter took the end of such a chain for a path inside (CVE-2025-4517)."""
    long = "d" * 247
    deep = [f"{'/'.join([long] * depth)}/{long}" if depth else long for depth in range(15)]
    folders = [member(f"evil-1.0/{path}/x") for path in deep]
    shorter = [link(f"{'/'.join([long] * depth)}/s" if depth else "s", long) for depth in range(15)]
    end = link(f"{'s/' * 15}{'l' * 254}", "../" * 15)
    out = link("out", f"{'s/' * 15}{'l' * 254}/../secret")
    with pytest.raises(LbdartError, match="not a usable source distribution"):
        unpack(tarred(SETUP, *folders, *shorter, end, out), tmp_path)


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
    outside = File(b"evil-1.0/a", b"../../secret", mode=stat.S_IFLNK | 0o777)
    endless = File(b"evil-1.0/a", b"a" * 5000, mode=stat.S_IFLNK | 0o777)
    for file in (File(b"../evil.py"), File(b"evil-1.0/a.py", crc=1), outside, endless):
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
