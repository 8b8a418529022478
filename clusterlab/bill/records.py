"""What our own ledger says: what was metered, and what was estimated when it was launched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from clusterlab.bill.unit import Unit
from clusterlab.cost.interval import Interval
from clusterlab.ledger.location import named, open_ledger

if TYPE_CHECKING:
    from clusterlab.ledger.ledger import Ledger


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """All that the ledger has."""

    intervals: tuple[Interval, ...] = ()
    estimates: Mapping[Unit, Decimal] = field(default_factory=dict)
    """What was reserved for launches that happened, or may yet."""

    @classmethod
    def of_ledger(cls, *, needed: bool = False) -> Records:
        """Read the ledger that `CLUSTERLAB_LEDGER` names; empty where it names none and none is needed.

        Raises:
            InputError: none is named, though one is needed, or the name is wrong.
            MissingError: SQLAlchemy, or the driver of the database, is not installed.
            UnreachableError: it does not answer.
            StorageError: what lies there is no ledger.
        """
        if named() is None and not needed:
            return cls()
        return cls.read(open_ledger)

    @classmethod
    def read(cls, opened: Callable[[], Ledger]) -> Records:
        """Read a ledger.

        Raises:
            UnreachableError: it does not answer.
        """
        with closing(opened()) as ledger:
            estimates = {
                Unit(student=use.student, lab=use.lab or ""): use.reserved_usd
                for use in ledger.uses()
                if use.student is not None and use.reserved_usd
            }
            return cls(intervals=tuple(ledger.intervals()), estimates=estimates)
