"""Apps that are not in Python: their assets are what ``lbdart build`` writes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any, Final

import pytest

from integ.tests.support.cdk_cli import CDK, ROOT
from integ.tests.support.projects import Project

APP: Final = ROOT / "integ" / "typescript"
GUIDE: Final = ROOT / "docs" / "typescript.md"
TIMEOUT: Final = 120  # seconds for one command


def run(folder: Path, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def blocks(language: str) -> list[str]:
    """Return the blocks of a language in the guide."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def app(locked_project: Project, cache: Path, tmp_path: Path) -> Path:
    """The app in TypeScript, beside a project that needs no network."""
    folder = tmp_path / "typescript"
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("build", "cdk.out", "node_modules"))
    (folder / "node_modules").symlink_to(ROOT / "integ" / "node_modules")
    locked_project.copy(tmp_path / "example" / "orders")
    return folder


def assets(assembly: Path) -> dict[str, str]:
    """Return the hash of the file that each resource of a template has, by its name in the app."""
    template = json.loads((assembly / "Orders.template.json").read_text())
    files: dict[str, Any] = json.loads((assembly / "Orders.assets.json").read_text())["files"]
    found = {}
    for resource in template["Resources"].values():
        properties = resource["Properties"]
        place = properties.get("Code") or properties.get("Content")
        if place is not None:
            asset = files[place["S3Key"].removesuffix(".zip")]["source"]
            assert asset["packaging"] == "file"
            found[resource["Metadata"]["aws:cdk:path"].split("/")[1]] = sha256(assembly / asset["path"])
    return found


@pytest.mark.cli
def test_a_synthesis_in_typescript_has_the_zips_of_lbdart(app: Path, tmp_path: Path) -> None:
    quiet = {"CDK_VALIDATION": "false"}
    result = run(app, CDK, "synth", "--no-notices", "--no-color", "--ci", **quiet)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Resources:\n")
    assert re.search(r"^build/orders-deps.zip: 1 package, .*, built in ", result.stderr, re.MULTILINE)
    first = assets(app / "cdk.out")
    target = ("--runtime", "python3.13", "--arch", "arm64")
    names = {"Deps": "layer", "Pricing": "source", "PricingInOneZip": "function"}
    for name, kind in names.items():
        built = run(tmp_path, "lbdart", "build", kind, "example/orders", *target, "-o", f"{name}.zip")
        assert built.returncode == 0, built.stderr
    assert first == {name: sha256(tmp_path / f"{name}.zip") for name in names}

    again = run(app, "node", "build/app.js", CDK_OUTDIR="again.out", **quiet)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count(", unchanged, ") == 3
    template = "Orders.template.json"
    # As the second synthesis has it, but for the metadata that only the command line asks for.
    assert assets_of(app / "again.out" / template) == assets_of(app / "cdk.out" / template)

    (app.parent / "example/orders/src/orders/more.py").write_text("x = 1\n")
    changed = run(app, "node", "build/app.js", CDK_OUTDIR="changed.out", **quiet)
    assert changed.returncode == 0, changed.stderr
    before, after = assets_of(app / "again.out" / template), assets_of(app / "changed.out" / template)
    assert {name for name in before if before[name] != after[name]} == {"Pricing", "PricingInOneZip"}


def assets_of(template: Path) -> dict[str, dict[str, Any]]:
    """Return the properties of the layers and functions in a template."""
    resources = json.loads(template.read_text())["Resources"].items()
    return {
        re.sub(r"[0-9A-F]{8}$", "", name): each["Properties"]
        for name, each in resources
        if each["Type"] in ("AWS::Lambda::Function", "AWS::Lambda::LayerVersion")
    }


@pytest.mark.cli
def test_a_build_that_fails_fails_the_synthesis(app: Path) -> None:
    (app.parent / "example/orders/uv.lock").unlink()
    compiled = run(app, "npm", "run", "--silent", "build")
    assert (compiled.returncode, compiled.stdout) == (0, "")
    result = run(app, "node", "build/app.js", CDK_OUTDIR="cdk.out")
    assert result.returncode != 0
    assert result.stderr.startswith("Error: There is no ")
    assert "--tool" in result.stderr.splitlines()[1]


def test_the_guide_shows_the_app_that_is_tested() -> None:
    assert blocks("typescript") == [(APP / "app.ts").read_text()]


def test_the_app_has_the_versions_that_are_installed() -> None:
    installed = json.loads((ROOT / "integ/package.json").read_text())["dependencies"]
    named = json.loads((APP / "package.json").read_text())
    assert {**named["dependencies"], **named["devDependencies"]} == installed


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_terraform_gets_text_about_the_zip(locked_project: Project, cache: Path, tmp_path: Path) -> None:
    (snippet, _) = blocks("hcl")
    (script,) = re.findall(r'program = \["sh", "-c", <<-EOT\n(.*?)\n  EOT', snippet, re.DOTALL)
    locked_project.copy(tmp_path / "orders")
    result = run(tmp_path, "sh", "-c", script)
    assert result.returncode == 0, result.stderr
    path = tmp_path / "build/deps.zip"
    digest = b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()
    # Terraform takes one object whose values are text.
    assert json.loads(result.stdout) == {"path": "build/deps.zip", "code_sha256": digest}
    (tmp_path / "orders/uv.lock").unlink()
    failed = run(tmp_path, "sh", "-c", script)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("Error: ")


def test_the_commands_of_the_guide_work(locked_project: Project, cache: Path, tmp_path: Path) -> None:
    locked_project.copy(tmp_path / "orders")
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("lbdart ")]
    assert len(commands) == 4
    for command in commands:
        result = run(tmp_path, "sh", "-c", command)
        assert (result.returncode, result.stderr) == (0, ""), command
    named = set(re.findall(r"build/[a-z]+\.zip", "".join((*blocks("yaml"), *blocks("sh")))))
    assert named == {f"build/{path.name}" for path in (tmp_path / "build").iterdir()}
