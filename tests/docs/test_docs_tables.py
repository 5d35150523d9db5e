"""What the tables of the pages say is what the code says."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from constructs import Construct

import lbdart_cdk
from lbdart_cdk.core.locking.default_list import DEFAULT_EXCLUDE
from tests.support.pages import ROOT, section, text_of
from tests.support.permissions import handler_permissions

#: How the tables name defaults that are no literals.
WORDS: Final = {
    "none": (None, ()),
    "empty": ("",),
    "`RETAIN`": (RemovalPolicy.RETAIN,),
    "required": (inspect.Parameter.empty,),
}
CONSTRUCTS: Final = [name for name in lbdart_cdk.__all__ if issubclass(getattr(lbdart_cdk, name), Construct)]
#: The page that has the props of a construct.
PLACES: Final = {
    "ArtifactPublisher": "docs/permissions.md",
    "LambdaFunctionArtifact": "docs/functions.md",
    "LambdaLayerArtifact": "docs/layers.md",
    "LambdaSourceArtifact": "docs/sources.md",
}


def table(construct: str) -> Iterator[tuple[str, str]]:
    """Each prop in the table of a construct, with the text of its default."""
    for row in re.findall(r"^\| (`.*) \|$", section(PLACES[construct], f"## {construct}"), re.MULTILINE):
        names, default, _ = row.split(" | ")
        for name in re.findall(r"`(\w+)`", names):
            yield name, default


def parameters(construct: str) -> dict[str, inspect.Parameter]:
    found = inspect.signature(getattr(lbdart_cdk, construct).__init__).parameters
    return {name: each for name, each in found.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}


def test_table_of_permissions_has_all_actions(orders: Path, cache: Path, tmp_path: Path) -> None:
    stack = Stack(App(outdir=str(tmp_path / "cdk.out")), "Orders")
    lbdart_cdk.ArtifactPublisher(stack, encryption_key=kms.Key(stack, "Key"))
    for construct in (lbdart_cdk.LambdaLayerArtifact, lbdart_cdk.LambdaSourceArtifact):
        construct(stack, construct.__name__, project=str(orders), removal_policy=RemovalPolicy.DESTROY)
    role = section("docs/permissions.md", "## The handler's role")
    documented = re.findall(r"`(\w+:\w+)`", "".join(re.findall(r"^\| (`.*?) \|", role, re.MULTILINE)))
    assert set(documented) == {line.split()[0] for line in handler_permissions(stack)}


def test_tables_of_props_are_the_signatures() -> None:
    for construct in CONSTRUCTS:
        documented = dict(table(construct))
        signature = parameters(construct)
        assert list(documented) == list(signature), construct
        for name, text in documented.items():
            default = signature[name].default
            if text in WORDS:
                assert default in WORDS[text], (construct, name)
            elif re.fullmatch(r"`[^`]+`", text):
                assert default == ast.literal_eval(text.strip("`")), (construct, name)
            elif text.startswith("as for the layer"):
                assert default == parameters("LambdaLayerArtifact")[name].default, (construct, name)
            else:
                assert default is None, (construct, name)  # described, and chosen when it is made


def test_props_at_a_glance_are_the_signatures() -> None:
    constructs = ["LambdaLayerArtifact", "LambdaSourceArtifact", "LambdaFunctionArtifact"]
    rows = re.findall(
        r"^\| (`.*?) \| [^|]+ \|(.*)\|(.*)\|(.*)\|$",
        section("README.md", "## Props at a glance"),
        re.MULTILINE,
    )
    for number, construct in enumerate(constructs, start=1):
        shown = [
            name for row in rows if row[number].strip() == "x" for name in re.findall(r"`(\w+)`", row[0])
        ]
        assert sorted(shown) == sorted(parameters(construct)), construct
    assert all(mark.strip() in ("", "x") for row in rows for mark in row[1:])


def test_every_prop_has_a_docstring() -> None:
    for construct in CONSTRUCTS:
        documentation = inspect.getdoc(getattr(lbdart_cdk, construct).__init__) or ""
        named = re.findall(r"^:param (\w+):", documentation, re.MULTILINE)
        assert [name for name in named if name != "function_props"] == list(parameters(construct)), construct


def test_list_of_what_is_left_out_is_the_default() -> None:
    paragraph = text_of("docs/layers.md").split("By default a layer leaves out")[1].split("\n\n")[0]
    listed = re.split(r"[,\s]+", paragraph.split(":")[1].split(".")[0].strip())
    assert sorted(listed) == sorted(DEFAULT_EXCLUDE)


def test_every_rule_has_a_test_and_a_command() -> None:
    rules = [
        line
        for line in text_of("docs/rules.md").splitlines()
        if line.startswith("| ") and not line.startswith(("| rule", "| ---"))
    ]
    makefile = (ROOT / "Makefile").read_text()
    for rule in rules:
        named = re.findall(r"`(tests/[^`]+|make [a-z]+)`", rule.rpartition(". |")[2])
        assert named, rule
        for name in named:
            if name.startswith("make "):
                assert f"\n{name.removeprefix('make ')}:" in makefile
            else:
                assert (ROOT / name).is_file(), name
