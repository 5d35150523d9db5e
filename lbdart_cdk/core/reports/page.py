"""Writes what is in a zip as one page of HTML: a treemap of the packages with a table below.

The page loads nothing and runs nothing. Each name in it may be a stranger's, so each is escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from ..artifacts.summary import Part, size
from ..project.target import MAX_UNZIPPED
from .import_time import ImportTime
from .inventory import Inventory, Size
from .treemap import Rectangle, squarified

#: The treemap on a wide and on a narrow screen: width and height in the pixels it is laid out for.
_SHAPES: Final = {"wide": (1100, 560), "narrow": (360, 540)}
_TITLE_HEIGHT: Final = 22
#: The smallest rectangle, in pixels, that has text or parts.
_FOR_TEXT: Final = (44, 18)
_FOR_PARTS: Final = (120, 80)
#: How many different colours packages have, the largest first.
_COLOURS: Final = 8
_OWN: Final = "Own code"
#: How many parts of a package are drawn, and the deepest level that they are looked for on.
_PARTS: Final = 40
_DEEPEST: Final = 6
#: The share of a package that is in one directory when its parts are those of this directory.
_MOST: Final = 0.9

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d232b; --faint: #5c6672; --paper: #fbfbfc; --line: #dde1e6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --faint: #9aa5b1; --paper: #14181d; --line: #2d343c; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 20px 16px 40px; background: var(--paper);
  color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; overflow-wrap: anywhere; }
p { margin: 0 0 14px; color: var(--faint); }
.meter { height: 8px; border-radius: 4px; background: var(--line); overflow: hidden; margin: 0 0 16px; }
.meter div { height: 100%; background: #2f7d5b; }
.meter.over div { background: #c23b3b; }
.map { position: relative; width: 100%; border-radius: 6px; overflow: hidden; }
.wide { aspect-ratio: 1100 / 560; }
.narrow { aspect-ratio: 360 / 540; display: none; }
@media (max-width: 640px) { .wide { display: none; } .narrow { display: block; } }
.map div { position: absolute; overflow: hidden; border: 1px solid var(--paper); color: #fff;
  font-size: 12px; line-height: 20px; padding: 0 5px; white-space: nowrap; text-overflow: ellipsis; }
.map div div { border-color: rgb(255 255 255 / 28%); background: rgb(255 255 255 / 9%); font-size: 11px;
  line-height: 17px; padding: 0 4px; }
.c0 { background: #2b6cb0; } .c1 { background: #2f7d5b; } .c2 { background: #9c4f1e; }
.c3 { background: #7a4bb0; } .c4 { background: #a83a62; } .c5 { background: #22757f; }
.c6 { background: #6b6a1e; } .c7 { background: #4d5b94; } .own { background: #59636e; }
.scroll { overflow-x: auto; margin-top: 20px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal;
  overflow-wrap: anywhere; min-width: 9em; }
th { color: var(--faint); font-weight: 500; }
td i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 8px; }
td small { color: var(--faint); }
tfoot td { font-weight: 600; border-bottom: 0; }
@media (max-width: 640px) {
  table { font-size: 13px; } th, td { padding: 5px 0 5px 8px; } th { white-space: normal; }
  th:first-child, td:first-child { min-width: 0; } td i { margin-right: 5px; }
}
"""


@dataclass(frozen=True, slots=True)
class _Block:
    """A package, or the files of none.

    :param colour: the name of its style.
    :param folders: bytes of its directories by name, the largest first.
    """

    name: str
    version: str
    size: Size
    colour: str
    folders: Sequence[tuple[str, int]]


def page(inventory: Inventory, times: Mapping[str, ImportTime] | None = None) -> str:
    """Return the page as HTML.

    :param times: the import time of each package; None when they were not measured.
    """
    blocks = _blocks(inventory)
    total = inventory.size or Size()
    share = total.unzipped / MAX_UNZIPPED
    zipped = f"{size(inventory.zip_size)} zipped, " if inventory.zip_size is not None else ""
    maps = "".join(_map(blocks, name) for name in _SHAPES)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(inventory.what)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(inventory.what)}</h1>
