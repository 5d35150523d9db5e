"""Compiles the modules ``0.py``, ``1.py``, ... of the working directory to ``0.pyc``, ``1.pyc``, ...

The target's Python, 3.9 or newer, runs the source of this file by itself. The file ``names`` has the paths of
the modules on Lambda. The arguments are two numbers: the first module to compile, and the step to the next.
"""

from __future__ import annotations

# Only modules that an interpreter loads anyway when it starts: strings of others can change the bytecode.
import _imp
import marshal
import sys
from importlib._bootstrap_external import MAGIC_NUMBER

#: Unchecked hash-based (PEP 552).
_FLAGS = (1).to_bytes(4, "little")
_CODE = type((lambda: None).__code__)
#: From Python 3.11 on, marshal sorts what is in a set.
_SORTS_SETS = sys.version_info >= (3, 11)


def main(start: int, step: int) -> None:
    """Compile modules. As with ``compileall``, a file that does not compile is none: a template, Python 2."""
    with open("names", "rb") as file:  # noqa: PTH123  (starts faster without pathlib)
        names = file.read().decode().split("\0")
    for number in range(start, len(names), step):
        with open(f"{number}.py", "rb") as file:  # noqa: PTH123
            source = file.read()
        try:
            content = compiled(source, names[number])
        except Exception:  # what a parser raises for any bytes is not documented
            continue
        with open(f"{number}.pyc", "wb") as file:  # noqa: PTH123
            file.write(content)


def compiled(source: bytes, path: str) -> bytes:
    """Return the bytecode of a module, which depends on nothing else that this process has."""
    code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    # marshal marks an object that is referred to elsewhere, and all code in this process shares some strings.
    # So all of them are referred to here.
    shared = _strings(code)
    content = marshal.dumps(code)
    del shared
    magic = int.from_bytes(MAGIC_NUMBER, "little")
    return MAGIC_NUMBER + _FLAGS + _imp.source_hash(magic, source) + content


def _strings(value: object) -> list[str]:
    """Return the strings of a code object, or of one of its constants."""
    if isinstance(value, _CODE):
        named = (value.co_name, getattr(value, "co_qualname", ""), value.co_filename)
        variables = (value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        return [*named, *(name for names in variables for name in names), *_strings(value.co_consts)]
    if isinstance(value, (tuple, frozenset)):
        if isinstance(value, frozenset) and not _SORTS_SETS and not {None, ...}.isdisjoint(value):
            raise ValueError("the order of this set depends on addresses in memory")
        return [string for item in value for string in _strings(item)]
    return [value] if isinstance(value, str) else []


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
