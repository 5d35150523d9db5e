"""The same packages locked by each tool give the same layer, but for the comment that names the build."""

from __future__ import annotations

import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lbdart_cdk.core.layer.artifact import LayerArtifact
from lbdart_cdk.core.store import Store
from lbdart_cdk.core.target import Target
from lbdart_cdk.core.tool import Options
from lbdart_cdk.tools import find_project, tools, uv
from tests.support.index import Index
from tests.support.poetry import directory, package, poetry_lock
from tests.support.projects import index_table, make_project, make_sdist, uv_lock
from tests.support.wheels import make_wheel, names_in

TARGETS = [Target((3, 11)), Target((3, 13)), Target((3, 13), "arm64")]


@pytest.fixture
def served(index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    """alpha requires beta on Linux, gamma on Windows, and urllib3; native has a wheel for each target.

    Of source there is only a source distribution.
    """
    conditional = ["beta; sys_platform == 'linux'", "gamma; sys_platform == 'win32'", "urllib3"]
    make_wheel(index.folder, "alpha", requires=conditional)
    for name in ("beta", "gamma", "urllib3", "boto3"):
        make_wheel(index.folder, name)
    for target in TARGETS:
        python = f"cp{target.python[0]}{target.python[1]}"
        tag = f"{python}-{python}-manylinux_2_17_{target.machine}"
        make_wheel(index.folder, "native", tag=tag, files={"native.so": tag})
    make_sdist(index.folder, "source")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    return index


def project(root: Path, index: Index) -> Path:
    make_project(root / "lib", "lib")
    return make_project(
        root,
        dependencies=["alpha", "native", "boto3", "lib", "source"],
        tail=index_table(index.url) + '[tool.uv.sources]\nlib = { path = "lib" }\n',
    )


def run_uv(root: Path, *arguments: str) -> None:
    executable = uv.executable()
    assert executable is not None
    subprocess.run([executable, *arguments], cwd=root, check=True, capture_output=True)


def with_uv(root: Path, index: Index) -> None:
    uv_lock(root)


def with_pylock(root: Path, index: Index) -> None:
    uv_lock(root)
    run_uv(root, "export", "--format=pylock.toml", "--no-emit-project", "-o", "pylock.toml")
    (root / "uv.lock").unlink()


def with_pip(root: Path, index: Index) -> None:
    (root / "requirements.in").write_text("alpha\nnative\nboto3\nsource\n")
    run_uv(
        root,
        "pip",
        "compile",
        "--universal",
        "--generate-hashes",
        "requirements.in",
        "-o",
        "requirements.txt",
    )
    with (root / "requirements.txt").open("a") as file:
        file.write("./lib\n")


def with_poetry(root: Path, index: Index) -> None:
    def files(name: str) -> list[Path]:
        return sorted(index.folder.glob(f"{name}-*"))

    poetry_lock(
        root,
        package(*files("alpha"), requires='beta = "*"\nurllib3 = "*"'),
        package(*files("beta"), markers='sys_platform == "linux"'),
        package(*files("gamma"), markers='sys_platform == "win32"'),
        package(*files("native")),
        package(*files("urllib3")),
        package(*files("boto3")),
        package(*files("source")),
        directory("lib", "lib"),
    )


LOCKED_WITH: dict[str, Callable[[Path, Index], None]] = {
    "uv": with_uv,
    "pylock": with_pylock,
    "pip": with_pip,
    "poetry": with_poetry,
}


def comment_of_file(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.comment


def test_every_tool_is_here() -> None:
    assert LOCKED_WITH.keys() == tools().keys()


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_same_packages_give_the_same_layer(served: Index, tmp_path: Path, target: Target) -> None:
    layers, keys, names = set(), set(), set()
    for name, made in LOCKED_WITH.items():
        root = project(tmp_path / name / "orders", served)
        made(root, served)
        found, tool = find_project(root)
        assert tool.name == name
        artifact = LayerArtifact(found, tool, target, Options(), (), Store(tmp_path / name / "store"))
        content, comment = artifact.build().read_bytes(), comment_of_file(artifact.build())
        assert comment.startswith(f"lbdart:1 build_key={artifact.build_key} ".encode())
        layers.add(content.removesuffix(comment))
        names |= {one.split("/")[1] for one in names_in(artifact.build())}
        keys.add(artifact.build_key)
    assert len(layers) == 1
    assert len(keys) == len(LOCKED_WITH)
    assert {name for name in names if not name.endswith(".dist-info")} == {
        "alpha",
        "beta",
        "lib",
        "native.so",
        "source",
        "urllib3",
    }
