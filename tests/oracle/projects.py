"""Projects as users have them, of every kind: a project is a few choices, and these write it to a folder.

A project prints as one line, which :meth:`Project.parse` reads again, so a failure is one line to reproduce.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import tomli_w

#: The choices of each axis; the first is the simplest one.
AXES: Final[dict[str, tuple[str, ...]]] = {
    "backend": (
        *("hatchling", "hatch-vcs", "setuptools", "setuptools-cfg", "setuptools-scm", "poetry"),
        *("poetry-dynamic", "flit", "pdm", "pdm-scm", "uv", "none"),
    ),
    "layout": ("src", "flat", "namespace"),
    "version": ("static", "attribute", "file", "parent", "tag"),
    "role": ("own", "path", "workspace", "git", "sdist"),
    "manifest": ("pylock", "requirements", "uv"),
    "repository": ("none", "git", "worktree", "shallow", "shared", "submodule"),
    "place": ("top", "below"),
}
_FROM_TAGS: Final = ("hatch-vcs", "setuptools-scm", "poetry-dynamic", "pdm-scm")
_HATCH: Final = ("hatchling", "hatch-vcs")
_SETUPTOOLS: Final = ("setuptools", "setuptools-cfg", "setuptools-scm")
_PDM: Final = ("pdm", "pdm-scm")
_POETRY: Final = ("poetry", "poetry-dynamic")

_NAME: Final = "demo-lib"
_MODULE: Final = "demo_lib"
_DESCRIPTION: Final = "A library."
#: Only another platform needs it, so no layer has it, but each lock and each METADATA names it.
_DEPENDENCY: Final = "packaging>=20; sys_platform == 'win32'"


@dataclass(frozen=True)
class Project:
    """The choices that make a project.

    :param backend: the build backend.
    :param layout: where the package lies.
    :param version: where the version comes from.
    :param role: what the project is for the user of the library: own code, or one of the sources of a layer.
    :param manifest: the lock that names it in a layer.
    :param repository: the repository that it lies in.
    :param place: whether it lies at the top of the repository or below.
    :param features: what else it has, names of :data:`FEATURES`.
    """

    backend: str = "hatchling"
    layout: str = "src"
    version: str = "static"
    role: str = "own"
    manifest: str = "pylock"
    repository: str = "none"
    place: str = "top"
    features: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return the line that :meth:`parse` reads."""
        axes = [str(getattr(self, axis)) for axis in AXES]
        return " ".join([*axes, *sorted(self.features)])

    @classmethod
    def parse(cls, text: str) -> Project:
        """Return the project that a line describes."""
        words = text.split()
        axes = dict(zip(AXES, words, strict=False))
        project = _with(cls(features=frozenset(words[len(AXES) :])), axes)
        unknown = [word for axis, word in axes.items() if word not in AXES[axis]]
        unknown += sorted(project.features - set(FEATURES))
        if unknown or not project.is_possible:
            raise ValueError(f"There is no such project: {text} {unknown}")
        return project

    def has(self, feature: str) -> bool:
        return feature in self.features

    @property
    def is_possible(self) -> bool:
        """Whether the choices fit together."""
        return all(rule(self) for rule in _RULES) and all(FEATURES[name](self) for name in self.features)

    @property
    def package(self) -> str:
        """The path of the package in the project."""
        folder = {"src": "src/", "flat": "", "namespace": "src/acme/"}[self.layout]
        return folder + _MODULE

    @property
    def module(self) -> str:
        return f"acme.{_MODULE}" if self.layout == "namespace" else _MODULE

    @property
    def has_git(self) -> bool:
        return self.repository != "none"

    @property
    def has_ignored(self) -> bool:
        return any(name.startswith("ignore-") for name in self.features)

    def simpler(self) -> Iterator[Project]:
        """Yield the projects with one choice less, to find what a failure needs."""
        for feature in sorted(self.features):
            yield replace(self, features=self.features - {feature})
        for axis, choices in AXES.items():
            if axis != "role" and getattr(self, axis) != choices[0]:
                yield _with(self, {axis: choices[0]})


def _with(project: Project, axes: Mapping[str, str]) -> Project:
    """Return a project with other choices on some axes."""
    values: dict[str, Any] = dict(axes)
    return replace(project, **values)


def _of(*backends: str) -> Callable[[Project], bool]:
    return lambda project: project.backend in backends


def _anywhere(project: Project) -> bool:
    return True


def _in_git(project: Project) -> bool:
    return project.has_git


def _below(project: Project) -> bool:
    return project.place == "below"


def _follows_links(project: Project) -> bool:
    """Tell whether the backend builds a project with links to folders or to what lies outside of it."""
    return project.backend not in (*_POETRY, "setuptools-scm", "uv")


