"""Every mistake that synth can see: one sentence of what is wrong, one of what to do, nothing left behind."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from tomli_w import dumps

from lbdart_cdk import ArtifactPublisher, LambdaLayerArtifact, LambdaSourceArtifact
from lbdart_cdk.core.credentials.value import Credentials
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.packing import merge
from lbdart_cdk.core.store.store import CACHE_VARIABLE
from lbdart_cdk.core.wheels.build_image import BuildContainer
from tests.support import pdm
from tests.support.apps import make_app, staged_layer
from tests.support.docker import FakeDocker
from tests.support.elf import AARCH64, make_elf
from tests.support.index import cut_off, status, wrong_bytes
from tests.support.locks import lock_of, locked, locked_file
from tests.support.poetry import package, poetry_lock
from tests.support.projects import Workbench, files_in, index_table, make_project, make_sdist, uv_lock
from tests.support.raw_zip import File, raw_zip
from tests.support.wheels import make_wheel

Construct = type[LambdaLayerArtifact] | type[LambdaSourceArtifact]
BOTH: tuple[Construct, ...] = (LambdaLayerArtifact, LambdaSourceArtifact)
LAYER: tuple[Construct, ...] = (LambdaLayerArtifact,)
SOURCE: tuple[Construct, ...] = (LambdaSourceArtifact,)

ALPHA = "alpha-1.0-py3-none-any.whl"


@dataclass
class Scene:
    """A project that can be built; ``props`` are what its construct gets beside it."""

    root: Path
    workbench: Workbench
    patch: pytest.MonkeyPatch
    props: dict[str, Any] = field(default_factory=dict)

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        path = self.root / name
        path.write_text(change(path.read_text()))

    def fault(self, *faults: Any) -> None:
        self.workbench.index.faults[ALPHA] = list(faults)


@dataclass(frozen=True)
class Mistake:
    """What the user did, with which constructs it shows, and what they are told."""

    name: str
    constructs: tuple[Construct, ...]
    made: Callable[[Scene], object]
    problem: str
    remedy: str


def props(**given: Any) -> Callable[[Scene], object]:
    return lambda scene: scene.props.update(given)


def all_of(*mistakes: Callable[[Scene], object]) -> Callable[[Scene], object]:
    return lambda scene: [made(scene) for made in mistakes]


def credentials_of(given: Callable[[], Credentials | list[Credentials]]) -> Callable[[Scene], object]:
    return props(credentials=given)


def team(
    url: str = "https://host.invalid/simple", name: str = "team", password: Any = "hunter2"
) -> Credentials:
    return Credentials(name, url, "ci", password)


def rename_lock(name: str) -> Callable[[Scene], object]:
    return lambda scene: (scene.root / "uv.lock").rename(scene.root / name)


def lock_nothing(scene: Scene) -> None:
    rename_lock("pylock.toml")(scene)
    scene.edit("pylock.toml", lambda _: 'lock-version = "1.0"\ncreated-by = "tests"\npackages = []\n')


def require(*lines: str) -> Callable[[Scene], None]:
    def made(scene: Scene) -> None:
        index = f"--index-url {scene.workbench.index.url}/simple/"
        (scene.root / "uv.lock").unlink()
        (scene.root / "requirements.txt").write_text("\n".join([index, *lines]))

    return made


def lock_with_poetry(version: str = "2.1") -> Callable[[Scene], None]:
    def made(scene: Scene) -> None:
        (scene.root / "uv.lock").unlink()
        scene.patch.setenv("PIP_INDEX_URL", f"{scene.workbench.index.url}/simple/")
        poetry_lock(scene.root, package(scene.workbench.index.folder / ALPHA), version=version)

    return made


def require_wheels_that_clash(scene: Scene) -> None:
    """Two packages with a module in common, as opencv-python and its headless build have."""
    for name in ("vision", "vision-headless"):
        make_wheel(scene.workbench.index.folder, name, files={"vision.py": name})
    require("vision", "vision-headless")(scene)


def require_damaged(scene: Scene) -> None:
    wheel = scene.workbench.index.folder / "damaged-1.0-py3-none-any.whl"
    metadata = b"Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n"
    wheel.write_bytes(
        raw_zip(File(b"damaged.py", b"x = 1", crc=1), File(b"damaged-1.0.dist-info/METADATA", metadata))
    )
    require("damaged")(scene)


def lock_with_pdm(table: str | None = None, **options: Any) -> Callable[[Scene], None]:
    def made(scene: Scene) -> None:
        (scene.root / "uv.lock").unlink()
        scene.patch.setenv("PIP_INDEX_URL", f"{scene.workbench.index.url}/simple/")
        alpha = pdm.package(scene.workbench.index.folder / ALPHA)
        pdm.pdm_lock(scene.root, alpha if table is None else table, **options)

    return made


def require_commit(vcs: str) -> Callable[[Scene], None]:
    """Lock ``alpha`` to a repository, in the standard's format."""

    def made(scene: Scene) -> None:
        rename_lock("pylock.toml")(scene)
        table = locked("alpha", source=f"vcs = {{ {vcs} }}\n")
        (scene.root / "pylock.toml").write_text(f'lock-version = "1.0"\ncreated-by = "tests"\n{table}')

    return made


