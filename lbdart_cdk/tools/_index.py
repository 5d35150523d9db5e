"""Package indexes: which one the user has chosen, and how a lock says what it has of a package."""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.process import run
from lbdart_cdk.core.wheels import frontend

#: uv's variables for the index that takes the place of the default one.
DEFAULT_INDEX_OF_UV: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")


def default_index() -> str:
    """Return the address of the index that packages come from where nothing else is said."""
    named = next((os.environ[name] for name in DEFAULT_INDEX_OF_UV if os.environ.get(name)), None)
    found = named or pip_setting("index-url") or _pips_own() or _uvs_own()
    if found is None:
        raise LbdartError("No package index is known here.", "Set PIP_INDEX_URL to the address of one.")
    return found


def pip_setting(option: str) -> str | None:
    """Return what the environment or pip's configuration files say of an option, ``index-url``."""
    variable = f"PIP_{option.upper().replace('-', '_')}"
    return os.environ.get(variable) or _configured().get(option)


@cache
def _configured() -> Mapping[str, str]:
    """Read pip's configuration files; there are none to read where there is no pip."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    result = run(command, cwd=Path.cwd(), environment=os.environ)
    found = {}
    for line in result.stdout.splitlines():
        key, separator, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if separator and section in ("global", "install"):
            found[option] = str(ast.literal_eval(value)).strip()
    return found


def _pips_own() -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # setuptools says that it stands in for distutils
            from pip._internal.models.index import PyPI
    except ImportError:
        return None
    return str(PyPI.simple_url)


def _uvs_own() -> str | None:
    executable = frontend.uv_executable()
    if executable is None:
        return None
    command = [executable, "pip", "compile", "--quiet", "--no-header", "--emit-index-url", "-"]
    result = run(command, cwd=Path.cwd(), environment=frontend.for_uv(os.environ))
    return result.stdout.strip().removeprefix("--index-url").strip() or None


def file_tables(
    package: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]], relock: str
) -> dict[str, Any]:
    """Return the standard's tables of a package's ``files``, each with its ``file`` and its ``hash``.

    ``there`` is what the index has of the package; ``relock`` the command that makes the lock again.
    Raises :class:`LbdartError` when none of the files is there.
    """
    files = [
        {"name": file["file"], **there[file["file"]], "hashes": hashes(file)}
        for file in package["files"]
        if file["file"] in there
    ]
    if not files:
        raise LbdartError(
            f"The index has no file of {package['name']} {package['version']} that the lock names.",
            f"Check that it is the index that the project was locked with, or run `{relock}`.",
        )
    wheels = [file for file in files if file["name"].endswith(".whl")]
    sdists = [file for file in files if file["name"].endswith((".tar.gz", ".zip"))]
    return {"wheels": wheels} | ({"sdist": sdists[0]} if sdists else {})


def hashes(file: Mapping[str, str]) -> dict[str, str]:
    """Return the standard's table of a hash that is written ``sha256:...``."""
    algorithm, _, digest = file["hash"].partition(":")
    return {algorithm: digest}