#: What choices need of each other.
_RULES: Final[tuple[Callable[[Project], bool], ...]] = (
    lambda p: (p.version == "tag") == (p.backend in _FROM_TAGS),
    lambda p: p.version != "attribute" or p.backend in ("hatchling", *_SETUPTOOLS[:2], "flit", "pdm"),
    lambda p: p.version != "file" or p.backend in ("hatchling", *_SETUPTOOLS[:2]),
    lambda p: p.version != "parent" or (p.backend in ("hatchling", "setuptools-cfg") and _below(p)),
    lambda p: p.role != "git" or p.has_git,
    lambda p: p.role != "workspace" or (_below(p) and p.manifest == "uv"),
    lambda p: p.role not in ("own", "sdist") or p.manifest == "pylock",
    lambda p: p.role == "workspace" or p.manifest != "uv",
    # A source distribution has nothing of what lies beside its project.
    lambda p: p.role != "sdist" or not (p.version == "parent" or p.features & {"shared", "readme-beside"}),
    # A git dependency is what the repository has at a commit, however it was cloned.
    lambda p: p.role != "git" or p.repository == "git",
    # uv reads no member without a pyproject.toml.
    lambda p: not p.has("no-pyproject") or p.role != "workspace",
)

#: What a project may have -> whether it may have it.
FEATURES: Final[dict[str, Callable[[Project], bool]]] = {
    # files of the package
    "data": _anywhere,
    "odd-names": _anywhere,
    "executable": _anywhere,
    "subpackages": _anywhere,
    # Where git does not say that they are source, such folders of a directory are what tools left there.
    "tool-names": lambda p: p.role == "sdist" or (p.has_git and not p.has("ignore-all")),
    "cache-tag": lambda p: p.role == "sdist" or (p.has_git and not p.has("ignore-all")),
    "bytecode": _anywhere,
    "licence": _anywhere,
    "tests": _anywhere,
    "leftovers": _anywhere,
    "build-folder": _anywhere,
    "plain-files": lambda p: (p.backend, p.role) == ("none", "own"),
    # what the backend is told
    "package-data": _of(*_SETUPTOOLS),
    "manifest-in": _of(*_SETUPTOOLS),
    "no-pyproject": _of("setuptools-cfg"),
    "entry-points": lambda p: p.backend not in ("none", "poetry-dynamic"),
    "shell-script": _of(*_HATCH, "setuptools-cfg", "uv"),
    # The source distributions of setuptools lack them.
    "headers": lambda p: p.backend == "uv" or (p.backend == "setuptools-cfg" and p.role != "sdist"),
    "data-scheme": _of(*_HATCH, *_SETUPTOOLS, "flit", *_PDM, "uv"),
    "include": _of(*_HATCH, *_POETRY, *_PDM),
    "exclude": _of(*_HATCH, *_POETRY, *_PDM, "uv"),
    "artifacts": lambda p: p.backend in _HATCH and p.has_ignored,
    "hook": _of(*_HATCH, "setuptools-cfg", *_PDM),
    "version-file": _of("hatch-vcs", "setuptools-scm", "pdm-scm"),
    # beside the project
    "shared": lambda p: p.backend in _HATCH and _below(p),
    "readme-beside": lambda p: p.backend == "setuptools-cfg" and _below(p),
    # links
    "link-file": _anywhere,
    "link-chain": _anywhere,
    "link-folder": _follows_links,
    "link-outside": lambda p: p.role != "git" and p.backend != "flit" and _follows_links(p),
    "link-up": lambda p: _below(p) and p.backend != "flit" and _follows_links(p),
    # what git ignores
    "ignore-top": _anywhere,
    "ignore-project": _below,
    "ignore-package": _anywhere,
    "ignore-exclude": _in_git,
    "ignore-global": _in_git,
    "ignore-all": lambda p: p.repository == "git" and p.role != "git" and _below(p),
    "tracked-ignored": lambda p: p.has_git and p.has_ignored,
    # the state of the repository
    "tag": _in_git,
    "light-tag": _in_git,
    "many-tags": _in_git,
    "commits-after": _in_git,
    "dirty": _in_git,
    "untracked": _in_git,
    # Of a project that git ignores, poetry-core packs the staged files alone.
    "staged": lambda p: p.has_git and not (p.backend.startswith("poetry") and p.has("ignore-all")),
    "deleted": _in_git,
    "attributes": _in_git,
    "inner-submodule": lambda p: p.has_git and p.repository not in ("shallow", "shared"),
    "inner-repository": _in_git,
    "git-hooks": _in_git,
    # uv fetches no commit of such a repository.
    "sha256": lambda p: p.has_git and p.role != "git" and not p.has("inner-submodule"),
    # uv finds no member of a workspace there.
    "odd-folder": lambda p: p.has_git and p.role == "own",
}


