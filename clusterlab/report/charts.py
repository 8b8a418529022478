"""The burn-down as a drawing: places on a canvas, which the page puts into SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from clusterlab.report.burn import Burn

WIDTH, HEIGHT = 720, 320
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 16, 40
"""Margins; at the left millions of dollars have room."""
NUM_TICKS = 5
STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
"""By which an axis may go, and ten times these."""

Point = tuple[datetime, Decimal]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A mark at an axis."""

    place: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """The burn-down, in units of the canvas; empty texts where there is nothing to draw."""

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM
    zero: str
    """Where no dollar is left, or none was used."""
    past: str
    """Points of the line of what is left, or used where there is no budget."""
    ahead: str
    """Of the forecast's mean."""
    range: str
    """Of the polygon between its low and its high."""
    now: str
    money: tuple[Tick, ...]
    days: tuple[Tick, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    first: datetime
    last: datetime
    low: Decimal
    high: Decimal

    def x(self, at: datetime) -> str:
        part = (at - self.first) / ((self.last - self.first) or timedelta(days=1))
        return f"{LEFT + part * (WIDTH - LEFT - RIGHT):.1f}"

    def y(self, usd: Decimal) -> str:
        part = float((usd - self.low) / ((self.high - self.low) or Decimal(1)))
        return f"{HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM):.1f}"

    def line(self, points: Sequence[Point]) -> str:
        return " ".join(f"{self.x(at)},{self.y(usd)}" for at, usd in points)


def draw(burn: Burn, now: datetime) -> Drawing | None:
    """What is left of the budget day by day, or what was used where there is none; None where nothing was used."""
    if not burn.days:
        return None
    past = _past(burn, now)
    ahead, band = _ahead(burn, past[-1])
    points = [*past, *ahead, *band]
    amounts = [usd for _, usd in points] + [Decimal(0)]
    step = _step(max(amounts) - min(amounts))
    low = (min(amounts) / step).to_integral_value(ROUND_FLOOR) * step
    high = (max(amounts) / step).to_integral_value(ROUND_CEILING) * step
    scale = _Scale(first=past[0][0], last=max(at for at, _ in points), low=low, high=high)
    return Drawing(
        zero=scale.y(Decimal(0)),
        past=scale.line(past),
        ahead=scale.line(ahead),
        range=scale.line(band),
        now=scale.x(past[-1][0]),
        money=tuple(Tick(place=scale.y(usd), label=f"{usd:,.{_digits(step)}f}") for usd in _marks(low, high, step)),
        days=tuple(Tick(place=scale.x(at), label=f"{at:%d %b}") for at in _dates(scale.first, scale.last)),
    )


def _past(burn: Burn, now: datetime) -> list[Point]:
    """What was left, or used, at the start of each day and now."""
    first = datetime.combine(burn.days[0][0], time(), UTC)
    used, points = Decimal(0), [(first, _shown(burn, Decimal(0)))]
    for day, total in burn.days:
        used += total.usd
        end = min(datetime.combine(day, time(), UTC) + timedelta(days=1), max(now, points[-1][0]))
        points.append((end, _shown(burn, used)))
    return points


def _ahead(burn: Burn, last: Point) -> tuple[list[Point], list[Point]]:
    """The line of the forecast, and the corners of its range."""
    found = burn.forecast
    if found is None:
        return [], []
    line = [last, (found.until, _shown(burn, found.usd))]
    if found.low_usd is None or found.high_usd is None:
        return line, []
    return line, [last, (found.until, _shown(burn, found.low_usd)), (found.until, _shown(burn, found.high_usd))]


def _shown(burn: Burn, used: Decimal) -> Decimal:
    return used if burn.cap_usd is None else burn.cap_usd - used


def _step(span: Decimal) -> Decimal:
    """A round number of dollars that divides a span into a few parts."""
    least = (span or Decimal(1)) / NUM_TICKS
    ten = Decimal(1).scaleb(least.adjusted())
    return next(each * ten for each in STEPS if each * ten >= least)


def _digits(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))


def _marks(low: Decimal, high: Decimal, step: Decimal) -> list[Decimal]:
    return [low + step * number for number in range(int((high - low) / step) + 1)]


def _dates(first: datetime, last: datetime) -> list[datetime]:
    """Midnights, at most so many that their labels do not touch."""
    num = max(1, -(-(last - first) // timedelta(days=1)))
    every = max(1, -(-num // (NUM_TICKS + 1)))
    return [first + timedelta(days=day) for day in range(0, num + 1, every) if first + timedelta(days=day) <= last]