def refuse_writing(scene: Scene, code: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    scene.patch.setattr(Path, "mkdir", refuse)


def cache_is_a_file(scene: Scene) -> None:
    (scene.root / "file").write_text("")
    scene.patch.setenv(CACHE_VARIABLE, str(scene.root / "file"))


def require_only_for_another_machine(scene: Scene) -> None:
    make_wheel(scene.workbench.index.folder, "foreign", tag="cp311-cp311-manylinux_2_28_x86_64")
    scene.edit("pyproject.toml", lambda text: text.replace('"native"', '"foreign"', 1))
    uv_lock(scene.root)


def require_compiled(**elf: Any) -> Callable[[Scene], None]:
    def made(scene: Scene) -> None:
        files = {"liar/_c.abi3.so": make_elf(module="_c", **elf)}
        folder = scene.root / "wheels"
        wheel = make_wheel(folder, "liar", tag="cp311-abi3-manylinux_2_17_x86_64", files=files)
        rename_lock("pylock.toml")(scene)
        scene.edit("pylock.toml", lambda _: dumps(lock_of(locked_file(wheel)).content))

    return made


def require_what_compiles(scene: Scene) -> None:
    make_sdist(scene.workbench.index.folder, "compiled", tag="cp311-cp311-linux_x86_64")
    scene.edit("pyproject.toml", lambda text: text.replace('"native"', '"compiled"', 1))
    uv_lock(scene.root)


def docker_says(text: str, code: int) -> Callable[[Scene], object]:
    def made(scene: Scene) -> None:
        docker = FakeDocker(scene.root.parent / "bin", scene.patch)
        docker.answers(run=f"echo '{text}' >&2; exit {code}")

    return made


def include_compiled(scene: Scene) -> None:
    (scene.root / "_c.so").write_bytes(make_elf(machine=AARCH64, module="_c"))


def require_nothing(scene: Scene) -> None:
    scene.edit("pyproject.toml", lambda text: text.replace('["alpha", "native"]', "[]", 1))
    uv_lock(scene.root)


MISTAKES = [
    Mistake(
        "the directory does not exist", BOTH, props(project="nowhere"),
        r"There is no project at .*/nowhere\.", r"Pass the path of the project's directory or manifest",
    ),
    Mistake(
        "no manifest", BOTH, lambda scene: (scene.root / "uv.lock").unlink(),
        r"There is no .*uv\.lock in .*/orders\.", r"Lock the project with its tool",
    ),
    Mistake(
        "manifest of another tool", BOTH, all_of(props(tool="uv"), rename_lock("pylock.toml")),
        r"There is no uv\.lock in .*/orders, only pylock\.toml\.", r"Lock the project with uv, or pass ",
    ),
    Mistake(
        "two manifests", BOTH, lambda scene: (scene.root / "pylock.toml").write_text(""),
        r".*/orders has more than one manifest: pylock\.toml and uv\.lock\.",
        r"Pass the tool that locks the project: tool='pylock' or tool='uv'\.",
    ),
    Mistake(
        "a file that is no manifest", BOTH,
        lambda scene: scene.props.update(project=str(scene.root / "pyproject.toml"), tool="uv"),
        r".*/pyproject\.toml is not a manifest of uv\.", r"Pass uv\.lock, or the project's directory",
    ),
    Mistake(
        "unknown tool", BOTH, props(tool="conda"), r"There is no tool 'conda'\.", r"Choose one of .*uv",
    ),
    Mistake(
        "stale lock", LAYER,
        lambda scene: scene.edit("pyproject.toml", lambda text: text.replace('"native"', '"beta"', 1)),
        r".*/uv\.lock does not match .*/pyproject\.toml\.", r"Run `uv lock` and commit the result\.",
    ),
    Mistake(
        "a manifest that is not TOML", LAYER, lambda scene: scene.edit("uv.lock", lambda _: "= 1"),
        r".*/uv\.lock is not TOML: .*line 1", r"Correct the file, or create it again\.",
    ),
    Mistake(
        "a pyproject.toml that is not TOML", BOTH,
        lambda scene: scene.edit("pyproject.toml", lambda _: "= 1"),
        r".*/pyproject\.toml is not TOML: .*line 1", r"Correct the file",
    ),
    Mistake(
        "unknown extra", LAYER, props(extras=["slow"]),
        r"The project orders in .* does not have the extra or group: .*slow", r"Its extras are: fast",
    ),
    Mistake(
        "unknown group", LAYER, props(groups=["nops"]),
        r"The project orders in .* does not have the extra or group: .*nops", r".*its groups are: ops\.",
    ),
    Mistake(
        "a pylock.toml that is no lock", LAYER, rename_lock("pylock.toml"),
        r".*/pylock\.toml is not a valid lock: .*lock-version", r"Make it again with the tool",
    ),
    Mistake(
        "a pylock.toml that is not TOML", LAYER,
        all_of(rename_lock("pylock.toml"), lambda scene: scene.edit("pylock.toml", lambda _: "= 1")),
        r".*/pylock\.toml is not TOML: .*line 1", r"Correct the file, or create it again\.",
    ),
    Mistake(
        "an extra that a pylock.toml lacks", LAYER, all_of(props(extras=["fast"]), lock_nothing),
        r".*/pylock\.toml has no extras named fast\.", r"Its extras are: none\.",
    ),
    Mistake(
        "an empty pylock.toml", LAYER, lock_nothing,
        r"The layer of orders would be empty", r"Add a dependency",
    ),
    Mistake(
        "requirements that cannot be met", LAYER, require("alpha==9"),
        r"uv cannot lock .*/requirements\.txt for python3\.11 on x86_64 .*: .*no version of alpha==9",
        r"Run `uv pip compile requirements\.txt` there",
    ),
    Mistake(
        "requirements that include what is not there", LAYER, require("-c limits.txt"),
        r".*/requirements\.txt includes .*/limits\.txt, which cannot be read: No such file",
        r"Correct the path",
    ),
    Mistake(
        "requirements with a hash that no file has", LAYER,
        require(f"alpha==1.0 --hash=sha256:{'0' * 64}"),
        r"No file of alpha 1\.0 matches a hash in .*/requirements\.txt\.", r"Find out why",
    ),
    Mistake(
        "a group of requirements", LAYER, all_of(props(groups=["ops"]), require("alpha")),
        r".*/requirements\.txt has no groups named ops\.", r"Its groups are: none\.",
    ),
    Mistake(
        "requirements that trust any host", LAYER, require("--trusted-host host.invalid", "alpha"),
        r".*/requirements\.txt has --trusted-host, and this library downloads only from verified hosts",
        r"Remove the option, and set SSL_",
    ),
    Mistake(
        "requirements that lack a required hash", LAYER, require("--require-hashes", "alpha"),
        r".*/requirements\.txt requires hashes, and has none for alpha, urllib3\.",
        r"Write your requirements into a file requirements\.in, and run `uv pip compile",
    ),
    Mistake(
        "requirements from a repository that is not there", LAYER,
        require("alpha @ git+file:///nowhere/alpha"),
        r"uv cannot lock .*/requirements\.txt for .*alpha", r"Run `uv pip compile requirements\.txt` there",
    ),
    Mistake(
        "a repository of another kind than git", LAYER,
        require_commit(f'type = "hg", url = "https://host.invalid/alpha", commit-id = "{"a" * 40}"'),
        r"alpha comes from a repository of type hg, and only git is supported\.",
        r"Depend on a released version",
    ),
    Mistake(
        "a repository at an address that runs a command", LAYER,
        require_commit(f'type = "git", url = "ext::touch mark", commit-id = "{"a" * 40}"'),
        r"alpha comes from 'ext::touch mark@a+', an address that is not safe to fetch with git\.",
        r"Use an address with one of the protocols https, ssh, file, git, and lock again\.",
    ),
    Mistake(
        "a branch in place of a commit", LAYER,
        require_commit('type = "git", url = "https://host.invalid/alpha", commit-id = "main"'),
        r"The lock names 'main' for alpha, which is not the hash of a git commit\.",
        r"Make the lock again with the tool",
    ),
    Mistake(
        "a repository that is not there", LAYER,
        require_commit(f'type = "git", url = "file:///nowhere/alpha", commit-id = "{"a" * 40}"'),
        r"alpha cannot be fetched from file:///nowhere/alpha@a+: .*nowhere/alpha",
        r"Check the address and the network, and let git log in without a prompt",
    ),
    Mistake(
        "a stale lock of pdm", LAYER,
        all_of(lock_with_pdm(), lambda scene: scene.edit("pyproject.toml", lambda text: text.replace(
            '"native"', '"beta"', 1))),
        r".*/pdm\.lock does not match .*/pyproject\.toml\.", r"Run `pdm lock` and commit the result\.",
    ),
    Mistake(
        "a lock of a later PDM", LAYER, lock_with_pdm(version="5.0"),
        r".*/pdm\.lock has the format 5\.0, and this library reads only format 4",
        r"Update lbdart_cdk, or lock with PDM 2\.",
    ),
    Mistake(
        "a lock of pdm without groups", LAYER, lock_with_pdm(strategy=()),
        r".*/pdm\.lock does not have the groups of each package\.",
        r"Run `pdm lock --strategy inherit_metadata` and commit",
    ),
    Mistake(
        "a pdm.lock that is none", LAYER, rename_lock("pdm.lock"),
        r".*/pdm\.lock is not a lock of PDM: ", r"Run `pdm lock` and commit the result\.",
    ),
    Mistake(
        "a group that a pdm.lock lacks", LAYER, all_of(props(groups=["nops"]), lock_with_pdm()),
        r".*/pdm\.lock has no groups named nops\.", r"Its groups are: default, ops\.",
    ),
    Mistake(
        "an editable repository of pdm", LAYER,
        lock_with_pdm(pdm.source_package("alpha", 'editable = true\ngit = "https://host.invalid/alpha"')),
        r"alpha is locked as an editable repository, for which PDM stores no commit\.",
        r"Depend on it without -e",
    ),
    Mistake(
        "a stale lock of poetry", LAYER,
        all_of(lock_with_poetry(), lambda scene: scene.edit("pyproject.toml", lambda text: text.replace(
            '"native"', '"beta"', 1))),
        r".*/poetry\.lock does not match .*/pyproject\.toml\.", r"Run `poetry lock` and commit the result\.",
    ),
    Mistake(
        "a lock of Poetry 1", LAYER, lock_with_poetry("2.0"),
        r".*/poetry\.lock was written by Poetry 1", r"Run `poetry lock` with Poetry 2 and commit",
    ),
    Mistake(
        "a poetry.lock that is none", LAYER, rename_lock("poetry.lock"),
        r".*/poetry\.lock is not a lock of Poetry: ", r"Run `poetry lock` and commit the result\.",
    ),
    Mistake(
        "a group that a poetry.lock lacks", LAYER, all_of(props(groups=["nops"]), lock_with_poetry()),
        r".*/poetry\.lock has no groups named nops\.", r"Its groups are: main, ops\.",
    ),
    Mistake(
        "an index that is not there", LAYER,
        all_of(
            lock_with_poetry(), lambda scene: scene.patch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
        ),
        r"The request for alpha to the index at 127\.0\.0\.1 failed: ConnectionError\.",
        r"Check the index's URL",
    ),
    Mistake(
        "a download without a password", LAYER, lambda scene: scene.fault(status(401)),
        r"127\.0\.0\.1 refused alpha-1\.0-py3-none-any\.whl: 401 Unauthorized\.",
        r"Pass a user and a password: with netrc",
    ),
    Mistake(
        "a download with a wrong password", LAYER,
        all_of(lambda scene: scene.fault(status(401)), lambda scene: scene.props.update(
            credentials=Credentials("tests", f"{scene.workbench.index.url}/simple/", "ci", "wrong"))),
        r"127\.0\.0\.1 refused alpha-1\.0-py3-none-any\.whl: 401 Unauthorized\.",
        r"Check the user and the password, and that",
    ),
    Mistake(
        "a password in a manifest", LAYER, require("--extra-index-url https://ci:hunter2@host.invalid/simple"),
        r".*/requirements\.txt contains a password for host\.invalid, and is published",
        r"Remove the password from the URL, and keep it in netrc",
    ),
    Mistake(
        "an environment variable that is not set", LAYER, credentials_of(lambda: team(password=None)),
        r"The password for the index 'team' is missing\.", r"Check the environment variable or the secret",
    ),
    Mistake(
        "a password over http", LAYER, credentials_of(lambda: team("http://host.invalid/simple")),
        r"The password for the index 'team' would go over http", r"Use the index's https URL\.",
    ),
    Mistake(
        "indexes that the tools cannot tell apart", LAYER,
        credentials_of(lambda: [team(name="my-team"), team(name="my.team", password="other")]),
        r"The tools cannot tell the indexes 'my-team' and 'my\.team' apart", r"Give the indexes names",
    ),
    Mistake(
        "no wheel for the target", LAYER, require_only_for_another_machine,
        r"No wheel loads on python3\.11 on x86_64 \(glibc 2\.26\) for foreign 1\.0 "
        r"\(its wheels are cp311-cp311-manylinux_2_28_x86_64\)\.",
        r"Choose a runtime .* or leave the package out with exclude=\.",
    ),
    Mistake(
        "a wheel that lies about its machine", LAYER, require_compiled(machine=AARCH64),
        r"This does not load on python3\.11 on x86_64 \(glibc 2\.26\): liar 1\.0 "
        r"\(tagged cp311-abi3-manylinux_2_17_x86_64\) is built for aarch64, not for x86_64 ",
        r"Lock versions of these packages .* or leave a package out with exclude=\.",
    ),
    Mistake(
        "a wheel that lies about its glibc", LAYER,
        require_compiled(versions={"libc.so.6": ["GLIBC_2.38"]}),
        r"This does not load on .* needs GLIBC_2\.38 of libc\.so\.6, but python3\.11 has GLIBC_2\.26 ",
        r"Lock versions of these packages",
    ),
    Mistake(
        "a library for another machine in the function's code", SOURCE,
        all_of(props(include=["_c.so"], runtime=lambda_.Runtime.PYTHON_3_13), include_compiled),
        r"This does not load on python3\.13 on x86_64 .* orders 1\.2\.0 is built for aarch64, not for ",
        r"Lock versions of these packages",
    ),
    Mistake(
        "a source that compiles", LAYER, require_what_compiles,
        r"compiled-1\.0\.tar\.gz builds to .*, a wheel compiled for this machine, not for Lambda\.",
        r"For a layer, set build_in_container=True to build it in the Lambda build image",
    ),
    Mistake(
        "a build in a container without Docker", LAYER,
        all_of(
            props(build_in_container=True), require_what_compiles,
            lambda scene: scene.patch.setenv("PATH", str(scene.root)),
        ),
        r"The build of compiled-1\S+ needs Docker, which is not installed or not on PATH\.",
        r"Install Docker, or depend on a release that has a wheel",
    ),
    Mistake(
        "a Docker that does not run", LAYER,
        all_of(
            props(build_in_container=True), require_what_compiles,
            docker_says("docker: Cannot connect to the Docker daemon at unix:///run/docker.sock.", 125),
        ),
        r"The build of compiled-1\S+ needs Docker, but its engine is not running\.", r"Start Docker, or set",
    ),
    Mistake(
        "a build image that does not exist", LAYER,
        all_of(
            props(build_in_container=BuildContainer("team/nothing:1")), require_what_compiles,
            docker_says("Unable to find image locally", 125),
        ),
        r"The build of compiled-1\S+ needs the image team/nothing:1, which is not on this machine ",
        r"Check its name, the network and `docker login`",
    ),
    Mistake(
        "a processor that Docker does not run", LAYER,
        all_of(
            props(build_in_container=True, architecture=lambda_.Architecture.ARM_64), require_what_compiles,
            docker_says("exec /bin/sh: exec format error", 255),
        ),
        r"The build of compiled-1\S+ needs linux/arm64, but .*:latest-arm64 or this machine's Docker does ",
        r"Name an image for linux/arm64, and build on a machine of that platform or install emulation",
    ),
    Mistake(
        "a source that does not compile", LAYER,
        all_of(
            props(build_in_container=True), require_what_compiles,
            docker_says("a.c:1:10: fatal error: zlib.h: No such file", 1),
        ),
        r"The build of compiled-1\S+ in .* failed with exit code 1: a\.c:1:10: fatal error: zlib\.h: ",
        r"Correct the error above; if the image lacks a tool or library",
    ),
    Mistake(
        "a wheel with other bytes", LAYER, lambda scene: scene.fault(wrong_bytes),
        r"alpha-1\.0-py3-none-any\.whl from 127\.0\.0\.1 has the sha256 \w+, but the lock says \w+\.",
        r"Find out why the file changed",
    ),
    Mistake(
        "a download that is cut off", LAYER, lambda scene: scene.fault(*[cut_off] * 9),
        r"The download of alpha-1\.0-py3-none-any\.whl from 127\.0\.0\.1 was cut off", r"Try again",
    ),
    Mistake(
        "a download that is refused", LAYER, lambda scene: scene.fault(status(403)),
        r"127\.0\.0\.1 refused alpha-1\.0-py3-none-any\.whl: 403 Forbidden", r"Check that the file still",
    ),
    Mistake(
        "a cache directory that is a file", BOTH, cache_is_a_file,
        r"The cache directory .*/file cannot be written .*: (Not a directory|File exists)",
        rf"Make room or give write permission there, or set {CACHE_VARIABLE}",
    ),
    Mistake(
        "a read-only cache directory", BOTH, lambda scene: refuse_writing(scene, errno.EROFS),
        r"The cache directory .* cannot be written .*: Read-only file system\.", rf".*{CACHE_VARIABLE}",
    ),
    Mistake(
        "a full cache directory", BOTH, lambda scene: refuse_writing(scene, errno.ENOSPC),
        r"The cache directory .* cannot be written .*: No space left on device\.", rf".*{CACHE_VARIABLE}",
    ),
    Mistake(
        "a runtime of another language", BOTH, props(runtime=lambda_.Runtime.NODEJS_22_X),
        r"The runtime 'nodejs22\.x' is not a Python runtime of Lambda\.", r"Choose one of python3\.9, ",
    ),
    Mistake(
        "a runtime that is gone", BOTH, props(runtime=lambda_.Runtime.PYTHON_3_8),
        r"Lambda has no runtime python3\.8", r"Choose one of python3\.9, ",
    ),
    Mistake(
        "no Python that Lambda has", LAYER,
        lambda scene: (scene.root / ".python-version").write_text("pypy3.10\n"),
        r".*\.python-version pins 'pypy3\.10'", r"Write a version such as 3\.13 there, or pass runtime=\.",
    ),
    Mistake(
        "a runtime that the project is not for", BOTH, props(runtime=lambda_.Runtime.PYTHON_3_9),
        r"The project orders requires Python >=3\.11, but the runtime is python3\.9\.",
        r"Choose a runtime that requires-python in pyproject\.toml admits",
    ),
    Mistake(
        "an empty layer", LAYER, require_nothing,
        r"The layer of orders would be empty", r"Add a dependency",
    ),
    Mistake(
        "a layer of which all is left out", LAYER, props(exclude=["alpha", "native", "urllib3"]),
        r"The layer of orders would be empty: exclude= leaves out alpha, native, urllib3", r"Leave out less",
    ),
    Mistake(
        "a layer that the default list empties", LAYER, props(exclude=["alpha", "native"]),
        r"The layer of orders would be empty: .* and the default list leaves out urllib3",
        r'Pass keep=\["urllib3"\]',
    ),
    Mistake(
        "a name to keep that is not left out", LAYER, props(keep=["alpha"]),
        r"keep= names alpha, which the layer does not leave out by default\.", r"Remove the name: .*boto3",
    ),
    Mistake(
        "a name to keep and to leave out", LAYER, props(keep=["boto3"], exclude=["Boto3"]),
        r"boto3 is both in keep= and in exclude=\.", r"Remove the name from one of the two",
    ),
    Mistake(
        "a source without code", SOURCE, props(exclude=["*.py"]),
        r"The source of orders in .* would have no Python code\.", r"Put the code into src/",
    ),
    Mistake(
        "a project without a version", SOURCE,
        lambda scene: scene.edit("pyproject.toml", lambda text: text.replace('version = "1.2.0"', "")),
        r"The project in .*/pyproject\.toml has no version\.", r"Add version = ",
    ),
    Mistake(
        "a project that cannot be built", SOURCE, lambda scene: (scene.root / "backend.py").unlink(),
        r".*/orders could not be built: its build backend 'backend' cannot be imported: ",
        r"See the output of its build backend above; .* a copy of the project",
    ),
    Mistake(
        "a zip that is too large", LAYER, lambda scene: scene.patch.setattr(merge, "MAX_UNZIPPED", 100),
        r"Unzipped, this has [\d,]+ bytes, .* the largest packages are (\w+ 0\.0 MB(, )?){3}\.",
        r"Leave packages out with exclude=",
    ),
    Mistake(
        "packages that bring the same module", LAYER, require_wheels_that_clash,
        r"vision and vision-headless both bring vision\.py, with different contents\.",
        r"Leave one of the two packages out with exclude=",
    ),
    Mistake(
        "a wheel that was published damaged", LAYER, require_damaged,
        r"damaged-1\.0-py3-none-any\.whl is not a usable zip archive: damaged\.py does not match its size",
        r"Delete it and build again; if the error comes back, the published file itself is bad\.",
    ),
    Mistake(
        "an invalid layer name", LAYER, props(layer_name="our deps"),
        r"'our deps' is not a valid layer name\.", r"Use 1 to 140 letters",
    ),
    Mistake(
        "a layer name that is too long", LAYER, props(layer_name="x" * 141),
        r"'x+' is not a valid layer name\.", r"Use 1 to 140 letters",
    ),
    Mistake(
        "a description that is too long", LAYER, props(description="x" * 300),
        r"The layer's description has 300 characters", r"Shorten it",
    ),
    Mistake(
        "a licence that is too long", LAYER, props(license="x" * 513),
        r"The layer's license has 513 characters", r"Pass an SPDX identifier",
    ),
    Mistake(
        "an empty prefix", BOTH, props(prefix="/"), r"The prefix '/' is empty", r"Pass a prefix",
    ),
    Mistake(
        "a project whose name has no letter of a key", SOURCE,
        lambda scene: scene.edit("pyproject.toml", lambda text: text.replace('"orders"', '"日本"', 1)),
        r"The project has no name to use as the key prefix of its artifacts\.", r"Set a name in pyproj",
    ),
    Mistake(
        "a number of versions that keeps nothing", LAYER, props(keep_versions=0),
        r"keep_versions is 0, not a whole number of 1 or more\.",
        r"Pass the number of versions to keep, or leave it out",
    ),
    Mistake(
        "a removal policy that versions cannot have", BOTH, props(removal_policy=RemovalPolicy.SNAPSHOT),
        r"The removal policy SNAPSHOT does not apply", r"Use RemovalPolicy\.RETAIN or",
    ),
    Mistake(
        "a removal policy as a text", BOTH, props(removal_policy="DESTROY"),
        r"The removal policy 'DESTROY' does not apply", r"Use RemovalPolicy\.RETAIN or",
    ),
]  # fmt: skip


@pytest.fixture
def scene(orders: Path, workbench: Workbench, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Scene:
    return Scene(orders, workbench, monkeypatch)


@pytest.mark.parametrize(
    ("mistake", "construct"),
    [(mistake, construct) for mistake in MISTAKES for construct in mistake.constructs],
    ids=[f"{construct.__name__}: {mistake.name}" for mistake in MISTAKES for construct in mistake.constructs],
)
def test_a_mistake_is_told_at_synth(
    mistake: Mistake, construct: Construct, scene: Scene, tmp_path: Path, cache: Path
) -> None:
    mistake.made(scene)
    app = make_app(tmp_path / "cdk.out")
    with pytest.raises(LbdartError) as caught:
        construct(Stack(app, "Shop"), "Artifact", **{"project": str(scene.root), **scene.props})
    scene.patch.undo()
    scene.workbench.index.faults.clear()

    error = caught.value
    assert re.match(mistake.problem, error.problem), error.problem
    assert re.match(mistake.remedy, error.remedy), error.remedy
    assert "\n" not in error.problem + error.remedy
    assert error.problem.endswith(".")
    assert error.remedy.endswith(".")
    assert error.__notes__ == ["[at Shop/Artifact]"]
    assert half_written(cache) == []


def half_written(cache: Path) -> list[str]:
    """Return what a later build could stumble over."""
    return [name for name in files_in(cache) if name.startswith("tmp/")] if cache.is_dir() else []


@pytest.mark.parametrize("name", ["a wheel with other bytes", "a download that is refused"])
def test_what_failed_once_is_built_when_the_cause_is_gone(name: str, scene: Scene, tmp_path: Path) -> None:
    mistake = next(each for each in MISTAKES if each.name == name)
    mistake.made(scene)
    stack = Stack(make_app(tmp_path / "cdk.out"), "Shop")
    with pytest.raises(LbdartError):
        LambdaLayerArtifact(stack, "Failed", project=str(scene.root))
    built = LambdaLayerArtifact(stack, "Deps", project=str(scene.root))
    assert staged_layer(tmp_path / "cdk.out", built).is_file()


@pytest.mark.parametrize(
    ("other", "what"),
    [({"layer_name": "deps"}, "layer_name"), ({"prefix": "deps"}, "bucket and prefix")],
)
def test_two_layers_of_a_stack_do_not_mix_their_versions(
    scene: Scene, tmp_path: Path, other: dict[str, Any], what: str
) -> None:
    stack = Stack(make_app(tmp_path / "cdk.out"), "Shop")
    LambdaLayerArtifact(stack, "One", project=str(scene.root), layer_name="deps")
    with pytest.raises(LbdartError, match=rf"Shop/Two has the same {what} as Shop/One\.") as caught:
        LambdaLayerArtifact(stack, "Two", project=str(scene.root), **other)
    assert caught.value.__notes__ == ["[at Shop/Two]"]


def test_nor_do_two_layers_of_two_stacks_in_the_same_place(scene: Scene, tmp_path: Path) -> None:
    app = make_app(tmp_path / "cdk.out")
    elsewhere = {"account": "111122223333", "region": "eu-central-1"}
    for name, env in (("Shop", None), ("Far", elsewhere)):
        stack = Stack(app, name, env=env)
        LambdaLayerArtifact(stack, "Deps", project=str(scene.root), layer_name="deps")
    with pytest.raises(LbdartError, match=r"Cart/Deps has the same layer_name as Shop/Deps\."):
        LambdaLayerArtifact(Stack(app, "Cart"), "Deps", project=str(scene.root), layer_name="deps")


@pytest.mark.parametrize("first", [LambdaSourceArtifact, ArtifactPublisher])
def test_a_stack_has_one_publisher_and_it_comes_first(scene: Scene, tmp_path: Path, first: Any) -> None:
    stack = Stack(make_app(tmp_path / "cdk.out"), "Shop")
    if first is LambdaSourceArtifact:
        LambdaSourceArtifact(stack, "Code", project=str(scene.root))
    else:
        ArtifactPublisher(stack)
    with pytest.raises(LbdartError) as caught:
        ArtifactPublisher(stack)
    assert caught.value.problem == "The stack Shop already has an ArtifactPublisher."
    assert caught.value.remedy == "Create one for each stack, before its first artifact."
    assert caught.value.__notes__ == ["[at Shop]"]


APP = """
from aws_cdk import App, Stack
from lbdart_cdk import LambdaLayerArtifact, LambdaSourceArtifact
app = App()
LambdaLayerArtifact(Stack(app, "Shop"), "Deps", tool="uv", project="orders")
app.synth()
"""


def test_an_app_ends_with_the_message_and_no_traceback(
    tmp_path: Path, workbench: Workbench, cache: Path
) -> None:
    """As the ``cdk`` command sees it; and an index's password is not in what it prints."""
    root = make_project(
        tmp_path / "orders",
        dependencies=["missing"],
        tail=index_table(workbench.index.url.replace("//", "//user:hunter2@")),
    )
    wheel = make_wheel(workbench.index.folder, "missing")
    uv_lock(root)
    workbench.index.faults[wheel.name] = [status(404)]
    (tmp_path / "app.py").write_text(APP)
    ended = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.splitlines() == [
        "Error: 127.0.0.1 refused missing-1.0-py3-none-any.whl: 404 Not Found.",
        "Check that the file still exists there and that you may read it, or lock again.",
        "[at Shop/Deps]",
    ]
