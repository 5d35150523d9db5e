"""Every block of the pages is held by a test: a new kind of block, or one that nothing tests, fails here."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from aws_cdk import App, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from click.testing import CliRunner

from integ.tests.support.cdk_cli import CDK
from lbdart_cdk import LambdaFunctionArtifact, LambdaLayerArtifact, LbdartError
from lbdart_cdk.cli import main
from lbdart_cdk.constructs.plain_assets import CONTEXT
from lbdart_cdk.core.artifacts.summary import Part, Summary
from lbdart_cdk.core.locking.select import select
from lbdart_cdk.core.native.check import check
from lbdart_cdk.core.native.scan import scan_entries
from lbdart_cdk.core.project.target import Target
from lbdart_cdk.core.publishing.layouts import LayerS3Layout, SourceS3Layout
from lbdart_cdk.core.store.store import CACHE_VARIABLE
from lbdart_cdk.core.wheels.contents import wheel_entries
from tests.support.apps import make_app
from tests.support.docker import FakeDocker
from tests.support.elf import make_elf
from tests.support.index import Index
from tests.support.locks import SDIST, lock_of, locked
from tests.support.pages import ROOT, Block, all_blocks, block, blocks, own_tests, text_of
from tests.support.projects import index_table, make_project, make_sdist, uv_lock
from tests.support.wheels import make_wheel

#: Blocks without a language, by page and the start of their first line -> the test that holds them.
HELD: Final = {
    ("README.md", "pip install "): "test_commands_are_there",
    ("README.md", "lbdart "): "test_commands_are_there",
    ("README.md", "make "): "test_commands_are_there",
    ("docs/aws.md", "make "): "test_commands_are_there",
    ("docs/benchmarks.md", "lock to layer.zip "): "test_figures_are_those_that_are_measured",
    ("docs/checks.md", "Error: No wheel loads "): "test_the_error_about_a_package_without_a_wheel",
    ("docs/checks.md", "Error: This does not load "): "test_the_error_about_a_wheel_that_promises_too_much",
    ("docs/checks.md", "WARNING "): "test_the_warning_about_a_library",
    ("docs/compiled_packages.md", "Error: native-1.0"): "test_the_error_about_what_compiles",
    ("docs/compiled_packages.md", "native.c:1:10"): "test_the_error_of_a_build_in_a_container",
    ("docs/design.md", "manifest "): "test_the_flow_names_each_manifest",
    ("docs/development.md", "cdk synth "): "test_commands_are_there",
    ("docs/getting_started.md", "pip install "): "test_commands_are_there",
    ("docs/getting_started.md", "app.py "): "test_the_project_that_is_shown_is_an_app",
    ("docs/getting_started.md", "Shop/Deps: "): "test_lines_of_a_synthesis",
    ("docs/getting_started.md", "A local AWS "): "test_the_demo_prints_what_is_shown",
    ("docs/s3.md", "s3://"): "test_keys_in_s3",
    ("docs/scripts.md", "$ python "): "test_the_programs_without_cdk_print_what_is_shown",
    ("docs/trust.md", "$ "): "test_commands_are_there",
}


class Loader(yaml.SafeLoader):
    """Reads YAML with the tags of CloudFormation, such as ``!Ref``."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix} {node.value}")

CONFIGURATION: Final[dict[str, Callable[[str], object]]] = {
    "yaml": lambda text: yaml.load(text, Loader),
    "toml": tomllib.loads,
    "json": json.loads,
}
FRAGMENTS: Final = [
    each
    for each in all_blocks()
    if each.language == "python" and not each.program and not own_tests(each.page)
]


def held_by(each: Block) -> str | None:
    """Return the test that holds a block, or None."""
    if each.program and not own_tests(each.page):
        return "test_programs_are_the_ones_tested_here"
    if each.language in CONFIGURATION:
        return "test_configuration_parses"
    if each in FRAGMENTS:
        return "test_fragments_run"
    if each.language == "dockerfile":
        return "test_the_dockerfile_exports_the_lock"
    found = [
        test for (page, start), test in HELD.items() if page == each.page and each.text.startswith(start)
    ]
    return found[0] if found else next(iter(own_tests(each.page)), None)


