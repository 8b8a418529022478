"""The one form that every bill is read into: rows in FOCUS 1.2 names, and who a row's tags say it is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clusterlab.bill.engine import identifier, quoted

MONEY = "DECIMAL(38, 12)"
"""Exact to a picodollar: what a provider bills for one request is far below a cent."""
TAGS = {"x_Student": "student", "x_Team": "team", "x_Course": "course", "x_Lab": "lab", "x_Run": "run"}
"""Columns of our own by the tag that they are read from (`clusterlab.tags`)."""
PREFIXES = ("", "user:", "user_")
"""What AWS writes before the key of a tag that a user chose, the plain key first."""
COLUMNS = {
    "BilledCost": MONEY,
    "BillingAccountId": "VARCHAR",
    "BillingCurrency": "VARCHAR",
    "BillingPeriodStart": "TIMESTAMP",
    "BillingPeriodEnd": "TIMESTAMP",
    "ChargeCategory": "VARCHAR",
    "ChargeClass": "VARCHAR",
    "ChargeDescription": "VARCHAR",
    "ChargePeriodStart": "TIMESTAMP",
    "ChargePeriodEnd": "TIMESTAMP",
    "ProviderName": "VARCHAR",
    "RegionId": "VARCHAR",
    "ResourceId": "VARCHAR",
    "ServiceName": "VARCHAR",
    "SkuId": "VARCHAR",
    "SubAccountId": "VARCHAR",
    "x_Resource": "VARCHAR",
    **dict.fromkeys(TAGS, "VARCHAR"),
}
"""The columns of the form, with DuckDB's types; instants are UTC, and ends exclusive."""
NEEDED = {
    "BilledCost": "a number with a point, such as 0.526 or 4.2E-7",
    "BillingAccountId": "a text",
    "BillingCurrency": "a currency",
    "BillingPeriodStart": "an instant with its zone, such as 2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "an instant with its zone, such as 2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage, Purchase, Tax, Credit or Adjustment",
    "ChargePeriodStart": "an instant with its zone, such as 2026-10-01T10:00:00Z",
    "ChargePeriodEnd": "an instant with its zone, such as 2026-10-01T11:00:00Z",
    "ProviderName": "a text",
}
"""The columns that no row may lack, each with what it holds."""


def value(column: str, source: str, kind: str) -> str:
    """The SQL that reads a column of an export into one of the form; NULL where it says nothing that can be read.

    Args:
        column: Of the form.
        source: The SQL of the column of the export.
        kind: DuckDB's type of that.
    """
    if column in TAGS:
        return tag(TAGS[column], source, kind)
    if column == "x_Resource":
        # `i-0abc` of an ARN, the machine's name of Azure's and GCP's: what our own records know it by.
        return f"NULLIF(regexp_extract(CAST({source} AS VARCHAR), '[^/:]+$'), '')"
    if COLUMNS[column] == MONEY:
        return f"TRY_CAST({source} AS {MONEY})"
    if COLUMNS[column] == "TIMESTAMP":
        return instant(source, kind)
    return f"NULLIF(CAST({source} AS VARCHAR), '')"


def instant(source: str, kind: str) -> str:
    """An instant in UTC.

    A text must name its zone: without one, an hour of every autumn is there twice. Its 60th second, a leap second, is
    the first of the next minute, as in POSIX. A typed instant without a zone is UTC, as FOCUS wants it.
    """
    if kind != "VARCHAR":
        return f"TRY_CAST({source} AS TIMESTAMP)"
    leap = f"contains({source}, ':60')"
    # The cast of a text to TIMESTAMP would drop its offset; through TIMESTAMPTZ it counts.
    read = f"CAST(TRY_CAST(replace({source}, ':60', ':59') AS TIMESTAMPTZ) AS TIMESTAMP)"
    zoned = f"regexp_matches({source}, '[0-9](Z| ?UTC|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$') AND contains({source}, ':')"
    return f"CASE WHEN {zoned} THEN {read} + CASE WHEN {leap} THEN INTERVAL 1 SECOND ELSE INTERVAL 0 SECOND END END"


def tag(key: str, source: str, kind: str) -> str:
    """The value of a tag: of a map, of a list of keys and values, or of either as JSON."""
    keys = [f"{prefix}{key}" for prefix in PREFIXES]
    if kind.startswith("MAP"):
        return _first(f"{source}[{quoted(each)}]" for each in keys)
    if kind.startswith("STRUCT") and kind.endswith("[]"):
        return _first(_of_pairs(source, each) for each in keys)
    pairs = f"""CAST(CASE WHEN json_type({source}) = 'ARRAY' THEN {source} END AS JSON)"""
    pairs = f"""from_json({pairs}, '[{{"key": "VARCHAR", "value": "VARCHAR"}}]')"""
    path = [f"""json_extract_string({source}, {quoted(f'$."{each}"')})""" for each in keys]
    whole = f"CASE WHEN json_valid({source}) THEN {{}} END"
    return _first(whole.format(each) for each in (*path, *(_of_pairs(pairs, key) for key in keys)))


def readable_tags(source: str, kind: str) -> str:
    """The SQL that is false where tags are a text that is no JSON."""
    return f"({source} IS NULL OR {source} = '' OR json_valid({source}))" if kind == "VARCHAR" else "true"


def select(expressions: Mapping[str, str], relation: str) -> str:
    """The SQL of a relation in the form; a column without an expression is NULL."""
    items = [f"CAST({expressions.get(each, 'NULL')} AS {kind}) AS {identifier(each)}" for each, kind in COLUMNS.items()]
    return f"SELECT {', '.join(items)} FROM {relation}"


def _of_pairs(source: str, key: str) -> str:
    return f"list_filter({source}, lambda pair: pair.key = {quoted(key)})[1].value"


def _first(values: Iterable[str]) -> str:
    return f"NULLIF(COALESCE({', '.join(values)}), '')"
