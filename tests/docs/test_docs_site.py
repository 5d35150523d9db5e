"""The site of the documentation: it has all pages, and its links lead to what is there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest
import yaml

import lbdart_cdk
from docs import make_site
from lbdart_cdk.core import api
from tests.support.pages import ROOT

#: What pages may link to or show.
HOSTS: Final = ("docs.aws.amazon.com", "example.com", "127.0.0.1", "github.com", "contributor-covenant.org")
NEEDED: Final = ("zensical", "mkdocstrings", "mkdocstrings_handlers.python")


def write(root: Path, **pages: str) -> Path:
    for name, body in pages.items():
        (root / f"{name}.html").write_text(f"<html><body>{body}</body></html>")
    return root


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="other.html#here">x</a>', None),
        ('<a href="#top" id="top">x</a>', None),
        ('<a href="https://example.com/">x</a>', None),
        ('<a href="nowhere.html">x</a>', "page.html has a link to nowhere.html, which is not there"),
        (
            '<a href="other.html#there">x</a>',
            "page.html has a link to other.html#there, whose page has no such anchor",
        ),
        ('<script src="https://example.com/x.js"></script>', "page.html loads https://example.com/x.js"),
        ('<link rel="stylesheet" href="//example.com/x.css">', "page.html loads //example.com/x.css"),
        ('<img src="lost.png">', "page.html has a link to lost.png, which is not there"),
    ],
)
def test_what_is_wrong_with_a_page(tmp_path: Path, body: str, problem: str | None) -> None:
    site = write(tmp_path, page=body, other='<h2 id="here"></h2>')
    assert list(make_site.problems(site)) == ([] if problem is None else [problem])


def test_links_of_the_repository_lead_to_pages_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    readme, guide = tmp_path / "README.md", tmp_path / "docs" / "guide.md"
    readme.write_text("[`a`](docs/guide.md#x) [b](LICENSE) [c](https://example.com) [d](lost.md)\n")
    (tmp_path / "LICENSE").touch()
    guide.write_text("[a](../README.md) [b](#here)\n```\n[c](../README.md)\n```\n")
    names = {readme: "index.md", guide: "guide.md"}
    assert make_site.page_text(readme, names) == "[`a`](guide.md#x) b [c](https://example.com) [d](lost.md)\n"
    assert make_site.page_text(guide, names) == "[a](index.md) [b](#here)\n```\n[c](../README.md)\n```\n"


def test_a_page_that_is_not_there_is_not_in_the_nav() -> None:
    nav = [{"Home": "a.md"}, {"One": ["b.md", "c.md"]}, {"None": ["d.md"]}]
    assert make_site.navigation(nav, {"a.md", "c.md"}) == [{"Home": "a.md"}, {"One": ["c.md"]}]


def test_every_page_is_in_the_nav() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert set(make_site.sources()) | set(make_site.api_pages()) <= set(make_site.pages_in(nav))


def test_the_reference_has_every_public_name() -> None:
    pages = make_site.api_pages()
    for module, page in ((lbdart_cdk, "api.md"), (api, "api_scripts.md")):
        assert set(re.findall(r"^::: (\S+)$", pages[page], re.MULTILINE)) == {
            f"{module.__name__}.{name}" for name in module.__all__
        }
    assert "- `UvLambdaLayerContainerBuilder`" in pages["api_tools.md"]


def test_pages_name_no_other_hosts() -> None:
    """Above all, none of a package registry: everyone has another one."""
    texts = {path.name: path.read_text() for path in (*make_site.sources().values(), ROOT / "mkdocs.yml")}
    named = {
        (name, host)
        for name, text in texts.items()
        for host in re.findall(r"https?://(?:[^\s/@]+@)?([\w.-]+)", text)
    }
    assert [each for each in sorted(named) if not each[1].endswith(HOSTS)] == []


@pytest.mark.skipif(
    any(find_spec(name.partition(".")[0]) is None for name in NEEDED), reason="Zensical is not installed"
)
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "docs/make_site.py", str(site)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((site / "search.json").read_text())["items"]
    assert {"index.html", "layers.html", "api.html"} <= {item["location"].partition("#")[0] for item in found}
    named = re.findall(r"\]\(([^):]+)\)", (site / "llms.txt").read_text())
    assert len(named) > 5
    assert [name for name in named if not (site / name).is_file()] == []
    reference = (site / "api.html").read_text()
    for name in lbdart_cdk.__all__:
        assert f'id="lbdart_cdk.{name}"' in reference
    assert "exclude_files" in reference
    assert not re.search(r":(class|meth|func):`|\w::</p>", reference)
