"""A commit of a git repository as a tree of files, fetched once by the user's own ``git``.

Sources: *git*, *git-config* and *gitattributes* for the settings, PEP 610 for what a commit pins.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from ..errors import LbdartError
from ..keys import sha256_of
from ..locking.commit import PROTOCOLS, Commit
from ..process import run, said
from ..store.store import Store

_USER: Final = re.compile(r"//[^/@\s]+@")
#: Variables that say where another repository is: a synth may run inside one's hook.
_ELSEWHERE: Final = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
}
#: Nobody is asked anything: not for a password, not whether a host is known.
_QUIETLY: Final = {
    "GIT_ALLOW_PROTOCOL": ":".join((*PROTOCOLS, "http")),
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "force",
}
#: The user's settings may open a repository, but they change no byte of what is in it.
_SETTINGS: Final = ("core.hooksPath=/dev/null", "gc.auto=0", "protocol.version=2", "tar.umask=0022")
_ATTRIBUTES: Final = "* -text -filter -ident -working-tree-encoding -export-ignore -export-subst\n"


def tree_of(commit: Commit, store: Store) -> Path:
    """Return a tar of the commit's files, from the store or fetched into it.

    Raises :class:`LbdartError` when git is not installed, when the repository cannot be read or lacks the
    commit, and when it has submodules.
    """
    path = store.tree(commit.commit)
    noted = store.recall("trees", commit.commit)
    if noted is not None and path.is_file() and sha256_of(path) == noted["sha256"]:
        return path
    with store.scratch() as folder:
        made = _fetched(commit, folder)
        store.note("trees", commit.commit, {"sha256": sha256_of(made)})
        with store.guarded(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            made.replace(path)
    return path


def environment() -> dict[str, str]:
    """Return this process's environment, in which git asks nobody and knows of no repository around it."""
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE} | _QUIETLY


def _fetched(commit: Commit, folder: Path) -> Path:
    repository = folder / "repository"
    kind = "sha1" if len(commit.commit) == 40 else "sha256"
    _must(
        commit, folder, "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(repository)
    )
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info" / "attributes").write_text(_ATTRIBUTES)
    inside = f"--git-dir={repository}"
    options = (inside, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
    if _git(commit, folder, *options, "--depth=1", "--", commit.address, commit.commit).returncode:
        # A server may give only what a branch or a tag leads to.
        _must(
            commit,
            folder,
            *options,
            "--",
            commit.address,
            "+refs/heads/*:refs/heads/*",
            "+refs/tags/*:refs/tags/*",
        )
    if _git(commit, folder, inside, "cat-file", "-e", f"{commit.commit}^{{commit}}").returncode:
        raise LbdartError(
            f"{commit.package} is locked to the commit {commit.commit}, which {commit.address} lacks.",
            "Push the commit there, or lock again.",
        )
    _refuse_submodules(commit, _must(commit, folder, inside, "ls-tree", "-r", commit.commit))
    made = folder / "tree.tar"
    _must(commit, folder, inside, "archive", "--format=tar", f"--output={made}", commit.commit)
    return made


def _refuse_submodules(commit: Commit, listing: str) -> None:
    # They are neither in the tree nor pinned by a lock; without them the package may be half of itself.
    modules = [line.partition("\t")[2] for line in listing.splitlines() if line.startswith("160000 ")]
    if modules:
        raise LbdartError(
            f"{commit.package} comes from {commit.display}, which has submodules ({', '.join(modules[:3])}), "
            "and these are not fetched.",
            "Depend on a released version of it, or leave it out with exclude=.",
        )


def _must(commit: Commit, folder: Path, *arguments: str) -> str:
    result = _git(commit, folder, *arguments)
    if result.returncode:
        # Git may name the address with the user, who may be a token.
        message = _USER.sub("//", said(result)).removeprefix("fatal: ")
        raise LbdartError(
            f"{commit.package} cannot be fetched from {commit.display}: {message}.",
            "Check the address, the network, and that git may read it without asking: by ssh-agent, netrc "
            "or a credential helper.",
        )
    return result.stdout


def _git(commit: Commit, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    executable = shutil.which("git")
    if executable is None:
        raise LbdartError(
            f"git is not installed, and {commit.package} comes from {commit.display}.",
            "Install git, or depend on a released version of the package.",
        )
    variables = environment()
    count = variables.get("GIT_CONFIG_COUNT", "")
    variables |= commit.login(int(count) if count.isdecimal() else 0)
    settings = (part for setting in _SETTINGS for part in ("-c", setting))
    return run([executable, *settings, *arguments], cwd=folder, environment=variables)