def random_project(seed: int) -> Project:
    """Return a project that follows from the seed."""
    chance = random.Random(seed)
    backend, role = chance.choice(AXES["backend"]), chance.choice(AXES["role"])
    while True:
        axes = {axis: chance.choice(choices) for axis, choices in AXES.items()}
        axes |= {"backend": backend, "role": role}
        # Most lie in a plain repository, and a version from tags mostly has one.
        if chance.random() < 0.5 or (backend in _FROM_TAGS and axes["repository"] == "none"):
            axes["repository"] = chance.choice(("none", *["git"] * 9))
        project = _with(Project(), axes)
        if not project.is_possible:
            continue
        density = chance.choice((0.05, 0.15, 0.3))
        names = list(FEATURES)
        chance.shuffle(names)
        for name in names:
            more = replace(project, features=project.features | {name})
            likely = 0.5 if name in ("data", "tag") else density
            if more.is_possible and chance.random() < likely:
                project = more
        return project


# What is in the files.


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Program:
    """A file that may be executed."""

    text: str


Content = str | bytes | Link | Program

_HATCH_HOOK: Final = """
import pathlib, subprocess
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

class CustomBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        path = pathlib.Path(self.root, {path!r})
        path.write_text({text})
        build_data["force_include"][str(path)] = {target!r}
"""
_PDM_HOOK: Final = """
import pathlib, subprocess

def pdm_build_initialize(context):
    if context.target == "wheel":
        context.ensure_build_dir()
        path = pathlib.Path(context.build_dir, {target!r})
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text({text})
"""
_SETUP_HOOK: Final = """
import pathlib, subprocess
pathlib.Path({path!r}).write_text({text})
"""
#: What a build hook writes: what git says of the project, as many do to know the commit at run time.
_HOOK_TEXT: Final = (
    "'commit = ' + repr(subprocess.run(['git', 'describe', '--always', '--dirty', '--tags'], "
    "capture_output=True, text=True).stdout)"
)


def _in_wheel(project: Project, name: str = "") -> str:
    return f"{project.module.replace('.', '/')}/{name}".rstrip("/")


