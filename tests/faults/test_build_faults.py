"""Killed, starved, damaged, in company: the next build is right, and nobody waits for the dead."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import shutil
import subprocess
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lbdart_cdk.core.errors import LbdartError
from tests.support.index import Index
from tests.support.wheels import sha256

from .build import kill_builds
from .work import Job, finished, scene, start


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    (tmp_path / "index").mkdir()
    with Index(tmp_path / "index") as index:
        yield scene(tmp_path, index)


@pytest.fixture
def expected(job: Job, tmp_path: Path) -> str:
    """The hash of the zip that an undisturbed build makes, elsewhere."""
    return sha256(Job(job.root, job.packages, tmp_path / "undisturbed").build())


def limit_files_to(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_builds_that_are_killed_at_random_moments(tmp_path: Path) -> None:
    report = kill_builds(tmp_path, rounds=15, seed=1)
    assert (report.rounds, report.wrong, report.damaged, report.left_at_end) == (15, 0, 0, 0)


def entries_hash(layer: Path) -> str:
    """Return the hash of a layer's zip without its comment, which names its build key."""
    with zipfile.ZipFile(layer) as archive:
        comment = archive.comment
    return hashlib.sha256(layer.read_bytes().removesuffix(comment)).hexdigest()


def test_eight_processes_build_the_same_key_at_once(job: Job, expected: str) -> None:
    processes = [start(job) for _ in range(8)]
    assert [finished(process, job) for process in processes] == [""] * 8
    assert sha256(job.build()) == expected
    assert list((job.cache / "tmp").iterdir()) == []


def test_eight_processes_build_different_keys_at_once(job: Job, expected: str) -> None:
    jobs = [Job(job.root, job.packages, job.cache, variant) for variant in range(8)]
    processes = [start(job) for job in jobs]
    assert [finished(process, job) for process, job in zip(processes, jobs, strict=True)] == [""] * 8
    assert {entries_hash(job.build()) for job in jobs} == {entries_hash(jobs[0].build())}
    assert sha256(jobs[0].build()) == expected
    assert len({job.artifact().build_key for job in jobs}) == 8


@pytest.mark.parametrize("size", [10_000, 2_000_000, 5_000_000])
def test_a_file_that_grows_no_further(job: Job, expected: str, size: int) -> None:
    """As a quota has it; each limit ends the build elsewhere."""
    said = finished(start(job, partial(limit_files_to, size)), job)
    assert said.startswith(f"LbdartError: The cache directory {job.cache} cannot be written")
    assert list((job.cache / "tmp").iterdir()) == []
    assert sha256(job.build()) == expected


@contextlib.contextmanager
def mounted(place: Path, options: str) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", place]
    if os.geteuid() or subprocess.run(command, capture_output=True, timeout=30, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], timeout=30, check=True)


@pytest.mark.parametrize("megabytes", [1, 4, 6, 8])
def test_a_full_disk(job: Job, expected: str, megabytes: int) -> None:
    with mounted(job.cache, f"size={megabytes}m"):
        said = finished(start(job), job)
        assert "No space left on device" in said
        assert said.startswith(f"LbdartError: The cache directory {job.cache} cannot be written")
        assert list((job.cache / "tmp").iterdir()) == []
        subprocess.run(["mount", "-o", "remount,size=64m", job.cache], timeout=30, check=True)
        assert sha256(job.build()) == expected


def test_a_disk_that_dead_processes_filled(job: Job, expected: str) -> None:
    with mounted(job.cache, "size=14m"):
        left = job.cache / "tmp" / "of-a-dead-process"
        left.mkdir(parents=True)
        (left / "half.zip").write_bytes(bytes(10_000_000))
        os.utime(left, (0, 0))
        assert sha256(job.build()) == expected


def test_a_read_only_cache_serves_what_it_has(job: Job, expected: str) -> None:
    with mounted(job.cache, "size=64m"):
        job.build()
        subprocess.run(["mount", "-o", "remount,ro", job.cache], timeout=30, check=True)
        assert sha256(job.build()) == expected
        with pytest.raises(LbdartError, match="Read-only file system"):
            Job(job.root, job.packages, job.cache, variant=1).build()


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "altered": lambda path: path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes())),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("kind", ["wheels", "archives"])
def test_every_file_of_the_store_is_damaged(job: Job, expected: str, kind: str, damage: str) -> None:
    job.build()
    for path in (job.cache / "v1" / kind).rglob("*.*"):
        DAMAGES[damage](path)
    assert sha256(job.build()) == expected
    shutil.rmtree(job.cache / "v1" / "archives")
    assert sha256(job.build()) == expected


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\0" * 70, b"[" * 100_000])
def test_every_note_of_the_store_is_garbage(job: Job, expected: str, content: bytes) -> None:
    job.build()
    for path in (job.cache / "v1").rglob("*.json"):
        path.write_bytes(content)
    assert sha256(job.build()) == expected


@pytest.mark.parametrize("days", [-10_000, 400])
def test_the_clock_is_set_back_or_on(job: Job, expected: str, days: int) -> None:
    job.build()
    then = time.time() + days * 24 * 3600
    for path in job.cache.rglob("*"):
        os.utime(path, (then, then))
    assert sha256(job.build()) == expected
    other = Job(job.root, job.packages, job.cache, variant=1).build()
    assert entries_hash(other) == entries_hash(job.build())


def test_the_cache_is_deleted_while_others_build(job: Job, expected: str) -> None:
    """Whoever it happens to says so or builds on; what is finished is right."""
    for number in range(5):
        process = start(job)
        time.sleep(0.02 * number)
        shutil.rmtree(job.cache, ignore_errors=True)
        said = finished(process, job)
        assert not said or "were deleted while a build used them" in said
    assert sha256(job.build()) == expected


def test_the_cache_is_a_file(job: Job) -> None:
    job.cache.write_text("not a folder")
    with pytest.raises(LbdartError, match="cannot be written"):
        job.build()
    assert job.cache.read_text() == "not a folder"
