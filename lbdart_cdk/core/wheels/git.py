"""Check out a git commit as installers do: with its submodules, and with history where a build asks for it.

The user's own ``git`` fetches it. Sources: *git*, *git-config*, *gitattributes* and *git-submodule* for the
settings, PEP 610 for what a commit pins.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from ..errors import LbdartError
from ..locking.commit import PROTOCOLS, Commit
from ..process import run, said
from ..project import git
from ..project.backend import Backend
from ..project.project import named_path

_USER: Final = re.compile(r"//[^/@\s]+@")
#: Variables that stop every prompt, for a password or for an unknown host.
NO_PROMPTS: Final = {
    "GIT_ALLOW_PROTOCOL": ":".join((*PROTOCOLS, "http")),
    "GIT_TERMINAL_PROMPT": "0",
    "GCM_INTERACTIVE": "never",
    "SSH_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "force",
}
#: Settings of ours: the user's settings may give access to a repository, but must not change its files.
_SETTINGS: Final = (
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
    "core.eol=lf",
    "core.fsmonitor=false",
    "advice.detachedHead=false",
    "gc.auto=0",
    "protocol.version=2",
    # Large files (LFS) stay pointers, as with uv.
    "filter.lfs.smudge=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
)
_ATTRIBUTES: Final = "* -filter\n"
_FETCHED: Final = "refs/lbdart/commit"


def checkout(commit: Commit, subdirectory: str, folder: Path) -> Path:
    """Check out a commit into ``folder``, which does not exist yet; return it.

    :param subdirectory: the directory of the project in the repository. The checkout has the history and the
        tags up to the commit if the build of that project may ask git.
    :raises LbdartError: when git is not installed, when the repository or a submodule cannot be read or lacks
        the commit, and when a link leads out of the repository.
    """
    folder.mkdir(parents=True)
    kind = "sha1" if len(commit.commit) == 40 else "sha256"
    _git_output(commit, folder, "init", "--quiet", "--template=", f"--object-format={kind}")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text(_ATTRIBUTES, "utf-8", newline="\n")
    # Submodules may have addresses that are relative to this one.
    _git_output(commit, folder, "remote", "add", "origin", commit.address)
    fetch = ("fetch", "--quiet", "--no-recurse-submodules", "origin")
    refspec = f"+{commit.commit}:{_FETCHED}"
    is_whole = bool(_git(commit, folder, *fetch, "--depth=1", "--no-tags", refspec).returncode)
    if is_whole:
        # Some servers only serve commits that a branch or a tag leads to.
        _git_output(commit, folder, *fetch, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    if _git(commit, folder, "cat-file", "-e", f"{commit.commit}^{{commit}}").returncode:
        raise LbdartError(
            f"{commit.package} is locked to the commit {commit.commit}, but {commit.address} lacks it.",
            "Push the commit there, or lock again.",
        )
    _git_output(commit, folder, "checkout", "--quiet", "--detach", commit.commit)
    project = named_path(folder, subdirectory)
    if not is_whole and project is not None and project.is_dir() and Backend(project).asks_git:
        # A refspec with a destination also brings the tags of the commits.
        _git_output(commit, folder, *fetch, "--unshallow", refspec)
    if (folder / ".gitmodules").is_file():
        _git_output(commit, folder, "submodule", "--quiet", "update", "--init", "--recursive", "--checkout")
    _refuse_links_out_of(folder, commit)
    return folder


def _refuse_links_out_of(folder: Path, commit: Commit) -> None:
    top = folder.resolve()
    for parent, directories, files in os.walk(folder):
        for name in (*directories, *files):
            path = Path(parent, name)
            if path.is_symlink() and not _leads_into(path, top):
                raise LbdartError(
                    f"{commit.package} comes from {commit.display}, where {path.relative_to(folder)} is a "
                    "link out of the repository.",
                    "Depend on a released version of it, or leave it out with exclude=.",
                )


def _leads_into(link: Path, top: Path) -> bool:
    try:
        return link.resolve().is_relative_to(top)
    except (OSError, RuntimeError):  # a link that leads to itself
        return True


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
    """Run git in the checkout; a submodule comes from this machine only if the repository does."""
    executable = shutil.which("git")
    if executable is None:
        raise LbdartError(
            f"git is not installed, and {commit.package} comes from {commit.display}.",
            "Install git, or depend on a released version of the package.",
        )
    variables = git.environment() | NO_PROMPTS
    variables |= {"GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_LFS_SKIP_SMUDGE": "1"}
    if "submodule" in arguments and not commit.address.startswith("file:"):
        variables["GIT_ALLOW_PROTOCOL"] = ":".join((*(name for name in PROTOCOLS if name != "file"), "http"))
    count = variables.get("GIT_CONFIG_COUNT", "")
    variables |= commit.login(int(count) if count.isdecimal() else 0)
    settings = (part for setting in _SETTINGS for part in ("-c", setting))
    return run([executable, *settings, *arguments], cwd=folder, environment=variables)