#: The files of the package that a commit has, for each feature, by their path in the package. In the target
#: of a link, ``{project}`` is the project, ``{above}`` two folders above, and ``{folder}`` lies around all.
_PACKAGE_FILES: Final[dict[str, dict[str, Content]]] = {
    "data": {
        "config.json": '{"a": 1}\n',
        "templates/mail.html": "<p>Hello</p>\n",
        "py.typed": "",
        "app.pyi": "def main() -> None: ...\n",
        "blob.bin": bytes(range(256)),
    },
    "odd-names": {
        f"{name}.txt": "odd\n"
        for name in ("a b", "ünïcode", "a,b;c#d", "-dash", "100%", "[x]", "it's", '"q"')
    },
    "executable": {"run.sh": Program("#!/bin/sh\necho 42\n"), "tool.py": Program("#!/usr/bin/env python3\n")},
    "subpackages": {
        "sub/__init__.py": "",
        "sub/deep/__init__.py": "",
        "sub/deep/x.py": "x = 1\n",
        "plain/module.py": "x = 2\n",
        "plain/rows.csv": "a,b\n",
    },
    # Names that tools use for what they make; here they are the user's own.
    "tool-names": {
        "build/__init__.py": "",
        "dist/__init__.py": "",
        "env/a.py": "",
        "venv/__init__.py": "",
        "node_modules/index.js": "// js\n",
        "cdk.out/__init__.py": "",
        "a.egg-info/x.py": "",
        ".hidden.json": "{}\n",
        ".tox/setup.txt": "tox\n",
        ".vscode/a.json": "{}\n",
    },
    "cache-tag": {
        "cache/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
        "cache/__init__.py": "",
        "cache/warm.json": "{}\n",
    },
    "bytecode": {"only.pyc": b"bytecode", "__pycache__/app.cpython-311.pyc": b"bytecode"},
    "exclude": {"internal/__init__.py": "", "internal/notes.txt": "not for users\n"},
    "link-file": {"link.py": Link("app.py")},
    "link-chain": {"chain.py": Link("chain_two.py"), "chain_two.py": Link("app.py")},
    "link-folder": {"linked": Link("{project}/assets")},
    "link-outside": {"outside.py": Link("{folder}/outside/outside.py")},
    "link-up": {"upper": Link("{above}/shared")},
    "build-folder": {"built.py": Link("{project}/build/built.py")},
    "deleted": {"gone.py": "gone = 1\n"},
    "ignore-package": {".gitignore": "drafts/\n!important.log\n"},
}
#: The files of the package that git ignores, and some that a negation takes back.
_IGNORED_FILES: Final[dict[str, dict[str, Content]]] = {
    "ignore-top": {
        ".env": "PASSWORD=1\n",
        "secret.json": "{}\n",
        "trace.log": "log\n",
        "important.log": "log\n",
        "a.gen.py": "",
        "keep.gen.py": "",
        "local/x.py": "",
        "local/y.txt": "y\n",
    },
    "ignore-project": {"scratch/x.py": "", "x.tmp": "tmp\n", "keep.tmp": "tmp\n"},
    "ignore-package": {"drafts/d.py": "", "drafts/d.txt": "d\n"},
    "ignore-exclude": {"private.py": ""},
    "ignore-global": {"personal.py": ""},
}
#: The files of the project that a commit has, for each feature.
_PROJECT_FILES: Final[dict[str, dict[str, Content]]] = {
    "licence": {"LICENSE": "Do what you like.\n"},
    "tests": {"tests/__init__.py": "", "tests/test_app.py": "def test() -> None: ...\n"},
    "link-folder": {"assets/__init__.py": "", "assets/picture.svg": "<svg/>\n", "assets/deep/x.py": ""},
    "build-folder": {"build/built.py": "built = 1\n", "build/table.py": "built = 2\n"},
    "shell-script": {"scripts/demo-run": Program("#!/bin/sh\necho 42\n")},
    "headers": {"headers/demo.h": "int demo(void);\n"},
    "data-scheme": {"etc/demo.conf": "[demo]\n"},
    "include": {"extra/notes.txt": "notes\n", "extra/more/data.json": "{}\n"},
}
#: What people have beside their packages when nothing is built.
_PLAIN_FILES: Final[dict[str, Content]] = {
    "main.py": "main = 1\n",
    "config.json": "{}\n",
    "handlers/orders.py": "orders = 1\n",
    "templates/mail.html": "<p>Hello</p>\n",
}
#: What tools leave in a project.
_LEFTOVERS: Final[dict[str, Content]] = {
    ".venv/pyvenv.cfg": "home = /usr\n",
    ".venv/lib/x.py": "",
    "dist/old.whl": "old",
    "cdk.out/cdk.out": '{"version":"40.0.0"}',
    "cdk.out/asset/x.py": "",
    ".pytest_cache/v": "",
}
#: Leaves a trace in the repository, if it is run.
_GIT_HOOK: Final = '#!/bin/sh\ntouch "$(git rev-parse --path-format=absolute --git-common-dir)/hook-ran"\n'
_TOP_IGNORE: Final = "*.log\n.env\nsecret.json\n*.gen.py\n!keep.gen.py\nlocal/\n/dist/\n.venv/\n_made.py\n"


def _of_features(project: Project, files: Mapping[str, Mapping[str, Content]]) -> dict[str, Content]:
    """Return the files of the features that a project has."""
    found: dict[str, Content] = {}
    for feature, more in files.items():
        if project.has(feature):
            found |= more
    return found


def _package_files(project: Project) -> dict[str, Content]:
    """Return the files of the package that a commit has, by their path in the package."""
    version = '\n__version__ = "1.4"\n' if project.version == "attribute" else ""
    code = "def handler(event, context):\n    return 42\n\n\ndef main() -> None:\n    print(42)\n"
    up = "../" * project.package.count("/") + ".."
    depth = (1 if project.place == "top" else 3) + (project.repository == "submodule")
    names = {"project": up, "above": f"{up}/../..", "folder": up + "/.." * depth}
    files: dict[str, Content] = {"__init__.py": f'"""{_DESCRIPTION}"""\n{version}', "app.py": code}
    for name, content in _of_features(project, _PACKAGE_FILES).items():
        files[name] = Link(content.target.format(**names)) if isinstance(content, Link) else content
    return files


def _project_files(project: Project) -> dict[str, Content]:
    """Return the files of the project that a commit has."""
    files = {f"{project.package}/{name}": content for name, content in _package_files(project).items()}
    if project.has("plain-files"):
        below = "" if project.layout == "flat" else "src/"
        files |= {f"{below}{name}": content for name, content in _PLAIN_FILES.items()}
    files |= _of_features(project, _PROJECT_FILES) | {"README.md": "# Demo\n"}
    if project.version == "file":
        files["VERSION"] = "1.3\n"
    if project.has("manifest-in"):
        top = project.package.partition("/")[0]
        files["MANIFEST.in"] = (
            f"recursive-include {top} *.json *.html *.txt *.bin\nglobal-exclude secret.json\n"
        )
    if project.has("ignore-project"):
        files[".gitignore"] = f"/{project.package}/scratch/\n*.tmp\n!keep.tmp\n"
    if project.has("hook"):
        files |= _hook(project)
    return files | _configuration(project)


