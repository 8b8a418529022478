"""Rows that are in an export more than once, alike in every column."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from clusterlab.bill import normal
from clusterlab.bill.engine import identifier, reading
from clusterlab.bill.layout import FILE, Layout
from clusterlab.errors import InputError, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Duplicates(StrEnum):
    """What becomes of them."""

    REFUSE = "refuse"
    """The import fails: whether they are one charge or two, only a person can say."""
    DROP = "drop"
    KEEP = "keep"

    @classmethod
    def parse(cls, text: str) -> Duplicates:
        """Read what somebody typed.

        Raises:
            InputError: it is none of them.
        """
        if text not in list(cls):
            raise InputError(Problem(path="--duplicates", message=f"{text!r}; allowed: {', '.join(cls)}"))
        return cls(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """The rows of a layout of which there are several, found by their hash and then compared in full."""

    layout: Layout
    table: str
    """The table of their hashes."""

    @classmethod
    def find(cls, layout: Layout, number: int, database: DuckDBPyConnection) -> Repeated:
        """Hash every row of a layout; `number` tells it from the other layouts of the database."""
        found = cls(layout=layout, table=f"repeated_{number}")
        hashes = f"SELECT hash(r) AS h FROM {found._raw()} r GROUP BY h HAVING count(*) > 1"
        with reading(str(layout.sources[0].path)):
            database.execute(f"CREATE TEMP TABLE {found.table} AS {hashes}")
        return found

    def fault(self, database: DuckDBPyConnection) -> Problem | None:
        """How many rows there are too many, and what they cost; None where there are none."""
        cost = self.layout.source_of("BilledCost") or ""
        usd = normal.value("BilledCost", identifier(cost), self.layout.columns[cost])
        times = f"SELECT *, count(*) AS clusterlab_times FROM ({self._suspects()}) GROUP BY ALL HAVING count(*) > 1"
        total = f"SELECT sum(clusterlab_times - 1), sum((clusterlab_times - 1) * {usd}) FROM ({times})"
        with reading(str(self.layout.sources[0].path)):
            surplus, extra = database.execute(total).fetchone() or (0, 0)
        if not surplus:
            return None
        message = f"{surplus} rows are there again, alike in every column: {extra:f} USD more; allowed: each row once"
        choice = "--duplicates drop where they are mistakes, --duplicates keep where they are charges"
        return Problem(path=str(self.layout.sources[0].path), message=f"{message}, or {choice}")

    def dropped(self) -> str:
        """The SQL of the rows, each once, as they are in the files."""
        others = f"SELECT r.* FROM {self._raw()} r WHERE hash(r) NOT IN (SELECT h FROM {self.table})"
        return f"({others} UNION ALL SELECT DISTINCT * FROM ({self._suspects()}))"

    def _suspects(self) -> str:
        return f"SELECT r.* FROM {self._raw()} r WHERE hash(r) IN (SELECT h FROM {self.table})"

    def _raw(self) -> str:
        return f"(SELECT * EXCLUDE ({identifier(FILE)}) FROM {self.layout.relation})"
