"""Amounts of US dollars as Decimal: read, rounded to the micro-dollar, and shared out to the cent so that they sum."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation

from clusterlab.errors import InputError, Problem

CURRENCY = "USD"
"""The one currency of prices, budgets and the ledger."""
CENT = Decimal("0.01")
MICRO = Decimal("0.000001")
"""The least amount that is kept: prices of a GB or a second are far below a cent."""
LIMIT = Decimal(10**12)
"""No course costs as much; an amount beyond it is a slip."""


def parse_usd(text: str, *, path: str, key: str = "") -> Decimal:
    """Read an amount that somebody wrote, from 0, such as `20`, `20.50` or `20 USD`.

    Raises:
        InputError: it is no number, below 0, finer than a micro-dollar, or of another currency.
    """
    number, _, currency = text.strip().partition(" ")
    try:
        usd = Decimal(number)
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or (currency or CURRENCY).strip() != CURRENCY:
        message = f"{text!r}; allowed: an amount of {CURRENCY}, such as 20 or 20.50"
        raise InputError(Problem(path=path, key=key, message=message))
    return checked_usd(usd, path=path, key=key)


def checked_usd(usd: Decimal, *, path: str, key: str = "") -> Decimal:
    """The amount itself, which is from 0 and no finer than a micro-dollar.

    Raises:
        InputError: it is not.
    """
    wrong = not usd.is_finite() or not 0 <= usd < LIMIT
    if wrong or usd != to_micro(usd):
        message = f"{usd}; allowed: {CURRENCY} from 0 to below {LIMIT:.0e}, no finer than {MICRO}"
        raise InputError(Problem(path=path, key=key, message=message))
    return usd


def to_micro(usd: Decimal) -> Decimal:
    """To the nearest micro-dollar, half of one up."""
    return usd.quantize(MICRO, ROUND_HALF_UP)


def to_cents(amounts: Sequence[Decimal]) -> list[Decimal]:
    """Each amount to the cent, so that they sum to the cent-rounded sum of what was given.

    The largest remainder: all are rounded down, and the cents that are then missing go to those that lost most, the
    first of equals first. No amount moves by a cent or more. Negative amounts, such as credits, count as they are.
    """
    floors = [amount.quantize(CENT, ROUND_FLOOR) for amount in amounts]
    total = sum(amounts, Decimal(0)).quantize(CENT, ROUND_HALF_UP)
    missing = int((total - sum(floors, Decimal(0))) / CENT)
    lost = sorted(range(len(amounts)), key=lambda index: floors[index] - amounts[index])
    raised = set(lost[:missing])
    return [floor + CENT if index in raised else floor for index, floor in enumerate(floors)]