<p>{Part(len(inventory.packages), "package")}, {zipped}{size(total.unzipped)} unzipped: {share:.1%} of the
{size(MAX_UNZIPPED, digits=0)} that Lambda allows for a function with all its layers.</p>
<div class="meter{" over" if share > 1 else ""}"><div style="width:{min(share, 1):.2%}"></div></div>
{maps}
<div class="scroll">
{_table(blocks, total, times)}
</div>
</body>
</html>
"""


def _blocks(inventory: Inventory) -> list[_Block]:
    blocks = [
        _Block(
            package.name,
            package.version,
            package.size or Size(),
            f"c{number % _COLOURS}",
            _folders({path: entry.size for path, entry in (package.files or {}).items()}),
        )
        for number, package in enumerate(inventory.by_size)
    ]
    if inventory.own:
        folders = _folders({path: entry.size for path, entry in inventory.own.items()})
        blocks.append(_Block(_OWN, "", inventory.own_size, "own", folders))
    return sorted(blocks, key=lambda block: -block.size.unzipped)


def _folders(sizes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the size of each directory, or file, at the first level on which there are several."""
    most: list[tuple[str, int]] = []
    for depth in range(1, _DEEPEST):
        sums: Counter[str] = Counter()
        for path, count in sizes.items():
            sums["/".join(path.split("/")[:depth])] += count
        most = sums.most_common(_PARTS)
        if not most or most[0][1] < _MOST * sums.total():
            break
    return most


def _map(blocks: Sequence[_Block], shape: str) -> str:
    width, height = _SHAPES[shape]
    shown = [block for block in blocks if block.size.unzipped]
    places = squarified([block.size.unzipped for block in shown], Rectangle(0, 0, width, height))
    drawn = "".join(_block(block, place, (width, height)) for block, place in zip(shown, places, strict=True))
    return f'<div class="map {shape}">{drawn}</div>\n'


def _block(block: _Block, place: Rectangle, around: tuple[float, float]) -> str:
    title = f"{block.name} {block.version}".rstrip()
    inside = escape(block.name) if _holds(place, _FOR_TEXT) else ""
    if _holds(place, _FOR_PARTS):
        inside += "".join(_parts(block, place))
    told = f"{title}: {size(block.size.unzipped)}, {block.size.unzipped / MAX_UNZIPPED:.1%}"
    return (
        f'<div class="{block.colour}" title="{escape(told)}" style="{_style(place, around)}">{inside}</div>'
    )


def _parts(block: _Block, place: Rectangle) -> Iterator[str]:
    """Yield the directories of a package, in the room below its name."""
    inner = (place.width - 2, place.height - 2)
    room = Rectangle(2, _TITLE_HEIGHT, inner[0] - 4, inner[1] - _TITLE_HEIGHT - 2)
    parts = [(name, count) for name, count in block.folders if count]
    if len(parts) < 2:
        return
    places = squarified([count for _, count in parts], room)
    for (name, count), part in zip(parts, places, strict=True):
        if part.width >= 3 and part.height >= 3:
            text = escape(name.rpartition("/")[2]) if _holds(part, _FOR_TEXT) else ""
            told = escape(f"{name}: {size(count)}")
            yield f'<div title="{told}" style="{_style(part, inner)}">{text}</div>'


def _holds(place: Rectangle, least: tuple[int, int]) -> bool:
    return place.width >= least[0] and place.height >= least[1]


def _style(place: Rectangle, around: tuple[float, float]) -> str:
    """Return a place in shares of what it is in, for a page of any width."""
    values = {
        "left": place.left / around[0],
        "top": place.top / around[1],
        "width": place.width / around[0],
        "height": place.height / around[1],
    }
    return ";".join(f"{name}:{value:.3%}" for name, value in values.items())


def _table(blocks: Sequence[_Block], total: Size, times: Mapping[str, ImportTime] | None) -> str:
    header = ["Package", "Zipped", "Unzipped", "Of 250 MB", *(["Import"] if times is not None else [])]
    heads = "".join(f"<th>{title}</th>" for title in header)
    rows = "\n".join(_table_row(block, times) for block in blocks)
    last = "<td></td>" if times is not None else ""
    return (
        f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        f"<tfoot><tr><td>Total</td>{_numbers(total)}{last}</tr></tfoot>\n</table>"
    )


def _table_row(block: _Block, times: Mapping[str, ImportTime] | None) -> str:
    version = f" <small>{escape(block.version)}</small>" if block.version else ""
    name = f'<td><i class="{block.colour}"></i>{escape(block.name)}{version}</td>'
    time = times.get(block.name) if times is not None and block.colour != "own" else None
    cell = "" if times is None else f"<td>{_time(time)}</td>"
    return f"<tr>{name}{_numbers(block.size)}{cell}</tr>"


def _time(time: ImportTime | None) -> str:
    if time is None or not time.modules:
        return ""
    if time.seconds is None:
        return f'<span title="{escape(time.failure)}">fails</span>'
    return f"{time.seconds:.2f} s"


def _numbers(counted: Size) -> str:
    share = f"{counted.unzipped / MAX_UNZIPPED:.1%}"
    return f"<td>{size(counted.zipped)}</td><td>{size(counted.unzipped)}</td><td>{share}</td>"
