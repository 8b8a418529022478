"""The bills that were imported: one Parquet file for each provider, account and billing period."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.bill.engine import quoted, reading
from clusterlab.errors import InputError, Problem, StorageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PERIOD = re.compile(r"\d{4}-\d{2}(-\d{2})?")


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Key:
    """What can be in a store once: the bill of an account of a provider for a period."""

    period: datetime
    """Its first instant, in UTC."""
    provider: str
    account: str

    def __str__(self) -> str:
        return f"{self.provider} {self.account} {self.period:%Y-%m-%d}"

    @property
    def name(self) -> str:
        """Its file, below the folder of the store; the digest tells accounts apart that are written alike."""
        slug = re.sub(r"[^a-z0-9]+", "-", f"{self.provider}-{self.account}".lower()).strip("-")
        digest = hashlib.sha256(f"{self.provider}\0{self.account}".encode()).hexdigest()[:8]
        return f"{self.period:%Y-%m-%d}/{slug}-{digest}.parquet"

    @property
    def where(self) -> str:
        """The SQL of its rows in the normal form."""
        period = f"BillingPeriodStart = TIMESTAMP {quoted(self.period.isoformat(' '))}"
        return f"{period} AND ProviderName = {quoted(self.provider)} AND BillingAccountId = {quoted(self.account)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """What an import did with the bill of one key."""

    key: Key
    state: str
    """`new`, `replaced`, or `unchanged` where the very same files were imported before."""
    num_rows: int
    usd: Decimal

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "provider": self.key.provider,
            "account": self.key.account,
            "period": f"{self.key.period:%Y-%m-%d}",
            "state": self.state,
            "num_rows": self.num_rows,
            "billed_usd": f"{self.usd:f}",
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """A folder of bills in the normal form."""

    folder: Path

    def files(self, period: str | None = None) -> list[Path]:
        """The bills of a period, such as `2026-10`, or all.

        Raises:
            InputError: it is no period, or nothing of it was imported.
        """
        if period is not None and not PERIOD.fullmatch(period):
            raise InputError(Problem(path="--period", message=f"{period!r}; allowed: a month, such as 2026-10"))
        found = sorted(self.folder.glob(f"{period or ''}*/*.parquet"))
        if not found:
            message = f"has no bill{f' of {period}' if period else ''}; `clusterlab bill import PATH` brings one"
            raise InputError(Problem(path=str(self.folder), message=message))
        return found

    def relation(self, period: str | None = None) -> str:
        """The SQL of the rows of a period, or of all."""
        return f"read_parquet([{', '.join(quoted(str(each)) for each in self.files(period))}])"

    def periods(self, database: DuckDBPyConnection, period: str | None = None) -> list[tuple[datetime, datetime]]:
        """The billing periods, in order; ends exclusive. A file has one: its first row says which."""
        first = "SELECT BillingPeriodStart, BillingPeriodEnd FROM read_parquet({}) LIMIT 1"
        rows = [database.execute(first.format(quoted(str(each)))).fetchall() for each in self.files(period)]
        return sorted({(start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)) for [(start, end)] in rows})

    def digest(self, key: Key, database: DuckDBPyConnection) -> str | None:
        """The digest that a key's bill was put in with; None where there is none."""
        path = self.folder / key.name
        if not path.exists():
            return None
        sql = f"SELECT decode(value) FROM parquet_kv_metadata({quoted(str(path))}) WHERE decode(key) = 'digest'"
        with reading(str(path)):
            return str((database.execute(sql).fetchone() or [""])[0])

    def put(self, key: Key, rows: str, digest: str, database: DuckDBPyConnection) -> None:
        """Write the bill of a key from the SQL of rows in the normal form, in the place of one that is there.

        Raises:
            StorageError: the folder cannot be written.
        """
        path = self.folder / key.name
        unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
        options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{digest: {quoted(digest)}}}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # What is nobody's comes last, so that a query of it reads those row groups only.
            bill = " UNION ALL ".join(
                f"SELECT * FROM ({rows}) WHERE {key.where} AND x_Student IS {which}" for which in ("NOT NULL", "NULL")
            )
            database.execute(f"COPY ({bill}) TO {quoted(str(unfinished))} ({options})")
            unfinished.replace(path)
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error}") from error
        finally:
            unfinished.unlink(missing_ok=True)

    def part(self, key: Key, state: str, database: DuckDBPyConnection) -> Part:
        """What is in the store of a key."""
        sql = f"SELECT count(*), sum(BilledCost) FROM read_parquet({quoted(str(self.folder / key.name))})"
        num_rows, usd = database.execute(sql).fetchone() or (0, Decimal(0))
        return Part(key=key, state=state, num_rows=num_rows, usd=usd)
