"""What a layer leaves out by default is the same whatever tool locks the project."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lbdart_cdk.core.artifacts.layer import LayerArtifact
from lbdart_cdk.core.locking.manifest import find_project, tools
from lbdart_cdk.core.locking.tool import Options
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.store.store import Store
from tests.support import pdm, poetry
from tests.support.index import Index
from tests.support.locks import locked_file
from tests.support.projects import index_table, make_project, run_uv, uv_lock
from tests.support.wheels import make_wheel, names_in

#: What each package requires; each has one version.
REQUIRES: Mapping[str, Sequence[str]] = {
    "boto3": ["botocore", "s3transfer"],
    "botocore": ["jmespath", "urllib3"],
    "s3transfer": ["botocore"],
    "jmespath": [],
    "urllib3": [],
    "requests": ["urllib3"],
    "powertools": ["jmespath", "boto3; extra == 'aws-sdk'", "xray; extra == 'tracer'"],
    "xray": ["botocore"],
    "moto": ["boto3", "requests"],
    "upload": ["powertools[aws-sdk]"],
    "elsewhere": ["jmespath", "boto3; sys_platform == 'win32'"],
    "alpha": [],
    "setuptools": [],
}
SDK = {"boto3", "botocore", "s3transfer", "urllib3", "jmespath"}
WINDOWS = "sys_platform == 'win32'"


@dataclass(frozen=True)
class Scenario:
    """A project, what is asked of its layer, what is in it, and the ids of the warnings about that."""

    dependencies: list[str]
    kept: set[str]
    warnings: set[str] = field(default_factory=set)
    extras: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    options: Options = field(default_factory=Options)
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    #: What is kept beyond that in doubt, for a compiled file: it does not say where an extra is asked for.
    in_doubt: set[str] = field(default_factory=set)


SCENARIOS = {
    "a direct dependency goes, and that is said": Scenario(
        ["alpha", "boto3"], {"alpha", "jmespath"}, {"left-out:boto3"}
    ),
    "it need not be said": Scenario(["alpha", "boto3"], {"alpha", "jmespath"}, exclude=("boto3",)),
    "each direct dependency is said": Scenario(
        ["alpha", "urllib3", "setuptools"], {"alpha"}, {"left-out:urllib3", "left-out:setuptools"}
    ),
    "a direct dependency that is kept": Scenario(["alpha", "boto3"], {"alpha", *SDK}, keep=("boto3",)),
    "any part of the SDK keeps the whole": Scenario(
        ["alpha", "boto3"], {"alpha", *SDK}, keep=("s3transfer",)
    ),
    "only what is named is kept": Scenario(
        ["alpha", "boto3"], {"alpha", "jmespath", "urllib3"}, {"left-out:boto3"}, keep=("urllib3",)
    ),
    "a package that requires botocore keeps the whole SDK": Scenario(["boto3", "xray"], {"xray", *SDK}),
    "a part of the SDK alone": Scenario(["xray"], {"xray", *SDK} - {"boto3", "s3transfer"}, {"sdk"}),
    "an excluded package keeps nothing": Scenario(
        ["boto3", "xray", "alpha"], {"alpha", "jmespath"}, {"left-out:boto3"}, exclude=("xray",)
    ),
    "a part of the SDK that the user leaves out": Scenario(
        ["boto3", "xray"], {"xray", *SDK} - {"boto3"}, {"sdk"}, exclude=("boto3",)
    ),
    "a package of a group that is not chosen": Scenario(
        ["alpha", "boto3"], {"alpha", "jmespath"}, {"left-out:boto3"}, groups={"dev": ["moto"]}
    ),
    "an extra that is asked for": Scenario(["powertools[aws-sdk]"], {"powertools", *SDK}),
    "an extra that is asked for, of what is required directly": Scenario(
        ["powertools[aws-sdk]", "boto3"], {"powertools", *SDK}
    ),
    "an extra that is not asked for": Scenario(
        ["powertools", "boto3"], {"powertools", "jmespath"}, {"left-out:boto3"}
    ),
    "another extra than the one that is asked for": Scenario(
        ["powertools[tracer]", "boto3"], {"powertools", "xray", *SDK}
    ),
    "an extra that only a group asks for": Scenario(
        ["powertools", "boto3"],
        {"powertools", "jmespath"},
        {"left-out:boto3"},
        groups={"dev": ["powertools[aws-sdk]", "moto"]},
    ),
    "an extra that a package asks for": Scenario(
        ["upload", "boto3", "powertools"], {"upload", "powertools", *SDK}
    ),
    "an extra that an excluded package asks for": Scenario(
        ["upload", "boto3", "powertools"],
        {"powertools", "jmespath"},
        {"left-out:boto3"},
        exclude=("upload",),
        in_doubt=SDK,
    ),
    "an extra that is asked for elsewhere": Scenario(
        ["powertools", f"powertools[aws-sdk]; {WINDOWS}", "boto3"],
        {"powertools", "jmespath"},
        {"left-out:boto3"},
        in_doubt=SDK,
    ),
    "a requirement that holds elsewhere": Scenario(
        ["elsewhere", "boto3"], {"elsewhere", "jmespath"}, {"left-out:boto3"}
    ),
    "a package that is installed elsewhere": Scenario(
        [f"xray; {WINDOWS}", "alpha", "boto3"], {"alpha", "jmespath"}, {"left-out:boto3"}
    ),
    "the default list and names that match nothing": Scenario(
        ["alpha"], {"alpha"}, {"exclude:beta", "keep:boto3"}, exclude=("Beta",), keep=("boto3",)
    ),
    "a chosen extra of the project": Scenario(
        ["powertools"],
        {"powertools", *SDK},
        extras={"aws": ["powertools[aws-sdk]"], "all": ["orders[aws]"]},
        options=Options(extras=("all",)),
    ),
    "a chosen group of the project": Scenario(
        ["powertools", "boto3"],
        {"powertools", *SDK},
        groups={"aws": ["powertools[aws-sdk]"]},
        options=Options(groups=("aws",)),
    ),
}


@pytest.fixture
def served(index: Index, monkeypatch: pytest.MonkeyPatch) -> Index:
    for name, requires in REQUIRES.items():
        extras = {extra for line in requires for extra in ("aws-sdk", "tracer") if extra in line}
        make_wheel(index.folder, name, requires=requires, extras=sorted(extras))
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple/")
    return index


def all_required(scenario: Scenario) -> dict[str, list[str]]:
    """Return what the project requires for each of its groups, with ``""`` for itself and its extras."""
    chosen = [line for extra in scenario.options.extras for line in resolved(extra, scenario)]
    return {"": [*scenario.dependencies, *chosen], **scenario.groups}


def resolved(extra: str, scenario: Scenario) -> Iterator[str]:
    for line in scenario.extras[extra]:
        required = Requirement(line)
        if required.name == "orders":
            for other in required.extras:
                yield from resolved(other, scenario)
        else:
            yield line


@dataclass
class Found:
    """How the locks of Poetry and PDM have a package.

    :param groups: the groups that lead to it, each with the conditions of the ways there.
    """

    groups: dict[str, set[str]] = field(default_factory=dict)
    extras: set[str] = field(default_factory=set)

    def marker(self, group: str) -> str | None:
        conditions = self.groups[group]
        return None if "" in conditions else " or ".join(sorted(conditions))


def found_in(scenario: Scenario) -> dict[str, Found]:
    """Return the packages that the project leads to; conditions are never nested here."""
    found: dict[str, Found] = {}
    for group, lines in all_required(scenario).items():
        waiting = [(line, "") for line in lines]
        seen = set()
        while waiting:
            line, above = waiting.pop()
            required = Requirement(line)
            condition = above or str(required.marker or "")
            if (line, above) in seen:
                continue
            seen.add((line, above))
            package = found.setdefault(required.name, Found())
            package.groups.setdefault(group, set()).add(condition)
            package.extras |= required.extras
            for text in REQUIRES[required.name]:
                wanted, _, extra = text.partition("; extra == ")
                if not extra or extra.strip("'") in required.extras:
                    waiting.append((wanted, condition))
    return found


def with_uv(root: Path, scenario: Scenario, index: Index) -> None:
    uv_lock(root)


def with_pylock(root: Path, scenario: Scenario, index: Index) -> None:
    uv_lock(root)
    options = scenario.options
    chosen = [
        *(f"--extra={name}" for name in options.extras),
        *(f"--group={name}" for name in options.groups),
    ]
    run_uv(root, "export", "--format=pylock.toml", "--no-emit-project", "--no-default-groups", *chosen,
           "-o", "pylock.toml")  # fmt: skip
    (root / "uv.lock").unlink()


def own_lines(scenario: Scenario) -> str:
    required = all_required(scenario)
    return "\n".join(
        [*required[""], *(line for group in scenario.options.groups for line in required[group])]
    )


def with_pip(root: Path, scenario: Scenario, index: Index) -> None:
    (root / "requirements.txt").write_text(own_lines(scenario))


def with_pip_compiled(root: Path, scenario: Scenario, index: Index) -> None:
    """As the README of the tool has it: the extras are lost, the comments say who requires what."""
    (root / "requirements.in").write_text(own_lines(scenario))
    run_uv(root, "pip", "compile", "--universal", "--generate-hashes", "requirements.in",
           "-o", "requirements.txt")  # fmt: skip


def with_poetry(root: Path, scenario: Scenario, index: Index) -> None:
    def constraint(line: str) -> str:
        required = Requirement(line)
        options = ['version = "*"', f"extras = {json.dumps(sorted(required.extras))}"]
        options += [f"markers = {json.dumps(str(required.marker))}"] if required.marker is not None else []
        return f"{required.name} = {{{', '.join(options)}}}"

    poetry.poetry_lock(
        root,
        *(
            poetry.package(
                *index.folder.glob(f"{name}-*"),
                groups=tuple(group or "main" for group in package.groups),
                markers={
                    group or "main": marker
                    for group in package.groups
                    if (marker := package.marker(group)) is not None
                },
                requires="\n".join(
                    constraint(line)
                    for line in REQUIRES[name]
                    if "extra" not in line or any(extra in line for extra in package.extras)
                ),
            )
            for name, package in found_in(scenario).items()
        ),
        extras="\n".join(f"{extra} = []" for extra in scenario.extras),
    )  # fmt: skip


def with_pdm(root: Path, scenario: Scenario, index: Index) -> None:
    packages = []
    for name, package in found_in(scenario).items():
        markers = {package.marker(group) for group in package.groups}
        options = {
            "groups": tuple(group or "default" for group in package.groups),
            "marker": None if None in markers else " or ".join(sorted(filter(None, markers))),
        }
        wheels = list(index.folder.glob(f"{name}-*"))
        always = [line for line in REQUIRES[name] if "extra" not in line]
        packages.append(pdm.package(*wheels, requires=always, **options))  # type: ignore[arg-type]
        for extra in package.extras:
            more = [line.partition(";")[0] for line in REQUIRES[name] if extra in line]
            packages.append(
                pdm.package(*wheels, extras=(extra,), requires=[f"{name}==1.0", *more], **options)  # type: ignore[arg-type]
            )
    pdm.pdm_lock(root, *packages, groups=("default", *scenario.extras, *scenario.groups))


LOCKED_WITH: dict[str, Callable[[Path, Scenario, Index], None]] = {
    "uv": with_uv,
    "pylock": with_pylock,
    "pip": with_pip,
    "pip, compiled": with_pip_compiled,
    "poetry": with_poetry,
    "pdm": with_pdm,
}


def test_every_tool_is_here() -> None:
    assert {name.partition(",")[0] for name in LOCKED_WITH} == tools().keys()


@pytest.mark.parametrize("tool", LOCKED_WITH)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_layer_has_what_the_rule_says(served: Index, tmp_path: Path, tool: str, name: str) -> None:
    scenario = SCENARIOS[name]
    root = make_project(
        tmp_path / "orders",
        dependencies=scenario.dependencies,
        extras=scenario.extras,
        groups=scenario.groups,
        tail=index_table(served.url),
    )
    LOCKED_WITH[tool](root, scenario, served)
    _, reader = find_project(root)
    applied = Options() if reader.name in ("pip", "pylock") else scenario.options
    kept, warnings = built(root, tmp_path, applied, exclude=scenario.exclude, keep=scenario.keep)
    in_doubt = scenario.in_doubt if tool == "pip, compiled" else set()
    assert kept == scenario.kept | in_doubt
    assert warnings == (set() if in_doubt else scenario.warnings)


def built(
    root: Path, folder: Path, options: Options | None = None, **names: tuple[str, ...]
) -> tuple[set[str], set[str]]:
    """Build a layer; return what is in it, and the ids of the warnings about that."""
    found, reader = find_project(root)
    target, store = Target((3, 13)), Store(folder / "store")
    exclude = names.pop("exclude", ())
    artifact = LayerArtifact(found, reader, target, options or Options(), exclude, store, **names)  # type: ignore[arg-type]
    kept = {name.split("/")[1] for name in names_in(artifact.build())}
    assert artifact.report is not None
    return (
        {name for name in kept if not name.endswith(".dist-info")},
        {
            warning.id.removeprefix("lbdart_cdk:")
            for warning in artifact.report.warnings
            if not (warning.is_info or warning in artifact.lock.warnings)
        },
    )


class TestRequirementsFiles:
    """What pip reads besides names: files, constraints and directories, with extras."""

    @pytest.fixture
    def root(self, served: Index, tmp_path: Path) -> Path:
        root = make_project(tmp_path / "orders", tail=index_table(served.url))
        lib = make_project(root / "lib", "lib", extras={"aws": ["boto3"]})
        backend = lib / "backend.py"
        more = "Provides-Extra: aws\\nRequires-Dist: boto3; extra == 'aws'\\n"
        backend.write_text(
            backend.read_text().replace("Metadata-Version: 2.1\\n", f"Metadata-Version: 2.1\\n{more}")
        )
        return root

    @pytest.mark.parametrize(
        ("lines", "kept", "warnings"),
        [
            (["./lib[aws]"], {"lib", *SDK}, set()),
            (["./lib[aws]", "boto3"], {"lib", *SDK}, set()),
            (["-e ./lib[aws]", "boto3"], {"lib", *SDK}, set()),
            (["lib[aws] @ ./lib", "boto3"], {"lib", *SDK}, set()),
            (["./lib", "boto3"], {"lib", "jmespath"}, {"left-out:boto3"}),
            ([f"./lib[aws]; {WINDOWS}", "./lib", "boto3"], {"lib", "jmespath"}, {"left-out:boto3"}),
            (["-r more.txt", "boto3"], {"powertools", *SDK}, set()),
            (["-c more.txt", "powertools", "boto3"], {"powertools", "jmespath"}, {"left-out:boto3"}),
            (["-c more.txt", "xray", "alpha"], {"alpha", "xray", "botocore", "jmespath", "urllib3"}, {"sdk"}),
        ],
    )
    def test_their_extras_count(
        self,
        root: Path,
        tmp_path: Path,
        lines: list[str],
        kept: set[str],
        warnings: set[str],
    ) -> None:
        is_constraint = any(line.startswith("-c") for line in lines)
        (root / "more.txt").write_text("boto3==1.0\n" if is_constraint else "powertools[aws-sdk]\n")
        (root / "requirements.txt").write_text("\n".join(lines))
        assert built(root, tmp_path) == (kept, warnings)

    def test_in_doubt_the_sdk_stays(self, root: Path, tmp_path: Path) -> None:
        """As ``pip freeze`` lists packages: nothing says whether the extra was asked for."""
        (root / "requirements.txt").write_text("\n".join(f"{name}==1.0" for name in {"powertools", *SDK}))
        assert built(root, tmp_path) == ({"powertools", *SDK}, set())


class TestBareLocks:
    """A ``pylock.toml`` alone does not say what the project requires."""

    def lock(self, served: Index, root: Path, names: set[str]) -> Path:
        root.mkdir()
        tables = [locked_file(path) for name in sorted(names) for path in served.folder.glob(f"{name}-*")]
        (root / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "tests"\n' + "\n".join(tables))
        return root

    @pytest.mark.parametrize(
        ("names", "kept", "warnings"),
        [
            ({"alpha", *SDK}, {"alpha", "jmespath"}, {"left-out:boto3"}),
            ({"powertools", *SDK}, {"powertools", *SDK}, set()),
            ({"moto", "requests", *SDK}, {"moto", "requests", *SDK}, set()),
            ({"elsewhere", *SDK}, {"elsewhere", "jmespath"}, {"left-out:boto3"}),
        ],
    )
    def test_an_extra_counts_if_it_explains_a_package(
        self, served: Index, tmp_path: Path, names: set[str], kept: set[str], warnings: set[str]
    ) -> None:
        assert built(self.lock(served, tmp_path / "orders", names), tmp_path) == (kept, warnings)

    def test_a_project_beside_it_says_it(self, served: Index, tmp_path: Path) -> None:
        root = self.lock(served, tmp_path / "orders", {"powertools", *SDK})
        (root / "pyproject.toml").write_text(
            '[project]\nname = "orders"\ndependencies = ["powertools", "boto3"]\n'
        )
        before = built(root, tmp_path)
        assert before == ({"powertools", "jmespath"}, {"left-out:boto3"})
        (root / "pyproject.toml").write_text(
            '[project]\nname = "orders"\ndependencies = ["powertools[aws-sdk]", "boto3"]\n'
        )
        assert built(root, tmp_path) == ({"powertools", *SDK}, set())


class TestUvWorkspaces:
    def test_a_workspace_without_a_project_requires_what_its_members_do(
        self, served: Index, tmp_path: Path
    ) -> None:
        root = tmp_path / "shop"
        make_project(root / "one", "one", dependencies=["powertools[aws-sdk]"])
        make_project(root / "two", "two", dependencies=["boto3", "alpha"])
        (root / "pyproject.toml").write_text(
            "[tool.uv.workspace]\nmembers = ['one', 'two']\n[dependency-groups]\nops = ['requests']\n"
            + index_table(served.url)
        )
        uv_lock(root)
        kept, warnings = built(root, tmp_path)
        assert kept > SDK
        assert warnings == set()
        kept, warnings = built(root / "two", tmp_path)
        assert kept == {"alpha", "jmespath"}
        assert warnings == {"left-out:boto3"}

    def test_a_member_that_is_asked_for_with_an_extra(self, served: Index, tmp_path: Path) -> None:
        root = make_project(
            tmp_path / "orders",
            dependencies=["lib[aws]", "boto3"],
            tail="[tool.uv.workspace]\nmembers = ['lib']\n[tool.uv.sources]\nlib = { workspace = true }\n"
            + index_table(served.url),
        )
        make_project(root / "lib", "lib", extras={"aws": ["xray"], "other": ["alpha"]})
        uv_lock(root)
        assert built(root, tmp_path) == ({"lib", "xray", *SDK}, set())

    def test_extras_that_exclude_each_other(self, served: Index, tmp_path: Path) -> None:
        root = make_project(
            tmp_path / "orders",
            dependencies=["boto3"],
            extras={"one": ["xray"], "other": ["alpha"]},
            tail="[tool.uv]\nconflicts = [[{ extra = 'one' }, { extra = 'other' }]]\n"
            + index_table(served.url),
        )
        uv_lock(root)
        assert built(root, tmp_path, Options(extras=("one",))) == ({"xray", *SDK}, set())
        other = built(root, tmp_path, Options(extras=("other",)))
        assert other == ({"alpha", "jmespath"}, {"left-out:boto3"})
