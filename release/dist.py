"""Build the sdist, the wheel and its bill of materials from the last commit: ``python -m release.dist``.

Only what is committed is in them. The same commit gives the same bytes in any directory, for any user: every
time in the files is the commit's (*SOURCE_DATE_EPOCH*, Reproducible Builds), modes and order are the build
backend's, and its version is pinned in ``requirements/dev.txt``. The wheel is built from the sdist.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import sha256_of
from lbdart_cdk.core.process import reason

from . import sbom

REPOSITORY: Final = Path(__file__).parents[1]
_TIMEOUT: Final = 300  # seconds


def git(repository: Path, *arguments: str) -> str:
    """Return what a git command prints.

    :raises LbdartError: when it fails, as it does in an unpacked sdist.
    """
    done = subprocess.run(
        ["git", *arguments], cwd=repository, capture_output=True, text=True, timeout=_TIMEOUT, check=False
    )
    if done.returncode:
        raise LbdartError(
            f"git {arguments[0]} failed in {repository}: {done.stderr.strip()}.",
            "Build a release in a clone of the repository.",
        )
    return done.stdout.strip()


def export(repository: Path, target: Path) -> int:
    """Copy what is committed into an empty directory; return the time of the commit in seconds.

    :raises LbdartError: when tracked files are changed, or when the repository is none.
    """
    changed = git(repository, "status", "--porcelain", "--untracked-files=no")
    if changed:
        raise LbdartError(
            f"{repository} has changes that are not committed: {', '.join(changed.splitlines())}.",
            "Commit them: a release is built from a commit.",
        )
    archive = target.with_name(f"{target.name}.tar")
    git(repository, "archive", "--format=tar", f"--output={archive}", "HEAD")
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    archive.unlink()
    return int(git(repository, "log", "-1", "--format=%ct"))


def build(tree: Path, epoch: int, out: Path) -> tuple[Path, Path]:
    """Build the sdist of a tree, and the wheel of the sdist.

    :param tree: a directory with what is committed, and nothing else.
    :param epoch: the time that the files get.
    :param out: the directory that the two get into.
    :return: the sdist and the wheel.
    :raises LbdartError: when one of them cannot be built.
    """
    with tempfile.TemporaryDirectory() as folder:
        sdist = _built(tree, "sdist", epoch, Path(folder, "sdist"))
        with tarfile.open(sdist) as tar:
            tar.extractall(folder, filter="data")
        unpacked = Path(folder, sdist.name.removesuffix(".tar.gz"))
        wheel = _built(unpacked, "wheel", epoch, Path(folder, "wheel"))
        out.mkdir(parents=True, exist_ok=True)
        return _moved(sdist, out), _moved(wheel, out)


def _built(tree: Path, target: str, epoch: int, out: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)],
        cwd=tree,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if done.returncode:
        raise LbdartError(
            f"The {target} cannot be built: {reason(done.stderr.splitlines())}.",
            "Run hatchling build to see all of it.",
        )
    (made,) = out.iterdir()
    return made


def _moved(file: Path, folder: Path) -> Path:
    target = folder / file.name
    target.write_bytes(file.read_bytes())
    return target


def release(repository: Path, out: Path) -> list[Path]:
    """Build the files of a release.

    :raises LbdartError: when tracked files are changed, or when the repository is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        epoch = export(repository, tree)
        sdist, wheel = build(tree, epoch, out)
        bill = out / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
        bill.write_text(sbom.render(wheel, (tree / "requirements" / "dev.txt").read_text("utf-8")), "utf-8")
    return [sdist, wheel, bill]


def main() -> None:
    """Build into ``dist``, or into the folder that is named, and print the hashes as ``sha256sum`` does."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else REPOSITORY / "dist")
    try:
        made = release(REPOSITORY, out)
    except LbdartError as error:
        sys.exit(f"Error: {error}")
    for file in made:
        print(f"{sha256_of(file)}  {file.name}")


if __name__ == "__main__":
    main()
