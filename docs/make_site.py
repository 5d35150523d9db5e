"""Builds the site of the documentation: ``python docs/make_site.py build/docs``.

The pages are those that are read in the repository: README.md is the home, docs/*.md are the guides. This
program puts them beside each other, points their links at each other, writes the API reference of the public
names, and lets Zensical build it all. A warning, a link that leads nowhere and a page that loads
something from another host are errors.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
#: Files at the top of the repository that are pages of the site, as far as they are there.
_AT_THE_TOP: Final = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
_LINK: Final = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE: Final = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
#: The publisher's other members are for the artifacts of its stack.
_OPTIONS: Final = {"ArtifactPublisher": "\n    options:\n      members: [of, bucket, role]"}
#: What makes a browser load what an attribute names.
_LOADS: Final = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href")}
#: Relations of a <link> that load nothing.
_NO_LOAD: Final = {"canonical", "next", "prev", "alternate"}


def sources() -> dict[str, Path]:
    """Return the file of each page of the site, but for the API reference."""
    found = {name: ROOT / file for file, name in _AT_THE_TOP.items() if (ROOT / file).is_file()}
    return found | {path.name: path for path in sorted((ROOT / "docs").glob("*.md"))}


def page_text(path: Path, names: Mapping[Path, str]) -> str:
    """Return a page with links that lead from page to page of the site.

    A link to a file of the repository that is no page becomes its text.

    :param names: the name on the site of each file that is a page.
    """

    def replaced(match: re.Match[str]) -> str:
        text, address = match.groups()
        target, hash_, anchor = address.partition("#")
        if not target or urlsplit(address).scheme:
            return match[0]
        file = (path.parent / target).resolve()
        if file in names:
            return f"[{text}]({names[file]}{hash_}{anchor})"
        return text if file.exists() else match[0]

    parts = _FENCE.split(path.read_text("utf-8"))
    return "".join(part if number % 2 else _LINK.sub(replaced, part) for number, part in enumerate(parts))


def api_pages() -> dict[str, str]:
    """Return the pages of the API reference, with every public name."""
    from lbdart_cdk.core.locking.manifest import tools

    builders = [
        f"{tool.title()}LambdaLayer{kind}Builder"
        for tool in sorted(tools())
        for kind in ("Local", "Container")
    ]
    listed = "\n".join(f"- `{name}`" for name in builders)
    return {
        "api.md": "# lbdart_cdk\n\nThe constructs, and what their props take.\n\n" + _members("lbdart_cdk"),
        "api_scripts.md": "# lbdart_cdk.core.api\n\nThe names for [scripts without CDK](scripts.md), and for "
        "authors of tools and builders.\n\n" + _members("lbdart_cdk.core.api"),
        "api_tools.md": "# lbdart_cdk.tools\n\nTwo builders for each tool, one for this machine and one for "
        f"a container:\n\n{listed}\n\nThose of one kind differ in their tool only.\n\n"
        "::: lbdart_cdk.core.layer.builder.ToolLambdaLayerLocalBuilder\n\n"
        "::: lbdart_cdk.core.layer.container_builder.ToolLambdaLayerContainerBuilder\n",
    }


def _members(module: str) -> str:
    """Return what has the public names of a module documented, the constructs of artifacts first."""
    names = sorted(import_module(module).__all__, key=lambda name: not name.startswith("Lambda"))
    return "\n\n".join(f"::: {module}.{name}{_OPTIONS.get(name, '')}" for name in names) + "\n"


def navigation(nav: Any, pages: Iterable[str]) -> Any:
    """Return a nav without the pages that are not there, and without sections that are empty then."""
    if isinstance(nav, str):
        return nav if nav in pages else None
    if isinstance(nav, dict):
        return {title: kept for title, part in nav.items() if (kept := navigation(part, pages))}
    return [kept for part in nav if (kept := navigation(part, pages))]


def pages_in(nav: Any) -> Iterator[str]:
    """Yield the pages of a nav."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from pages_in(part)


def write_pages(folder: Path) -> Path:
    """Write the pages and the settings of the site into a folder; return the file of the settings.

    :raises SystemExit: when the nav lacks a page.
    """
    files = sources()
    names = {path: name for name, path in files.items()}
    pages = {name: page_text(path, names) for name, path in files.items()} | api_pages()
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    if lacking := sorted(pages.keys() - set(pages_in(settings["nav"]))):
        sys.exit(f"The nav of mkdocs.yml lacks {', '.join(lacking)}.")
    settings["nav"] = navigation(settings["nav"], pages)
    settings |= {"docs_dir": "pages", "site_dir": "site"}
    python = settings["plugins"][1]["mkdocstrings"]["handlers"]["python"]
    python["paths"] = [str(ROOT)]
    python["options"]["extensions"] = [str(ROOT / "docs" / "rest.py")]
    (folder / "pages").mkdir()
    for name, text in pages.items():
        (folder / "pages" / name).write_text(text, "utf-8")
    for file in ("site.css", "llms.txt"):
        shutil.copy(ROOT / "docs" / file, folder / "pages")
    written = folder / "mkdocs.yml"
    written.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")
    return written


class _Page(HTMLParser):
    """The ids of a page, where its links lead, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag says."""
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.loads += [
            values[name]
            for kind, name in _LOADS
            if kind == tag and name in values and values.get("rel") not in _NO_LOAD
        ]


def problems(site: Path) -> Iterator[str]:
    """Yield the links of a site that lead nowhere, and what it loads from other hosts."""
    site = site.resolve()
    pages = {path: _Page() for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        page.feed(path.read_text("utf-8"))
    for path, page in pages.items():
        where = path.relative_to(site)
        yield from (f"{where} loads {address}" for address in page.loads if urlsplit(address).netloc)
        if path.name == "404.html":
            continue  # its links start at the root of a host
        for address in [*page.links, *page.loads]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{where} has a link to {address}, which is not there"
            elif parts.fragment and unquote(parts.fragment) not in pages[target].ids | {"__top"}:
                yield f"{where} has a link to {address}, whose page has no such anchor"


def build(output: Path) -> None:
    """Build the site.

    :param output: the folder of the site; what is in it is deleted.
    :raises SystemExit: with what is wrong.
    """
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="lbdart-docs-") as scratch:
        settings = write_pages(Path(scratch))
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(settings)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{done.stdout}{done.stderr}\nThe site has problems.")
        shutil.copytree(Path(scratch, "site"), output)
        # What programs read: llms.txt names the pages in Markdown.
        shutil.copytree(Path(scratch, "pages"), output, dirs_exist_ok=True)
    if found := list(problems(output)):
        sys.exit("\n".join(found))
    print(f"{len(list(output.rglob('*.html')))} pages in {output}")


if __name__ == "__main__":
    build(Path(sys.argv[1] if sys.argv[1:] else "build/docs"))
