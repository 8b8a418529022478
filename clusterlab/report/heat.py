"""The heat map: a table whose cells are shaded by what was metered, with outliers and results marked by signs too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from clusterlab.report import words
from clusterlab.report.matrix import Cell
from clusterlab.report.summary import Summary

NUM_SHADES = 5
PASSED, FAILED = "\u2713", "\u2717"


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """One cell as it is shown."""

    shade: int = 0
    """0 without an amount; 1 to `NUM_SHADES` by the amount."""
    text: str = ""
    sign: str = ""
    """Of its results."""
    outlier: str = ""
    """Why it is marked; empty where it is not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A student's cells."""

    name: str
    boxes: tuple[Box, ...]
    """One of each lab, then of all labs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeatMap:
    """The whole table."""

    labs: tuple[str, ...]
    lines: tuple[Line, ...]
    total: tuple[str, ...]
    """Of each lab, and of all."""
    shades: tuple[str, ...]
    """What each shade stands for, from 1 on."""


def heat_map(summary: Summary) -> HeatMap:
    """Shade the cells; outliers do not stretch the scale."""
    cells: dict[str | None, dict[str | None, Cell]] = {}
    for each in summary.cells:
        cells.setdefault(each.student, {})[each.lab] = each
    totals = {each.lab: each for each in summary.by(("lab",))}
    students = {each.student: each for each in summary.by(("student",))}
    top = max((each.usd for each in summary.cells if each.outlier is None), default=Decimal(0))
    return HeatMap(
        labs=tuple(words.lab(lab) for lab in totals),
        lines=tuple(_line(name, of, list(totals), students[name], top) for name, of in cells.items()),
        total=(*map(at_least, totals.values()), at_least(summary.total)),
        shades=_shades(top),
    )


def _line(
    name: str | None, of: Mapping[str | None, Cell], labs: Sequence[str | None], student: Cell, top: Decimal
) -> Line:
    boxes = [_box(of[lab], top) if lab in of else Box() for lab in labs]
    whole = Box(text=at_least(student), outlier=words.outlier(student))
    return Line(name=words.student(name), boxes=(*boxes, whole))


def _box(cell: Cell, top: Decimal) -> Box:
    sign = PASSED if cell.num_passed else FAILED if cell.num_failed else ""
    return Box(shade=_shade(cell, top), text=at_least(cell), sign=sign, outlier=words.outlier(cell))


def at_least(cell: Cell) -> str:
    """What was metered, in as few letters as a narrow cell has."""
    return f"\u2265 {cell.usd:.2f}" if cell.shown.endswith("incomplete") else cell.shown


def _shade(cell: Cell, top: Decimal) -> int:
    if not cell.num_uses or (not cell.usd and not cell.metered.complete):
        return 0
    return min(NUM_SHADES, 1 + int(NUM_SHADES * cell.usd / top)) if top > 0 else 1


def _shades(top: Decimal) -> tuple[str, ...]:
    if top <= 0:
        return ()
    ends = [top * number / NUM_SHADES for number in range(NUM_SHADES + 1)]
    return tuple(f"{low:.2f} to {high:.2f}" for low, high in pairwise(ends))