def _hook(project: Project) -> dict[str, Content]:
    path, target = f"{project.package}/_made.py", _in_wheel(project, "_made.py")
    if project.backend in _HATCH:
        return {"hatch_build.py": _HATCH_HOOK.format(path=path, target=target, text=_HOOK_TEXT)}
    if project.backend in _PDM:
        return {"pdm_build.py": _PDM_HOOK.format(target=target, text=_HOOK_TEXT)}
    return {}  # in setup.py


def _configuration(project: Project) -> dict[str, Content]:
    """Return the files that tell the backend what to build."""
    if project.backend == "setuptools-cfg":
        files: dict[str, Content] = {"setup.cfg": _setup_cfg(project), "setup.py": _setup_py(project)}
        if not project.has("no-pyproject"):
            tables: dict[str, Any] = {"build-system": _build_system(project)}
            if project.role == "workspace":
                tables["project"] = _metadata(project)
            files["pyproject.toml"] = tomli_w.dumps(tables)
        return files
    return {"pyproject.toml": tomli_w.dumps(_pyproject(project))}


def _metadata(project: Project) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": _NAME, "requires-python": ">=3.9", "dependencies": [_DEPENDENCY]}
    metadata["description"] = _DESCRIPTION
    if project.version == "static":
        metadata["version"] = "1.2"
    else:
        metadata["dynamic"] = ["version"]
    if project.backend != "none":
        metadata["readme"] = "README.md"
    metadata["optional-dependencies"] = {"more": ["packaging>=21; sys_platform == 'win32'"]}
    if project.has("entry-points"):
        metadata["scripts"] = {"demo": f"{project.module}.app:main"}
        metadata["entry-points"] = {"demo.plugins": {"one": f"{project.module}.app"}}
    return metadata


_REQUIRES: Final = {
    "hatchling": ("hatchling.build", ["hatchling"]),
    "hatch-vcs": ("hatchling.build", ["hatchling", "hatch-vcs"]),
    "setuptools": ("setuptools.build_meta", ["setuptools"]),
    "setuptools-cfg": ("setuptools.build_meta", ["setuptools"]),
    "setuptools-scm": ("setuptools.build_meta", ["setuptools", "setuptools-scm"]),
    "poetry": ("poetry.core.masonry.api", ["poetry-core"]),
    "poetry-dynamic": ("poetry_dynamic_versioning.backend", ["poetry-core", "poetry-dynamic-versioning"]),
    "flit": ("flit_core.buildapi", ["flit_core"]),
    "pdm": ("pdm.backend", ["pdm-backend"]),
    "pdm-scm": ("pdm.backend", ["pdm-backend"]),
    "uv": ("uv_build", ["uv_build"]),
}


def _build_system(project: Project) -> dict[str, Any]:
    backend, requires = _REQUIRES[project.backend]
    return {"build-backend": backend, "requires": requires}


def _pyproject(project: Project) -> dict[str, Any]:
    if project.backend == "none":
        return {"project": _metadata(project)}
    tool: dict[str, Any] = {}
    metadata = _metadata(project)
    match project.backend:
        case "hatchling" | "hatch-vcs":
            tool["hatch"] = _hatch(project)
        case "setuptools" | "setuptools-scm":
            tool["setuptools"] = _setuptools(project)
            if project.backend == "setuptools-scm":
                tool["setuptools_scm"] = _scm(project)
                if project.has("version-file"):
                    tool["setuptools_scm"]["version_file"] = f"{project.package}/_version.py"
        case "poetry":
            tool["poetry"] = _poetry(project)
        case "poetry-dynamic":
            poetry: dict[str, Any] = {
                "name": _NAME,
                "version": "0.0.0",
                "description": _DESCRIPTION,
                "authors": [],
            }
            poetry["dependencies"] = {"python": ">=3.9"}
            tool["poetry"] = poetry | _poetry(project)
            tool["poetry-dynamic-versioning"] = {"enable": True, "vcs": "git"}
            metadata = {"name": _NAME, "dynamic": ["version"], "requires-python": ">=3.9"}
            if project.role != "workspace":
                metadata = {}
        case "flit":
            tool["flit"] = {"module": {"name": project.module}}
            if project.has("data-scheme"):
                tool["flit"]["external-data"] = {"directory": "etc"}
        case "pdm" | "pdm-scm":
            tool["pdm"] = _pdm(project)
        case "uv":
            tool["uv"] = {"build-backend": _uv_build(project)}
    tables = {"build-system": _build_system(project), "project": metadata, "tool": tool}
    return {name: table for name, table in tables.items() if table}


def _scm(project: Project) -> dict[str, Any]:
    return {"root": "../.."} if project.place == "below" else {}


