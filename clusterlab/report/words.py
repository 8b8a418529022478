"""How a report says things, in the terminal and on the page alike."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from decimal import Decimal

from clusterlab.cost.total import Total
from clusterlab.report.burn import HORIZON, METHOD, Burn, Forecast
from clusterlab.report.matrix import Cell

NOBODYS = "nobody's"
NO_LAB = "no lab"
UNKNOWN = "unknown"
UNPRINTABLE = "\ufffd"


def printable(text: object) -> str:
    """A text that a terminal and an HTML file can carry: what neither can is replaced by a mark."""
    return "".join(UNPRINTABLE if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in str(text))


def usd(amount: Decimal | None) -> str:
    """Dollars to the cent; `unknown` where they are not known."""
    return UNKNOWN if amount is None else f"{amount:,.2f}"


def metered(total: Total, cents: Decimal | None = None) -> str:
    """A total, of which the known part may have been rounded to `cents` with others; unknown where nothing is known."""
    if not total.complete and not total.usd:
        return UNKNOWN
    return usd(total.usd if cents is None else cents) + ("" if total.complete else " incomplete")


def student(name: str | None) -> str:
    """A student, or that it is nobody's."""
    return NOBODYS if name is None else printable(name)


def lab(name: str | None) -> str:
    """A lab, or that there is none."""
    return printable(name) if name else NO_LAB


def when(at: datetime) -> str:
    """An instant to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def outlier(cell: Cell) -> str:
    """Why a cell is marked; empty where it is not."""
    found = cell.outlier
    return "" if found is None else f"outlier: the median is {usd(found.median_usd)}, robust score {found.score:.1f}"


def forecast(burn: Burn) -> list[str]:
    """What the forecast says, sentence by sentence."""
    found = burn.forecast
    if found is None:
        return ["No forecast: there is none before a whole day (UTC) of use, nor after the course's end."]
    parts = [f"At {usd(found.per_day_usd)} USD a day the course will have used {usd(found.usd)} USD"]
    if found.low_usd is not None and found.high_usd is not None:
        parts.append(f", from {usd(found.low_usd)} to {usd(found.high_usd)},")
    parts.append(f" by {when(found.until)}.")
    sentences = ["".join(parts), *_against_budget(burn, found), _how(found)]
    if not found.complete:
        sentences.append("Prices of some use are not known, so all of this is too low.")
    return sentences


def _against_budget(burn: Burn, found: Forecast) -> list[str]:
    if burn.cap_usd is None:
        return ["No budget of the course is set, so there is nothing to use up."]
    if burn.used.usd >= burn.cap_usd:
        return [f"The budget of {usd(burn.cap_usd)} USD is used up already."]
    if found.used_up is None:
        return [f"The budget of {usd(burn.cap_usd)} USD lasts until then."]
    return [f"At that pace the budget of {usd(burn.cap_usd)} USD is used up on {when(found.used_up)}."]


def _how(found: Forecast) -> str:
    if not found.num_weeks:
        return "Not a whole week has passed: the pace is the mean of the whole days so far, and there is no range."
    ahead = f" Where no last day is given (--until), it looks {HORIZON.days} days ahead."
    weeks = f"{found.num_weeks} week{'s' if found.num_weeks > 1 else ''}"
    return f"Method, here from {weeks}: {METHOD}.{ahead}"
