"""The apps in ``examples/``, each in a copy, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from integ.tests.support.cdk_cli import ROOT
from integ.tests.support.deploying import Assembly
from lbdart_cdk.core.wheels.frontend import uv_executable

EXAMPLES: Final = ROOT / "examples"
_PAGE: Final = ROOT / "docs" / "examples.md"
_TIMEOUT: Final = 180  # seconds for locking, or for synthesising with what has to be downloaded


@dataclass(frozen=True)
class Example:
    """A copy of an example, without locks: it is locked when it is used."""

    name: str
    folder: Path

    @classmethod
    def copy(cls, name: str, to: Path) -> Example:
        """Copy what is committed of an example."""
        left_out = shutil.ignore_patterns("uv.lock", "cdk.out", ".venv", "__pycache__")
        return cls(name, Path(shutil.copytree(EXAMPLES / name, to / name, ignore=left_out)))

    def replace(self, old: str, new: str, *files: str) -> None:
        """Replace a text in files of the copy."""
        for file in files:
            path = self.folder / file
            text = path.read_text()
            assert old in text, file
            path.write_text(text.replace(old, new))

    def on_this_python(self) -> Example:
        """Name the runtime of the Python that the tests run on, so that the functions run here."""
        own = f"PYTHON_{sys.version_info.major}_{sys.version_info.minor}"
        self.replace("PYTHON_3_13", own, "app.py")
        return self

    def lock(self, **environment: str) -> Example:
        """Lock with uv, as the example's README says."""
        uv = uv_executable()
        assert uv is not None
        self._run([uv, "lock", "--quiet"], environment)
        return self

    def synth(self, app: str = "app.py", **environment: str) -> Synthesised:
        """Run an app as the cdk command line does."""
        context = json.loads((self.folder / "cdk.json").read_text()).get("context", {})
        context |= json.loads(environment.pop("CDK_CONTEXT_JSON", "{}"))
        outdir = self.folder / "cdk.out"
        done = self._run(
            [sys.executable, app],
            {
                "CDK_OUTDIR": str(outdir),
                "CDK_CONTEXT_JSON": json.dumps(context),
                "CDK_CLI_VERSION": "2.1148.0",
                "CDK_VALIDATION": "false",
                "CI": "false",
                "PYTHONPATH": str(ROOT),
                **environment,
            },
        )
        return Synthesised(outdir, done.stderr)

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@dataclass(frozen=True)
class Synthesised(Assembly):
    """The cloud assembly of an example, and what the synthesis said."""

    stderr: str

    @property
    def lines(self) -> list[str]:
        """One line for each artifact, without what depends on the versions that are current."""
        return list(_in_general(self.stderr.splitlines()))

    @property
    def files(self) -> Iterator[bytes]:
        """All that it left in its folder."""
        return (path.read_bytes() for path in self.directory.rglob("*") if path.is_file())


def commands(name: str) -> list[str]:
    """The commands that the page shows for an example."""
    return [line.removeprefix("$ ") for line in _transcript(name) if line.startswith("$ ")]


def shown(name: str) -> list[str]:
    """The lines of artifacts that the page shows for an example, like :attr:`Synthesised.lines`."""
    return list(_in_general(_transcript(name)))


def _transcript(name: str) -> list[str]:
    section = _PAGE.read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```\n(\$ .*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(block).splitlines()


def _in_general(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not re.match(r"\S+/\S+: ", line):
            continue  # what takes long says so while it does
        general = re.sub(r", (built in|unchanged), ?.*|, built in .*", "", line)
        general = re.sub(r"[\d,.]+ (k?B|[MG]B|packages?|files?)\b", r"N \1", general)
        yield re.sub(r" \(\d+% of 250 MB\)", "", general).replace("packages", "package")