def _hatch(project: Project) -> dict[str, Any]:
    build: dict[str, Any] = {"targets": {"wheel": _hatch_wheel(project)}}
    hooks: dict[str, Any] = {"custom": {}} if project.has("hook") else {}
    if project.has("version-file"):
        hooks["vcs"] = {"version-file": f"{project.package}/_version.py"}
    if hooks:
        build["hooks"] = hooks
    if project.has("exclude"):
        build["exclude"] = ["internal"]
    if project.has("artifacts"):
        build["artifacts"] = ["*.gen.py", "*.tmp"]
    version = _hatch_version(project)
    return {"version": version, "build": build} if version else {"build": build}


def _hatch_version(project: Project) -> dict[str, Any]:
    match project.version:
        case "attribute":
            return {"path": f"{project.package}/__init__.py"}
        case "file" | "parent":
            path = "VERSION" if project.version == "file" else "../../VERSION"
            return {"path": path, "pattern": r"(?P<version>\S+)"}
        case "tag":
            return {"source": "vcs", "raw-options": _scm(project)}
    return {}


def _hatch_wheel(project: Project) -> dict[str, Any]:
    wheel: dict[str, Any] = {"packages": ["src/acme"]} if project.layout == "namespace" else {}
    sources = {"include": ("extra", "extra"), "shared": ("../../shared", "shared")}
    sources["build-folder"] = ("build/table.py", "table.py")
    forced = {
        source: _in_wheel(project, target)
        for feature, (source, target) in sources.items()
        if project.has(feature)
    }
    if forced:
        wheel["force-include"] = forced
    if project.has("shell-script"):
        wheel["shared-scripts"] = {"scripts": "/"}
    if project.has("data-scheme"):
        wheel["shared-data"] = {"etc": "etc"}
    return wheel


def _setuptools(project: Project) -> dict[str, Any]:
    where, include = ("src", "*") if project.layout != "flat" else (".", f"{_MODULE}*")
    tables: dict[str, Any] = {"packages": {"find": {"where": [where], "include": [include]}}}
    if project.has("package-data"):
        tables["package-data"] = {"*": ["*.json", "*.html", "py.typed", "*.pyi", "*.txt"]}
    if project.version == "file":
        tables["dynamic"] = {"version": {"file": "VERSION"}}
    elif project.version == "attribute":
        tables["dynamic"] = {"version": {"attr": f"{project.module}.__version__"}}
    if project.has("data-scheme"):
        tables["data-files"] = {"etc": ["etc/demo.conf"]}
    return tables


def _setup_cfg(project: Project) -> str:
    version = {"static": "1.2", "file": "file: VERSION", "attribute": f"attr: {project.module}.__version__"}
    where, include = ("src", "*") if project.layout != "flat" else (".", f"{_MODULE}*")
    lines = ["[metadata]", f"name = {_NAME}", f"description = {_DESCRIPTION}"]
    if project.version in version:
        lines.append(f"version = {version[project.version]}")
    lines += ["[options]", "packages = find_namespace:", "python_requires = >=3.9"]
    lines += ["install_requires =", f"    {_DEPENDENCY}"]
    if project.layout != "flat":
        lines += ["package_dir =", "    = src"]
    if project.has("manifest-in"):
        lines.append("include_package_data = true")
    lines += ["[options.packages.find]", f"where = {where}", f"include = {include}"]
    if project.has("package-data"):
        lines += ["[options.package_data]", "* = *.json, *.html, py.typed, *.pyi, *.txt"]
    if project.has("data-scheme"):
        lines += ["[options.data_files]", "etc = etc/demo.conf"]
    if project.has("entry-points"):
        lines += ["[options.entry_points]", "console_scripts =", f"    demo = {project.module}.app:main"]
    return "\n".join(lines) + "\n"


def _setup_py(project: Project) -> str:
    arguments = []
    if project.version == "parent":
        arguments.append("version=open('../../VERSION').read().strip()")
    if project.has("readme-beside"):
        arguments.append("long_description=open('../../README.md').read()")
    if project.has("shell-script"):
        arguments.append("scripts=['scripts/demo-run']")
    if project.has("headers"):
        arguments.append("headers=['headers/demo.h']")
    hook = (
        _SETUP_HOOK.format(path=f"{project.package}/_made.py", text=_HOOK_TEXT) if project.has("hook") else ""
    )
    return f"from setuptools import setup\n{hook}\nsetup({', '.join(arguments)})\n"


def _poetry(project: Project) -> dict[str, Any]:
    package: dict[str, Any] = {"include": project.module.partition(".")[0]}
    if project.layout != "flat":
        package["from"] = "src"
    poetry: dict[str, Any] = {"packages": [package]}
    if project.has("include"):
        poetry["include"] = [{"path": "extra", "format": ["sdist", "wheel"]}]
    if project.has("exclude"):
        poetry["exclude"] = [f"{project.package}/internal/**"]
    return poetry