def test_every_block_has_a_test() -> None:
    assert [str(each) for each in all_blocks() if held_by(each) is None] == []


def test_every_test_that_is_named_is_there() -> None:
    text = "".join(
        path.read_text()
        for path in (*(ROOT / "tests/docs").glob("test_*.py"), ROOT / "integ/tests/test_demo.py")
    )
    named = {test for each in all_blocks() if (test := held_by(each)) and test.startswith("test_")}
    assert [name for name in sorted(named) if f"def {name}(" not in text] == []
    assert set(HELD.values()) <= named


@pytest.mark.parametrize("each", [each for each in all_blocks() if each.language in CONFIGURATION], ids=str)
def test_configuration_parses(each: Block) -> None:
    assert CONFIGURATION[each.language](each.text)


@pytest.mark.parametrize("each", [each for each in all_blocks() if each.language == "python"], ids=str)
def test_python_compiles(each: Block) -> None:
    compile(each.text, str(each), "exec")


@pytest.mark.parametrize("each", FRAGMENTS, ids=str)
def test_fragments_run(
    each: Block, orders: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(orders, tmp_path / "app" / "services" / "orders")
    shutil.copytree(orders, tmp_path / "app", dirs_exist_ok=True)
    (tmp_path / "app" / "services" / "orders" / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.chdir(tmp_path / "app")
    stack = Stack(make_app(tmp_path / "cdk.out"), "Shop")
    names: dict[str, Any] = {
        "self": stack,
        "lambda_": lambda_,
        "Duration": Duration,
        "LambdaFunctionArtifact": LambdaFunctionArtifact,
        "LambdaLayerArtifact": LambdaLayerArtifact,
    }
    before = len(stack.node.children)
    # CDK's own process has another working directory here than an app's.
    code = each.text.replace('"services/', f'"{tmp_path}/app/services/')
    exec(compile(code, str(each), "exec"), names)
    assert len(stack.node.children) > before


# --- commands


def commands() -> list[tuple[str, str]]:
    """Each command that a block without a language shows, with its page."""
    found = []
    for each in all_blocks():
        if each.language:
            continue
        lines = each.text.splitlines()
        if any(line.startswith("$ ") for line in lines):
            found += [(each.page, line[2:]) for line in lines if line.startswith("$ ")]
        elif re.match(r"(pip|make|cdk|sam|lbdart) ", each.text):
            found += [(each.page, line) for line in lines]
    return [(page, command) for page, command in found if not own_tests(page) or page == "docs/aws.md"]


def is_there(command: str) -> bool:
    """Whether what a command runs is in the checkout, or on the way to it."""
    program, *arguments = shlex.split(command.partition(" | ")[0])
    return CHECKS[program](arguments)


def is_requirement(arguments: list[str]) -> bool:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name, _, extra = arguments[-1].rstrip("]").partition("[")
    known = {"", *metadata["optional-dependencies"]}
    return arguments[:-1] == ["install"] and name == metadata["name"] and extra in known


def is_python(arguments: list[str]) -> bool:
    if arguments[0] != "-m":
        return any(each.program == arguments[0] for each in all_blocks())
    if arguments[1] == "pytest":
        return all((ROOT / path).exists() for path in arguments if path.startswith("tests/"))
    place = ROOT.joinpath(*arguments[1].split("."))
    return place.with_suffix(".py").is_file() or (place / "__main__.py").is_file()


def is_cdk(arguments: list[str]) -> bool:
    keys = {key.partition("=")[0] for option, key in pairwise(arguments) if option == "-c"}
    return arguments[0] in {"bootstrap", "deploy", "destroy", "synth"} and keys <= {CONTEXT}


def is_lbdart(arguments: list[str]) -> bool:
    options = [argument for argument in arguments if argument.startswith("-")]
    subcommands = arguments[: arguments.index(options[0])]
    said = CliRunner().invoke(main, [*subcommands, "--help"])
    return said.exit_code == 0 and all(re.search(rf"{option}\b", said.output) for option in options)


#: What a page may show to run -> whether what it is run with is there.
CHECKS: Final[dict[str, Callable[[list[str]], bool]]] = {
    "cdk": is_cdk,
    "lbdart": is_lbdart,
    "make": lambda arguments: f"\n{arguments[0]}:" in (ROOT / "Makefile").read_text(),
    "pip": is_requirement,
    "python": is_python,
    "sam": lambda arguments: arguments[:2] == ["local", "invoke"],
}


def test_commands_are_there() -> None:
    found = commands()
    assert len(found) > 20
    assert [f"{page}: {command}" for page, command in found if not is_there(command)] == []


def test_files_that_a_page_names_are_there() -> None:
    for page in ("docs/trust.md", "docs/aws.md", "docs/design.md"):
        named = re.findall(r"`((?:tests|integ|bench|lbdart_cdk)/[\w./]+)`", text_of(page))
        assert [name for name in named if not (ROOT / name).exists()] == [], page


def test_the_dockerfile_exports_the_lock(orders: Path, tmp_path: Path) -> None:
    (dockerfile,) = (each.text for each in blocks("docs/container_image.md") if each.language == "dockerfile")
    lines = dockerfile.replace("\\\n", " ").splitlines()
    assert {line.split()[0] for line in lines} == {"#", "FROM", "RUN", "WORKDIR", "COPY", "CMD"}
    (export,) = re.findall(r"uv export [^&]+", " ".join(lines))
    done = subprocess.run(shlex.split(export), cwd=orders, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--hash=sha256:" in (orders / "requirements.txt").read_text()
    (handler,) = json.loads(lines[-1].removeprefix("CMD "))
    assert (orders / "src" / handler.rpartition(".")[0].replace(".", "/")).with_suffix(".py").is_file()


# --- pipelines


def pipeline(name: str) -> dict[Any, Any]:
    content = yaml.safe_load(block("docs/pipelines.md", f"# {name}"))
    assert isinstance(content, dict)
    return content


def shell_commands() -> list[str]:
    jobs = pipeline(".github/workflows/deploy.yml")["jobs"].values()
    found = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    for job in pipeline(".gitlab-ci.yml").values():
        if isinstance(job, dict):
            found += job.get("script", [])
    return found


def test_the_workflow_is_one_of_github() -> None:
    workflow = pipeline(".github/workflows/deploy.yml")
    assert workflow.keys() == {"name", True, "permissions", "jobs"}  # YAML 1.1 reads the key "on" so
    assert workflow[True].keys() == {"pull_request", "push"}
    caches = []
    for name, job in workflow["jobs"].items():
        assert job.keys() <= {"if", "runs-on", "environment", "permissions", "concurrency", "env", "steps"}, (
            name
        )
        for step in job["steps"]:
            assert len(step.keys() & {"uses", "run"}) == 1, step
            assert step.keys() <= {"uses", "run", "with"}, step
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"])
        assert list(job["env"]) == [CACHE_VARIABLE]
        (kept,) = (step["with"] for step in job["steps"] if step.get("uses", "").startswith("actions/cache@"))
        assert job["env"][CACHE_VARIABLE] == "${{ github.workspace }}/" + kept["path"]
        assert kept["key"].startswith(kept["restore-keys"])
        caches.append(kept["restore-keys"])
        assert "older_than" in job["steps"][-1]["run"]  # pruned before it is saved
    for one, other in (caches, caches[::-1]):
        assert not one.startswith(other)  # the job that deploys has a cache of its own
    assert workflow["permissions"] == {"contents": "read"}
    expressions = re.findall(r"\$\{\{ (\w+)", block("docs/pipelines.md", "# .github"))
    assert set(expressions) <= {"github", "vars", "hashFiles"}


def test_the_pipeline_is_one_of_gitlab() -> None:
    content = pipeline(".gitlab-ci.yml")
    stages, default = content.pop("stages"), content.pop("default")
    assert default.keys() == {"image"}
    known = {"stage", "variables", "cache", "script", "artifacts", "rules", "id_tokens", "resource_group"}
    for name, job in content.items():
        assert job.keys() <= known, name
        assert job["stage"] in stages
        assert all(isinstance(line, str) for line in job["script"])
    synth = content["synth"]
    assert synth["variables"] == {CACHE_VARIABLE: "$CI_PROJECT_DIR/" + synth["cache"]["paths"][0]}
    assert synth["artifacts"]["paths"] == ["cdk.out"]


@pytest.mark.skipif(not CDK.exists(), reason="the cdk CLI is not installed: run make setup")
def test_the_commands_of_pipelines_are_there() -> None:
    options: dict[str, str] = {}
    found = shell_commands()
    assert len(found) > 8
    for command in found:
        program, *arguments = shlex.split(command)
        assert program in {"pip", "npx", "python", "echo"}, command
        if program == "pip":
            assert arguments == ["install", "--requirement", "requirements-cdk.txt"]
        elif program == "python":
            compile(arguments[1], command, "exec")  # and runs, in tests/core/store/test_store_prune.py
        elif program == "npx":
            yes, package, subcommand, *rest = arguments
            assert (yes, package) == ("--yes", "aws-cdk@2")
            if subcommand not in options:
                options[subcommand] = subprocess.run(
                    [CDK, subcommand, "--help"], capture_output=True, text=True, timeout=60, check=True
                ).stdout
            for argument in rest:
                assert not argument.startswith("--") or argument in options[subcommand], command


# --- what is printed


def said(text: str) -> tuple[str, str]:
    """Return the two sentences of an error that a page shows."""
    error = text[text.index("Error: ") :].removeprefix("Error: ").splitlines()
    assert error[2:] in ([], ["[at Orders/Deps]"])
    return error[0], error[1]


def test_lines_of_a_synthesis() -> None:
    mb = 1024 * 1024
    left_out = ("boto3", "botocore", "s3transfer")
    deps = Summary([Part(9, "package", left_out)], round(15.9 * mb), round(52.7 * mb))
    code = Summary([Part(4, "file", (".env",))], 3000, 9000)
    assert block("docs/getting_started.md", "Shop/Deps").splitlines() == [
        deps.line("Shop/Deps", is_new=True, seconds=5.4),
        code.line("Shop/Code", is_new=False, seconds=0.004),
    ]


def test_the_project_that_is_shown_is_an_app(orders: Path) -> None:
    lines = dict(
        line.split(maxsplit=1) for line in block("docs/getting_started.md", "app.py ").strip().splitlines()
    )
    assert json.loads(lines.pop("cdk.json")) == {"app": "python app.py"}
    assert lines.pop("app.py") == "the app above"
    assert [name for name in lines if not (orders / name).is_file()] == []
    assert (orders / "src/orders/app.py").read_text().startswith(lines["src/orders/app.py"].rstrip(" ."))
    assert "[build-system]" in (orders / "pyproject.toml").read_text()


def test_the_error_about_a_package_without_a_wheel() -> None:
    problem, remedy = said(block("docs/checks.md", "Error: No wheel"))
    (listed,) = re.findall(r"its wheels are (.*) and 67 more", problem)
    tags = listed.split(", ") + [f"cp312-cp312-macosx_{number}_0_arm64" for number in range(11, 78)]
    wheels = [f"numpy-2.4.2-{tag}.whl" for tag in tags]
    with pytest.raises(LbdartError) as caught:
        select(
            lock_of(
                locked("numpy", "2.4.2", wheels=wheels, source=SDIST.replace("alpha-1.0", "numpy-2.4.2"))
            ),
            Target((3, 11)),
        )
    assert (caught.value.problem, caught.value.remedy) == (problem, remedy)


def test_the_error_about_a_wheel_that_promises_too_much(tmp_path: Path) -> None:
    content = make_elf(versions={"libc.so.6": ["GLIBC_2.34"]})
    files = {"cryptography/hazmat/bindings/_rust.abi3.so": content}
    tag = "cp39-abi3-manylinux_2_17_x86_64"
    wheel = make_wheel(tmp_path, "cryptography", "45.0.7", tag=tag, files=files)
    found = check([scan_entries("cryptography", wheel_entries(wheel), tmp_path)], Target((3, 11)))
    with pytest.raises(LbdartError) as caught:
        found.raise_errors(Target((3, 11)))
    assert (caught.value.problem, caught.value.remedy) == said(block("docs/checks.md", "Error: This does"))


def test_the_warning_about_a_library(tmp_path: Path) -> None:
    files = {"lightgbm/lib/lib_lightgbm.so": make_elf(needed=["libc.so.6", "libgomp.so.1"])}
    tag = "py3-none-manylinux_2_27_x86_64.manylinux_2_28_x86_64"
    wheel = make_wheel(tmp_path, "lightgbm", "4.7.0", tag=tag, files=files)
    found = check([scan_entries("lightgbm", wheel_entries(wheel), tmp_path)], Target((3, 13)))
    (warning,) = found.warnings
    shown = block("docs/checks.md", "WARNING ")
    assert warning.id in shown.splitlines()[-1]
    assert warning.id in text_of("docs/checks.md").split(shown)[1]  # acknowledged
    # A real wheel lists both tags in its WHEEL file.
    listed = "py3-none-manylinux_2_27_x86_64, py3-none-manylinux_2_28_x86_64"
    assert shown.startswith(f"WARNING {warning.text.replace(tag, listed)}")


def layer_of_native(root: Path, index: Index, **props: Any) -> LbdartError:
    """Return the error of a layer that needs native, which compiles."""
    make_sdist(index.folder, "native", tag="cp311-cp311-linux_x86_64")
    make_project(root, dependencies=["native"], tail=index_table(index.url))
    uv_lock(root)
    runtime = lambda_.Runtime.PYTHON_3_11
    with pytest.raises(LbdartError) as caught:
        LambdaLayerArtifact(
            Stack(App(outdir=str(root.parent / "cdk.out")), "Orders"),
            "Deps",
            project=str(root),
            runtime=runtime,
            **props,
        )
    return caught.value


def test_the_error_about_what_compiles(index: Index, cache: Path, tmp_path: Path) -> None:
    error = layer_of_native(tmp_path / "orders", index)
    shown = block("docs/compiled_packages.md", "Error: native")
    assert (error.problem, error.remedy) == said(shown)
    assert error.__notes__ == [shown.splitlines()[-1]]


def test_the_error_of_a_build_in_a_container(
    index: Index,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown = block("docs/compiled_packages.md", "native.c")
    first = shown.splitlines()[0]
    FakeDocker(tmp_path / "bin", monkeypatch).answers(run=f"echo '{first}' >&2; exit 1")
    error = layer_of_native(tmp_path / "orders", index, build_in_container=True)
    assert (error.problem, error.remedy) == said(shown)
    assert first in capsys.readouterr().err


def test_keys_in_s3() -> None:
    layer, source = LayerS3Layout("s3://{bucket}/{prefix}"), SourceS3Layout("s3://{bucket}/{prefix}")
    shown = re.findall(r"^(s3://\S+)", block("docs/s3.md", "s3://"), re.MULTILINE)
    assert shown == [
        str(layer.s3path_temp_layer_zip),
        str(layer.get_s3path_layer_manifest(1, "uv.lock")),
        str(layer.get_s3path_layer_sbom(1)),
        str(layer.get_s3path_layer_manifest(2, "uv.lock")),
        str(layer.s3path_publish_claim),
        str(source.get_s3path_source_zip("0.1.0", "{sha256}")),
    ]


def test_the_flow_names_each_manifest() -> None:
    first = block("docs/design.md", "manifest ").splitlines()[0]
    for row in re.findall(r"^\| `\w+` \| `([\w.]+)`", text_of("docs/tools.md"), re.MULTILINE):
        assert row in first


def test_figures_are_those_that_are_measured() -> None:
    shown = block("docs/benchmarks.md", "lock to layer.zip ")
    source = "".join(path.read_text() for path in (ROOT / "bench").glob("*.py"))
    goals = re.findall(r"\(goal: [^)]+\)", shown)
    assert len(goals) > 10
    named = [re.sub(r"\d+ calls", "{_GOALS[happens]} calls", goal) for goal in goals]
    assert [goal for goal in named if goal not in source] == []
    figures = re.findall(
        r"\d+\.\d+ s|\d+ MB", text_of("README.md").split("## What you get")[1].split("\n## ")[0]
    )
    assert len(figures) == 5
    assert [figure for figure in figures if not re.search(rf"\b{re.escape(figure)}", shown)] == []
    assert re.search(r"^  unchanged +3 ", shown, re.MULTILINE)  # "3 calls to AWS"
