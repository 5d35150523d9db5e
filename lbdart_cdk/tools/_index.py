"""Package indexes: the one that the user chose, and the tables of a lock for its files."""

from __future__ import annotations

import ast
import os
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from lbdart_cdk.core.credentials.lookup import without_login
from lbdart_cdk.core.errors import LbdartError
from lbdart_cdk.core.process import run

#: uv's variables for the index that replaces the default one.
DEFAULT_INDEX_OF_UV: Final = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")


def chosen_indexes() -> list[str]:
    """Return the variables with the default index, without logins, for the key of what an index answered."""
    return [without_login(os.environ.get(name, "")) for name in (*DEFAULT_INDEX_OF_UV, "PIP_INDEX_URL")]


def default_index() -> str:
    """Return the URL of the index for packages for which the project names no other index.

    :raises LbdartError: when neither the user's settings nor pip or uv name an index.
    """
    variable = next((os.environ[name] for name in DEFAULT_INDEX_OF_UV if os.environ.get(name)), None)
    url = variable or pip_setting("index-url") or _default_of_pip() or _default_of_uv()
    if url is None:
        raise LbdartError("No package index is configured.", "Set PIP_INDEX_URL to the URL of an index.")
    return url


def pip_setting(option: str) -> str | None:
    """Return the value of a pip option, such as ``index-url``, from the environment or pip's files."""
    variable = f"PIP_{option.upper().replace('-', '_')}"
    return os.environ.get(variable) or _pip_configuration().get(option)


@cache
def _pip_configuration() -> Mapping[str, str]:
    """Return the options in pip's configuration files; none when pip is not installed."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    result = run(command, cwd=Path.cwd(), environment=os.environ)
    options = {}
    for line in result.stdout.splitlines():
        key, separator, value = line.partition("=")
        section, _, option = key.rpartition(".")
        if separator and section in ("global", "install"):
            options[option] = str(ast.literal_eval(value)).strip()
    return options


def _default_of_pip() -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # setuptools warns that it replaces distutils
            from pip._internal.models.index import PyPI
    except ImportError:
        return None
    return str(PyPI.simple_url)


def _default_of_uv() -> str | None:
    # Imported here, because a lock that is known asks no index.
    from lbdart_cdk.core.wheels.frontend import for_uv, uv_executable

    executable = uv_executable()
    if executable is None:
        return None
    command = [executable, "pip", "compile", "--quiet", "--no-header", "--emit-index-url", "-"]
    result = run(command, cwd=Path.cwd(), environment=for_uv(os.environ))
    return result.stdout.strip().removeprefix("--index-url").strip() or None


def file_tables(
    package: Mapping[str, Any], on_index: Mapping[str, Mapping[str, Any]], relock: str
) -> dict[str, Any]:
    """Return the standard's tables for a package's files.

    :param package: its ``name``, ``version`` and ``files``, which have a ``file`` name and a ``hash``.
    :param on_index: the files that the index has of the package, by file name.
    :param relock: the command that creates the lock again, for the message.
    :raises LbdartError: when the index has none of the files.
    """
    files = [
        {"name": file["file"], **on_index[file["file"]], "hashes": hashes(file)}
        for file in package["files"]
        if file["file"] in on_index
    ]
    if not files:
        raise LbdartError(
            f"The index has none of the locked files of {package['name']} {package['version']}.",
            f"Check that the project was locked with this index, or run `{relock}`.",
        )
    wheels = [file for file in files if file["name"].endswith(".whl")]
    sdists = [file for file in files if file["name"].endswith((".tar.gz", ".zip"))]
    return {"wheels": wheels} | ({"sdist": sdists[0]} if sdists else {})


def hashes(file: Mapping[str, str]) -> dict[str, str]:
    """Return the standard's table for a hash written as ``sha256:...``."""
    algorithm, _, digest = file["hash"].partition(":")
    return {algorithm: digest}
