"""What a course spent and held against its cap, week by week, as a drawing in SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from xml.sax.saxutils import escape

from clusterlab.report.charts import BOTTOM, HEIGHT, LEFT, NUM_TICKS, RIGHT, STEPS, TOP, WIDTH
from clusterlab.simulation.course import WEEK
from clusterlab.simulation.result import Result

NUM_WEEKS = 8
"""That have a label, at most."""
ROW = 18
"""Between two lines of text."""
STYLE = (
    "text{font:12px sans-serif;fill:#333}.axis{stroke:#ccc}.cap{stroke:#b3261e;stroke-width:2;stroke-dasharray:6 4}"
    ".held{fill:#cfe0f5}.spent{fill:none;stroke:#1f5fa8;stroke-width:2.5}"
)
Point = tuple[datetime, Decimal]


def svg(result: Result) -> str:
    """The drawing: held as an area, spent as a line, the cap as a dashed one."""
    high = _high(max([result.cap_usd, *(day.held_usd for day in result.days)]))
    last = result.days[-1].at if result.days else result.start + WEEK
    canvas = _Canvas(first=result.start, last=last, high=high)
    height = HEIGHT + 2 * ROW
    title = (
        f"{result.course}, simulated: {result.num_students:,} students, {result.num_labs} labs, "
        f"{result.counts.launches:,} launches (seed {result.seed})"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">'
    parts = [head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>"]
    parts += [f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    parts += [f'<text x="{LEFT}" y="{TOP - 2}">{escape(title)}</text>', f'<g transform="translate(0 {ROW})">']
    parts += [*canvas.money(), *canvas.weeks(), *_lines(result, canvas), "</g></svg>"]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Canvas:
    """Where an instant and an amount lie."""

    first: datetime
    last: datetime
    high: Decimal

    def x(self, at: datetime) -> float:
        return LEFT + (at - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)

    def y(self, usd: Decimal) -> float:
        return HEIGHT - BOTTOM - float(usd / self.high) * (HEIGHT - TOP - BOTTOM)

    def points(self, of: Sequence[Point]) -> str:
        return " ".join(f"{self.x(at):.1f},{self.y(usd):.1f}" for at, usd in of)

    def money(self) -> Iterator[str]:
        step = _step(self.high)
        for number in range(int(self.high / step) + 1):
            usd = step * number
            y = f"{self.y(usd):.1f}"
            yield f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text x="{LEFT - 6}" y="{y}" text-anchor="end" dy="4">{usd:,.0f}</text>'

    def weeks(self) -> Iterator[str]:
        num = -(-(self.last - self.first) // WEEK)
        every = max(1, -(-num // NUM_WEEKS))
        for week in range(0, num, every):
            at = self.first + week * WEEK
            yield f'<text x="{self.x(at):.1f}" y="{HEIGHT - BOTTOM + ROW}" text-anchor="middle">week {week + 1}</text>'


def _lines(result: Result, canvas: _Canvas) -> Iterator[str]:
    spent: list[Point] = [(result.start, Decimal(0)), *((day.at, day.spent_usd) for day in result.days)]
    held: list[Point] = [(result.start, Decimal(0)), *((day.at, day.held_usd) for day in result.days)]
    ground = [(held[-1][0], Decimal(0)), (held[0][0], Decimal(0))]
    yield f'<polygon class="held" points="{canvas.points([*held, *ground])}"/>'
    yield f'<polyline class="spent" points="{canvas.points(spent)}"/>'
    y = f"{canvas.y(result.cap_usd):.1f}"
    yield f'<line class="cap" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
    legend = (
        ("#b3261e", f"cap {result.cap_usd:,.0f} USD"),
        ("#7fa8d8", f"held, at most {result.peak_held_usd:,.0f}"),
        ("#1f5fa8", f"spent, in the end {spent[-1][1]:,.0f}"),
    )
    for number, (color, text) in enumerate(legend):
        x = LEFT + number * (WIDTH - LEFT - RIGHT) // len(legend)
        yield f'<rect x="{x}" y="{HEIGHT - 9}" width="14" height="8" fill="{color}"/>'
        yield f'<text x="{x + 20}" y="{HEIGHT}">{escape(text)}</text>'


def _high(usd: Decimal) -> Decimal:
    """The end of the axis: a round number above what is drawn."""
    step = _step(usd * Decimal("1.05"))
    return (usd * Decimal("1.05") / step).to_integral_value(ROUND_CEILING) * step


def _step(span: Decimal) -> Decimal:
    least = span / NUM_TICKS
    ten = Decimal(1).scaleb(least.adjusted())
    return next(each * ten for each in STEPS if each * ten >= least)