def _pdm(project: Project) -> dict[str, Any]:
    build: dict[str, Any] = {}
    includes = ["src/acme"] if project.layout == "namespace" else []
    if project.has("include"):
        includes = [*(includes or [project.package]), "extra"]
    if includes:
        build["includes"] = includes
    if project.has("exclude"):
        build["excludes"] = ["**/internal"]
    if project.has("data-scheme"):
        build["wheel-data"] = {"data": [{"path": "etc/*", "relative-to": "."}]}
    version: dict[str, Any] = {}
    if project.version == "attribute":
        version = {"source": "file", "path": f"{project.package}/__init__.py"}
    elif project.version == "tag":
        version = {"source": "scm"}
        if project.has("version-file"):
            version |= {
                "write_to": _in_wheel(project, "_version.py"),
                "write_template": "__version__ = '{}'\n",
            }
    tables = {"build": build, "version": version}
    return {name: table for name, table in tables.items() if table}


def _uv_build(project: Project) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    if project.layout == "flat":
        tables["module-root"] = ""
    elif project.layout == "namespace":
        tables["module-name"] = project.module
    data = {
        scheme: folder
        for feature, scheme, folder in (
            ("shell-script", "scripts", "scripts"),
            ("headers", "headers", "headers"),
            ("data-scheme", "data", "etc"),
        )
        if project.has(feature)
    }
    if data:
        tables["data"] = data
    if project.has("exclude"):
        tables["wheel-exclude"] = ["**/internal/**"]
    return tables


# Where the files go.


@dataclass(frozen=True)
class Written:
    """A project on the disk.

    :param folder: everything: the repository, the home of its user, and what lies outside.
    :param repository: the top of the repository, or of what would be one.
    :param root: the project.
    :param commit: the commit of HEAD; empty without a repository.
    """

    folder: Path
    repository: Path
    root: Path
    commit: str

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def consumer(self) -> Path:
        """The directory of the project whose layer this project is a part of."""
        return self.folder / "app"

    def copied(self, folder: Path) -> Written:
        """Return the same in a copy of the whole folder, as ``cp -a`` makes it."""
        subprocess.run(["cp", "-a", str(self.folder), str(folder)], check=True)
        for link in folder.glob("main/.git/worktrees/*/gitdir"):
            link.write_text(link.read_text().replace(str(self.folder), str(folder)))
            (folder / self.repository.name / ".git").write_text(f"gitdir: {link.parent}\n")
        repository, root = (folder / path.relative_to(self.folder) for path in (self.repository, self.root))
        return replace(self, folder=folder, repository=repository, root=root)


def write(project: Project, folder: Path) -> Written:
    """Write the project, with the repository around it."""
    (folder / "app").mkdir(parents=True)
    _put(folder, {"outside/outside.py": "outside = 1\n", "home/.config/git/ignore": "personal.py\n"})
    _put(folder, {"home/.gitconfig": '[protocol "file"]\n\tallow = always\n'})
    below = "services/lib" if project.place == "below" else ""
    name = "te am ü#1%20" if project.has("odd-folder") else "team"
    top = folder / "super" / name if project.repository == "submodule" else folder / name
    made = top if project.repository in ("none", "git") else folder / "main"
    root = made / below
    _put(root, _project_files(project))
    _put(made, _beside(project))
    if project.has_git:
        _commit_history(project, made, root)
        _clone(project, made, top)
    root = top / below
    written = Written(folder, top, root, git(top, "rev-parse", "HEAD") if project.has_git else "")
    _leave(project, written)
    return written


def _beside(project: Project) -> dict[str, Content]:
    """Return the files at the top of the repository."""
    files: dict[str, Content] = {}
    if project.has("ignore-top") or project.has("ignore-all"):
        ignored = "/services/\n" if project.has("ignore-all") else ""
        files[".gitignore"] = ignored + (_TOP_IGNORE if project.has("ignore-top") else "")
    if project.has("attributes"):
        files[".gitattributes"] = "*.json text eol=crlf\napp.py export-ignore\n*.html ident\n"
    if project.place == "below":
        files |= {"VERSION": "1.5\n", "README.md": "# The team\n", "other/readme.txt": "another project\n"}
        files |= {"shared/__init__.py": "", "shared/text.txt": "shared\n"}
    if project.role == "workspace":
        workspace = {"name": "team", "version": "1", "requires-python": ">=3.11", "dependencies": [_NAME]}
        uv = {"sources": {_NAME: {"workspace": True}}, "workspace": {"members": ["services/lib"]}}
        files["pyproject.toml"] = tomli_w.dumps({"project": workspace, "tool": {"uv": uv}})
    return files


