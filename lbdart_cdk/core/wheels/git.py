"""Fetch the files of a git commit, once per commit, with the user's own ``git``.

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
#: Variables that point git to another repository; they are set when synth runs inside a git hook.
_REPOSITORY_VARIABLES: Final = {
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
#: Variables that stop every prompt, for a password or for an unknown host.
_NO_PROMPTS: Final = {
    "GIT_ALLOW_PROTOCOL": ":".join((*PROTOCOLS, "http")),
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "force",
}
#: Settings of ours: the user's settings may give access to a repository, but must not change its files.
_SETTINGS: Final = ("core.hooksPath=/dev/null", "gc.auto=0", "protocol.version=2", "tar.umask=0022")
_ATTRIBUTES: Final = "* -text -filter -ident -working-tree-encoding -export-ignore -export-subst\n"


def tree_of(commit: Commit, store: Store) -> Path:
    """Return the path of a tar of the commit's files in the store; fetch the commit if it is not there.

    :raises LbdartError: when git is not installed, when the repository cannot be read or lacks the commit,
        and when it has submodules.
    """
    path = store.tree(commit.commit)
    note = store.recall("trees", commit.commit)
    if note is not None and path.is_file() and sha256_of(path) == note["sha256"]:
        return path
    with store.scratch() as folder:
        tar = _fetch_tar(commit, folder)
        store.note("trees", commit.commit, {"sha256": sha256_of(tar)})
        with store.guarded(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            tar.replace(path)
    return path


def environment() -> dict[str, str]:
    """Return this process's environment, changed so that git never prompts and uses no other repository."""
    return {
        name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES
    } | _NO_PROMPTS


def _fetch_tar(commit: Commit, folder: Path) -> Path:
    repository = folder / "repository"
    kind = "sha1" if len(commit.commit) == 40 else "sha256"
    _git_output(
        commit, folder, "init", "--quiet", "--bare", "--template=", f"--object-format={kind}", str(repository)
    )
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info" / "attributes").write_text(_ATTRIBUTES)
    git_dir = f"--git-dir={repository}"
    options = (git_dir, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules")
    if _git(commit, folder, *options, "--depth=1", "--", commit.address, commit.commit).returncode:
        # Some servers only serve commits that a branch or a tag leads to.
        _git_output(
            commit,
            folder,
            *options,
            "--",
            commit.address,
            "+refs/heads/*:refs/heads/*",
            "+refs/tags/*:refs/tags/*",
        )
    if _git(commit, folder, git_dir, "cat-file", "-e", f"{commit.commit}^{{commit}}").returncode:
        raise LbdartError(
            f"{commit.package} is locked to the commit {commit.commit}, but {commit.address} lacks it.",
            "Push the commit there, or lock again.",
        )
    _refuse_submodules(commit, _git_output(commit, folder, git_dir, "ls-tree", "-r", commit.commit))
    tar = folder / "tree.tar"
    _git_output(commit, folder, git_dir, "archive", "--format=tar", f"--output={tar}", commit.commit)
    return tar


def _refuse_submodules(commit: Commit, listing: str) -> None:
    # Submodules are neither in the tree nor in the lock; without them the package may be incomplete.
    modules = [line.partition("\t")[2] for line in listing.splitlines() if line.startswith("160000 ")]
    if modules:
        raise LbdartError(
            f"{commit.package} comes from {commit.display}, which has submodules ({', '.join(modules[:3])}); "
            "submodules are not supported.",
            "Depend on a released version of it, or leave it out with exclude=.",
        )


def _git_output(commit: Commit, folder: Path, *arguments: str) -> str:
    result = _git(commit, folder, *arguments)
    if result.returncode:
        # Git may print the URL with the user name, which may be a token.
        message = _USER.sub("//", said(result)).removeprefix("fatal: ")
        raise LbdartError(
            f"{commit.package} cannot be fetched from {commit.display}: {message}.",
            "Check the address and the network, and let git log in without a prompt: by ssh-agent, netrc "
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
