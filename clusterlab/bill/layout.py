"""Files of one layout: with the same columns in the same order, of FOCUS or of CUR 2.0, as one relation."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterlab.bill import cur, focus, normal
from clusterlab.bill.engine import identifier, quoted, reading
from clusterlab.bill.source import Format, Source
from clusterlab.errors import InputError, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE = "clusterlab_file"
"""The column that says which file a row is of."""
FEW = 5
"""Mandatory columns of FOCUS from which on a file is taken for one, and its other faults are named one by one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Files that are read as one relation."""

    sources: tuple[Source, ...]
    columns: Mapping[str, str]
    """DuckDB's type by column, in the order of the files."""

    @property
    def dialect(self) -> str:
        """`CUR 2.0`, or the version of FOCUS."""
        return "CUR 2.0" if cur.is_cur(self.columns) else f"FOCUS {focus.version(self.columns)}"

    @property
    def relation(self) -> str:
        """The SQL of the rows as they are in the files, and FILE."""
        files = f"[{', '.join(quoted(str(each.path)) for each in self.sources)}], filename = {quoted(FILE)}"
        if self.sources[0].is_parquet:
            # The folder of an export is called BILLING_PERIOD=2026-10: no column of the rows.
            return f"read_parquet({files}, hive_partitioning = false)"
        names = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in self.columns)
        strict = "strict_mode = true, null_padding = false, ignore_errors = false, auto_detect = false, header = true"
        return f"""read_csv({files}, columns = {{{names}}}, delim = ',', quote = '"', escape = '"', {strict})"""

    def source_of(self, column: str) -> str | None:
        """The column of the files that a column of the normal form is read from."""
        if cur.is_cur(self.columns):
            names = {**cur.NEEDED, **cur.OPTIONAL, **dict.fromkeys(normal.TAGS, cur.TAGS)}
        else:
            names = {name: name for name in normal.COLUMNS} | dict.fromkeys(normal.TAGS, "Tags")
        names["x_Resource"] = names["ResourceId"]
        return names[column] if names.get(column) in self.columns else None

    def expressions(self) -> dict[str, str]:
        """The SQL of each column of the normal form that the files have."""
        found = {}
        for column in normal.COLUMNS:
            source = self.source_of(column)
            if source is not None:
                found[column] = normal.value(column, identifier(source), self.columns[source])
        # Providers differ in whether a period ends at its last day or before the next; `checks` sees that it is one.
        found["BillingPeriodEnd"] = f"{found['BillingPeriodStart']} + INTERVAL 1 MONTH"
        if cur.is_cur(self.columns):
            kind = identifier(cur.NEEDED["ChargeCategory"])
            cases = " ".join(f"WHEN {quoted(each)} THEN {quoted(name)}" for each, name in cur.CATEGORIES.items())
            found["ChargeCategory"] = f"CASE {kind} {cases} END"
            found["ChargeClass"] = f"CASE WHEN {kind} = 'Refund' THEN 'Correction' END"
            found["ProviderName"] = "'AWS'"
        return found

    def rows(self) -> str:
        """The SQL of the rows in the normal form, in full."""
        return normal.select(self.expressions(), self.relation)


def layouts(sources: Iterable[Source], database: DuckDBPyConnection) -> list[Layout]:
    """The files by layout.

    Raises:
        InputError: a file cannot be read, or its columns are neither of FOCUS 1.0 to 1.2 nor of CUR 2.0.
    """
    problems: list[Problem] = []
    found: dict[tuple[object, ...], list[Source]] = {}
    for source in sources:
        try:
            columns = _parquet_columns(source, database) if source.is_parquet else _csv_columns(source)
        except InputError as error:
            problems += error.problems
            continue
        problems += [
            Problem(path=str(source.path), key=key, message=message) for key, message in _column_faults(columns)
        ]
        found.setdefault((source.is_parquet, *columns.items()), []).append(source)
    if problems:
        raise InputError(problems)
    return [Layout(sources=tuple(files), columns=dict(key[1:])) for key, files in found.items()]  # type: ignore[arg-type]


def _column_faults(columns: Mapping[str, str]) -> list[tuple[str, str]]:
    if cur.is_cur(columns):
        return cur.faults(columns)
    if len(columns.keys() & set(focus.MANDATORY)) < FEW:
        return [("", "no bill that can be read; allowed: an export of FOCUS 1.0 to 1.2, or AWS's CUR 2.0")]
    return focus.faults(columns)


def _parquet_columns(source: Source, database: DuckDBPyConnection) -> dict[str, str]:
    sql = f"DESCRIBE SELECT * FROM read_parquet({quoted(str(source.path))}, hive_partitioning = false)"
    with reading(str(source.path)):
        return {name: kind for name, kind, *_ in database.execute(sql).fetchall()}


def _csv_columns(source: Source) -> dict[str, str]:
    with gzip.open(source.path) if source.format is Format.CSV_GZ else source.path.open("rb") as file:
        header = file.readline().removeprefix(codecs.BOM_UTF8)
    try:
        names = next(csv.reader(io.StringIO(header.decode()), strict=True))
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise InputError(Problem(path=str(source.path), message=f"its first line names no columns: {error}")) from error
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(Problem(path=str(source.path), key=min(twice), message="a column that is there twice"))
    return dict.fromkeys(names, "VARCHAR")