def _commit_history(project: Project, top: Path, root: Path) -> None:
    kind = "sha256" if project.has("sha256") else "sha1"
    git(top, "init", "--quiet", "--initial-branch=main", f"--object-format={kind}")
    package = root / project.package
    if project.has("tracked-ignored"):
        _put(package, _of_features(project, _IGNORED_FILES))
    if project.has("inner-submodule"):
        vendored = top.parent / "vendored"
        _put(vendored, {"vendored.py": "vendored = 1\n", "data.json": "{}\n"})
        git(vendored, "init", "--quiet", "--initial-branch=main")
        _commit(vendored)
        vendor = str((package / "vendor").relative_to(top))
        git(top, "submodule", "--quiet", "add", "--force", "../vendored", vendor)
    _commit(top)
    if project.has("ignore-all") and not project.has("tracked-ignored"):
        git(top, "rm", "-r", "--cached", "--quiet", "services")
        git(top, "commit", "--quiet", "--message", "change")
    if project.has("many-tags"):
        git(top, "tag", "--annotate", "v0.9", "--message", "0.9")
        (package / "app.py").write_text("def main() -> None:\n    print(43)\n")
        _commit(top)
        git(top, "tag", "--annotate", "v2.0rc1", "--message", "2.0rc1")
    if project.has("tag") or project.has("many-tags"):
        git(top, "tag", "--annotate", "v2.0", "--message", "2.0")
    if project.has("light-tag"):
        git(top, "tag", "v2.1")
    if project.has("commits-after"):
        for number in range(2):
            (package / "later.py").write_text(f"later = {number}\n")
            _commit(top)


def _clone(project: Project, made: Path, top: Path) -> None:
    """Make the working tree that the user has of the repository, if that is another one."""
    match project.repository:
        case "worktree":
            git(made, "worktree", "add", "--quiet", "--detach", str(top))
        case "shallow":
            git(made.parent, "clone", "--quiet", "--depth", "1", made.as_uri(), str(top))
        case "shared":
            git(made.parent, "clone", "--quiet", "--shared", str(made), str(top))
        case "submodule":
            top.parent.mkdir()
            kind = git(made, "rev-parse", "--show-object-format")
            git(top.parent, "init", "--quiet", "--initial-branch=main", f"--object-format={kind}")
            git(top.parent, "submodule", "--quiet", "add", "../main", top.name)
            git(top.parent, "submodule", "--quiet", "update", "--init", "--recursive")
            git(top, "fetch", "--quiet", "--tags")
            _commit(top.parent)
    if project.repository == "worktree" and project.has("inner-submodule"):
        git(top, "submodule", "--quiet", "update", "--init")


def _leave(project: Project, written: Written) -> None:
    """Write what is in the working tree and in no commit."""
    root, package = written.root, written.root / project.package
    _put(package, _of_features(project, _IGNORED_FILES))
    if project.has("ignore-exclude"):
        info = Path(
            git(written.repository, "rev-parse", "--path-format=absolute", "--git-common-dir"), "info"
        )
        info.mkdir(exist_ok=True)
        (info / "exclude").write_text("private.py\n")
    if project.has("bytecode"):
        _put(package, {"__pycache__/left.cpython-311.pyc": b"bytecode", "sub/__pycache__/x.pyc": b"bytecode"})
    if project.has("leftovers"):
        _put(root, _LEFTOVERS)
    if project.has("dirty"):
        with (package / "app.py").open("a") as file:
            file.write("# changed\n")
    if project.has("untracked"):
        _put(package, {"untracked.py": "untracked = 1\n", "untracked.json": "{}\n"})
    if project.has("staged"):
        _put(package, {"staged.py": "staged = 1\n", "staged.json": "{}\n"})
        git(written.repository, "add", "--force", str(package / "staged.py"), str(package / "staged.json"))
    if project.has("deleted"):
        (package / "gone.py").unlink()


def _put(root: Path, files: Mapping[str, Content]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case Link(target):
                path.symlink_to(target)
            case Program(text):
                path.write_text(text)
                path.chmod(0o755)
            case str():
                path.write_text(content, newline="\n")
            case bytes():
                path.write_bytes(content)


def _commit(top: Path) -> None:
    git(top, "add", "--all", "--force")
    git(top, "commit", "--quiet", "--allow-empty", "--message", "change")


def git(folder: Path, *arguments: str) -> str:
    """Run git with the same result on every machine; return what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "tests", f"GIT_{role}_EMAIL": "tests@host.invalid"}
        environment[f"GIT_{role}_DATE"] = "2024-01-01T00:00:00Z"
    settings = ("-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false")
    done = subprocess.run(
        ["git", *settings, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()
