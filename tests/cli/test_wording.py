"""The core speaks of props; the command line has options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lbdart_cdk
from lbdart_cdk.cli.project_options import Asked
from lbdart_cdk.cli.wording import in_options

PACKAGE = Path(lbdart_cdk.__file__).parent
#: What messages may name that no option stands for: parameters of the steps for scripts, props about AWS, and
#: logins, which come from where the tools have them.
OF_OTHERS = {
    *("ignore_package_list", "layer_build_tool", "path_manifest", "path_pyproject_toml", "skip_prompt"),
    *("py_ver_major", "py_ver_minor", "prefix", "credentials", "username"),
}


def texts() -> Iterator[tuple[str, str]]:
    """Yield the texts of each message of the core and the tools, with the place in the code."""
    for path in (path for folder in ("core", "tools") for path in (PACKAGE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise | ast.Return | ast.Call | ast.Assign):
                for part in ast.walk(node):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield f"{path.name}:{part.lineno}", part.value


def test_no_message_names_a_prop_to_who_has_options() -> None:
    named = {(place, text) for place, text in texts() if re.search(r"(?<![\w-])[a-z]+(_[a-z]+)*=", text)}
    assert len(named) > 30
    props = set(Asked.__dataclass_fields__)
    left = {
        (place, name)
        for place, text in named
        for name in re.findall(r"(?<![\w./-])([a-z]+(?:_[a-z]+)*)=", in_options(text))
        if name in props
    }
    assert left == set()


def test_what_is_named_and_no_option_is_known() -> None:
    """A new parameter in a message is either an option, or listed here."""
    sentence = re.compile(r"\b(?:[Pp]ass|with|or|set|turn|Turn|keep it in) ([a-z]+(?:_[a-z]+)*)=")
    named = {name for _, text in texts() for name in sentence.findall(text)}
    assert {"runtime", "exclude", "build_in_container"} <= named
    assert named <= OF_OTHERS | set(Asked.__dataclass_fields__)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Pass runtime=, or widen it.", "Pass --runtime, or widen it."),
        ("set build_in_container=True to build it", "set --build-in-container to build it"),
        ('Pass keep=["boto3", "six"] to have', "Pass --keep boto3 --keep six to have"),
        ('or exclude=["six"].', "or --exclude six."),
        ("Pass the tool: tool='uv' or tool='pip'.", "Pass the tool: --tool uv or --tool pip."),
        ('Write it like build_environment={"CFLAGS": "-O3"}.', "Write it like --build-env CFLAGS=-O3."),
        ("the directory as project=; it is", "the directory as PROJECT; it is"),
        ("exclude_files saved 2 MB", "--exclude-files saved 2 MB"),
        ("Pass extras= or groups=.", "Pass --extra or --group."),
        # not ours
        ("run pip with --exclude=x and /runtime=y, my_runtime=z", None),
        ("src/own_code/app.py and own_code.py", None),
        ("the tool includes the project", None),
    ],
)
def test_messages_in_the_words_of_options(message: str, told: str | None) -> None:
    assert in_options(message) == (message if told is None else told)
