"""Lays out a treemap: rectangles whose areas are values, as near to squares as they can be.

Source: *Squarified Treemaps*, Bruls, Huizing and van Wijk (2000).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place in a treemap."""

    left: float
    top: float
    width: float
    height: float


def squarified(values: Sequence[float], area: Rectangle) -> list[Rectangle]:
    """Return a rectangle for each value, which together fill an area.

    :param values: above zero, the largest first.
    """
    if not values:
        return []
    scale = area.width * area.height / sum(values)
    return list(_rows([value * scale for value in values], area))


def _rows(areas: Sequence[float], free: Rectangle) -> Iterator[Rectangle]:
    start = 0
    while start < len(areas):
        side = min(free.width, free.height)
        end = start + 1
        # A row takes the next value for as long as that makes its rectangles squarer.
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            end += 1
        row = areas[start:end]
        yield from _row(row, free)
        free = _rest(free, sum(row))
        start = end


def _worst(row: Sequence[float], side: float) -> float:
    """Return the largest ratio of the sides of a row's rectangles."""
    total = sum(row)
    if not total or not side:
        return float("inf")
    return max(side**2 * max(row) / total**2, total**2 / (side**2 * min(row)))


def _row(row: Sequence[float], free: Rectangle) -> Iterator[Rectangle]:
    """Yield the rectangles of a row along the shorter side."""
    depth = sum(row) / (min(free.width, free.height) or 1)
    at = 0.0
    for area in row:
        length = area / (depth or 1)
        if free.width >= free.height:
            yield Rectangle(free.left, free.top + at, depth, length)
        else:
            yield Rectangle(free.left + at, free.top, length, depth)
        at += length


def _rest(free: Rectangle, taken: float) -> Rectangle:
    if free.width >= free.height:
        depth = taken / (free.height or 1)
        return Rectangle(free.left + depth, free.top, max(free.width - depth, 0), free.height)
    depth = taken / (free.width or 1)
    return Rectangle(free.left, free.top + depth, free.width, max(free.height - depth, 0))
