"""The same packages locked by each tool give the same layer, but for the comment that names the build."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.locking.manifest import find_project, tools
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support import pdm, poetry
from tests.support.git import git, make_repository
from tests.support.index import Index
from tests.support.projects import index_table, make_project, make_sdist, run_uv, uv_lock
from tests.support.wheels import make_wheel, names_in, sha256

TARGETS = [Target((3, 11)), Target((3, 13)), Target((3, 13), "arm64")]


@pytest.fixture
def served(index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    """alpha requires beta on Linux, gamma on Windows, and urllib3; native has a wheel for each target.

    Of source there is only a source distribution, mono is an archive with a project in a directory of it.
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
    make_project(index.folder / "in/mono/libs/mono", "mono")
    shutil.make_archive(str(index.folder / "mono-1"), "gztar", index.folder / "in", "mono")
    shutil.rmtree(index.folder / "in")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    return index


@dataclass(frozen=True)
class Scene:
    """Where everything but what the index has by name comes from."""

    index: Index
    repository: Path

    @property
    def git(self) -> str:
        return self.repository.as_uri()

    @property
    def commit(self) -> str:
        return git(self.repository, "rev-parse", "HEAD")

    @property
    def archive(self) -> str:
        return self.index.file_url(self.index.folder / "mono-1.tar.gz")

    def files(self, name: str) -> list[Path]:
        return sorted(self.index.folder.glob(f"{name}-*"))


@pytest.fixture
def scene(served: Index, tmp_path: Path) -> Scene:
    make_project(tmp_path / "repository/libs/cloned", "cloned")
    make_repository(tmp_path / "repository")
    return Scene(served, tmp_path / "repository")


def project(root: Path, scene: Scene) -> Path:
    make_project(root / "lib", "lib")
    return make_project(
        root,
        dependencies=["alpha", "native", "boto3", "lib", "source", "cloned", "mono"],
        tail=index_table(scene.index.url)
        + '[tool.uv.sources]\nlib = { path = "lib" }\n'
        + f'cloned = {{ git = "{scene.git}", subdirectory = "libs/cloned", rev = "{scene.commit}" }}\n'
        + f'mono = {{ url = "{scene.archive}", subdirectory = "libs/mono" }}\n',
    )


def with_uv(root: Path, scene: Scene) -> None:
    uv_lock(root)


def with_pylock(root: Path, scene: Scene) -> None:
    uv_lock(root)
    run_uv(root, "export", "--format=pylock.toml", "--no-emit-project", "-o", "pylock.toml")
    (root / "uv.lock").unlink()


def with_pip(root: Path, scene: Scene) -> None:
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
        file.write(f"./lib\ncloned @ git+{scene.git}@{scene.commit}#subdirectory=libs/cloned\n")
        file.write(f"mono @ {scene.archive}#subdirectory=libs/mono&sha256={sha256(scene.files('mono')[0])}\n")


def with_poetry(root: Path, scene: Scene) -> None:
    repository = (
        f'type = "git"\nurl = "{scene.git}"\nreference = "main"\nresolved_reference = "{scene.commit}"\n'
    )
    archive = f'type = "url"\nurl = "{scene.archive}"\n'
    poetry.poetry_lock(
        root,
        poetry.package(*scene.files("alpha"), requires='beta = "*"\nurllib3 = "*"'),
        poetry.package(*scene.files("beta"), markers='sys_platform == "linux"'),
        poetry.package(*scene.files("gamma"), markers='sys_platform == "win32"'),
        *(poetry.package(*scene.files(name)) for name in ("native", "urllib3", "boto3", "source")),
        poetry.directory("lib", "lib"),
        poetry.sourced("cloned", f'{repository}subdirectory = "libs/cloned"'),
        poetry.package(*scene.files("mono"), source=f'{archive}subdirectory = "libs/mono"'),
    )


def with_pdm(root: Path, scene: Scene) -> None:
    repository = f'git = "{scene.git}"\nref = "main"\nrevision = "{scene.commit}"\n'
    archive = f'url = "{scene.archive}#subdirectory=libs/mono"\n'
    pdm.pdm_lock(
        root,
        pdm.package(*scene.files("alpha"), requires=["beta; sys_platform == 'linux'", "urllib3"]),
        pdm.package(*scene.files("beta"), marker='sys_platform == "linux"'),
        pdm.package(*scene.files("gamma"), marker='sys_platform == "win32"'),
        *(pdm.package(*scene.files(name)) for name in ("native", "urllib3", "boto3", "source")),
        pdm.source_package("lib", 'path = "./lib"'),
        pdm.source_package("cloned", f'{repository}subdirectory = "libs/cloned"'),
        pdm.package(*scene.files("mono"), source=f'{archive}subdirectory = "libs/mono"'),
    )


LOCKED_WITH: dict[str, Callable[[Path, Scene], None]] = {
    "uv": with_uv,
    "pylock": with_pylock,
    "pip": with_pip,
    "poetry": with_poetry,
    "pdm": with_pdm,
}


def comment_of_file(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.comment


def test_every_tool_is_here() -> None:
    assert LOCKED_WITH.keys() == tools().keys()


def test_the_same_packages_give_the_same_layer(scene: Scene, tmp_path: Path) -> None:
    layers: dict[Target, set[bytes]] = {target: set() for target in TARGETS}
    keys, names = set(), set()
    for name, made in LOCKED_WITH.items():
        root = project(tmp_path / name / "orders", scene)
        made(root, scene)
        found, tool = find_project(root)
        assert tool.name == name
        for target in TARGETS:
            artifact = LayerArtifact(found, tool, target, Options(), (), Store(tmp_path / name / "store"))
            content, comment = artifact.build().read_bytes(), comment_of_file(artifact.build())
            assert comment == f"lbdart:2 build_key={artifact.build_key}".encode()
            layers[target].add(content.removesuffix(comment))
            names |= {name.split("/")[1] for name in names_in(artifact.build())}
            keys.add(artifact.build_key)
    assert [len(of_target) for of_target in layers.values()] == [1] * len(TARGETS)
    assert len(keys) == len(LOCKED_WITH) * len(TARGETS)
    assert {name for name in names if not name.endswith(".dist-info")} == {
        "alpha",
        "beta",
        "cloned",
        "lib",
        "mono",
        "native.so",
        "source",
        "urllib3",
    }
