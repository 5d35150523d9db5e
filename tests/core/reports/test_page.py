"""The page: rectangles with areas that are sizes, and names that are only shown."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbdart_cdk.core.archive.entry import stored
from lbdart_cdk.core.reports.import_time import ImportTime
from lbdart_cdk.core.reports.inventory import Inventory, Package
from lbdart_cdk.core.reports.page import page
from lbdart_cdk.core.reports.treemap import Rectangle, squarified
from lbdart_cdk.core.reports.zipped import zip_inventory
from tests.support.installed_zip import installed, zip_of

AREA = Rectangle(10, 20, 600, 400)


@given(st.lists(st.integers(1, 10**9), max_size=30))
def test_the_rectangles_fill_the_area_without_overlap(sizes: list[int]) -> None:
    values = sorted(sizes, reverse=True)
    places = squarified(values, AREA)
    for value, place in zip(values, places, strict=True):
        assert place.width * place.height == pytest.approx(600 * 400 * value / sum(values), rel=1e-6)
        assert place.left >= AREA.left - 1e-6
        assert place.left + place.width <= AREA.left + AREA.width + 1e-6
        assert place.top >= AREA.top - 1e-6
        assert place.top + place.height <= AREA.top + AREA.height + 1e-6
    for at, one in enumerate(places):
        for other in places[at + 1 :]:
            wide = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
            high = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
            assert min(wide, high) <= 1e-6


def test_equal_sizes_are_nearly_squares() -> None:
    assert all(0.4 < place.width / place.height < 2.5 for place in squarified([1] * 12, AREA))


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.titles: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href", "srcset")]
        self.titles += [str(value) for name, value in attrs if name == "title"]


def test_it_loads_and_runs_nothing_whatever_names_are_in_the_zip() -> None:
    name = '"><script>alert(1)</script><img src=x>'
    files = {f"{name}/{at}": stored(f"{name}/{at}", b"x" * 999) for at in range(9)}
    inventory = Inventory(name, "zip", (Package(name, (name,), files=files),), files, 1)
    read = Reader()
    text = page(inventory, {name: ImportTime((name,), failure=name)})
    read.feed(text)
    assert not {"script", "img", "link", "iframe", "object"} & set(read.tags)
    assert read.addresses == []
    assert "url(" not in text
    assert "@import" not in text
    assert any(title.startswith(name) for title in read.titles)


def test_the_largest_package_and_the_own_code_are_in_it(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", installed("alpha", files={"alpha.py": "x" * 5000}), {"app.py": "x"})
    read = Reader()
    read.feed(page(zip_inventory(path)))
    assert any(title.startswith("alpha 1.0: ") for title in read.titles)
    assert any(title.startswith("Own code: ") for title in read.titles)


def test_an_empty_zip_has_a_page() -> None:
    assert "0 packages" in page(Inventory("empty.zip", "zip", (), {}, 22))
