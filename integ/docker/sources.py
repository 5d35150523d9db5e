"""Source distributions that compile: one C file, and a build backend inside that calls the compiler."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

_MODULE = """
#include <Python.h>

static PyObject *answer(PyObject *self, PyObject *nothing) { return PyLong_FromLong(ANSWER); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", "", -1, methods};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""
_BACKEND = """
import pathlib, subprocess, sysconfig, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    import answers
    module = "native" + sysconfig.get_config_var("EXT_SUFFIX")
    include = sysconfig.get_path("include")
    options = ["-shared", "-fPIC", f"-DANSWER={answers.ANSWER}", f"-I{include}"]
    subprocess.run(["cc", *options, "native.c", "-o", module], check=True)
    python = f"cp{sysconfig.get_config_var('py_version_nodot')}"
    tag = f"{python}-{python}-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
    with zipfile.ZipFile(pathlib.Path(wheel_directory, f"native-1.0-{tag}.whl"), "w") as wheel:
        wheel.write(module)
        wheel.writestr("native-1.0.dist-info/METADATA", pathlib.Path("PKG-INFO").read_text())
        wheel.writestr("native-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\\nTag: {tag}\\n")
        wheel.writestr("native-1.0.dist-info/RECORD", "")
    return f"native-1.0-{tag}.whl"
"""


def make_native(folder: Path, *, requires: Iterable[str] = (), code: str = _MODULE) -> Path:
    """Write the source distribution of ``native`` 1.0, whose ``answer()`` is 42.

    ``requires`` is what it takes to build it; with it, ``answers`` has to come from there.
    """
    needed = list(requires)
    with tempfile.TemporaryDirectory() as scratch:
        root = make_native_project(Path(scratch, "native-1.0"), needed, code)
        return Path(shutil.make_archive(str(folder / "native-1.0"), "gztar", scratch, root.name))


def make_native_project(root: Path, requires: list[str], code: str = _MODULE) -> Path:
    """Write the same as a project of the user's."""
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        '[project]\nname = "native"\nversion = "1.0"\n[build-system]\nbuild-backend = "backend"\n'
        f'backend-path = ["."]\nrequires = {json.dumps(requires)}\n'
    )
    (root / "backend.py").write_text(_BACKEND)
    if not requires:
        (root / "answers.py").write_text("ANSWER = 42\n")
    (root / "native.c").write_text(code)
    (root / "PKG-INFO").write_text("Metadata-Version: 2.2\nName: native\nVersion: 1.0\n")
    return root
