"""Exports as the providers write them: their columns, their types, their ways with tags and instants.

Columns: AWS Data Exports, table dictionaries of FOCUS 1.0 and 1.2 with AWS columns and of CUR 2.0; Google Cloud, FOCUS
export to BigQuery; Microsoft Cost Management, FocusCost 1.0 and 1.2-preview. The amounts are made by a seed.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from clusterlab.bill.focus import ADDED

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
ISO = "%Y-%m-%dT%H:%M:%SZ"
AWS_X = ("x_Discounts", "x_Operation", "x_ServiceCode", "x_UsageType")
GCP_X = ("x_Credits", "x_CostType", "x_ExportTime", "x_ProjectId")
AZURE_X = ("x_BilledCostInUsd", "x_ResourceGroupName", "x_SkuMeterCategory")
TYPES = {"Cost": "DOUBLE", "Quantity": "DOUBLE", "Price": "DOUBLE", "Start": "TIMESTAMP_MS", "End": "TIMESTAMP_MS"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One row of a bill, whoever writes it."""

    usd: Decimal
    start: datetime = datetime(2026, 10, 5, 10, tzinfo=UTC)
    hours: int = 1
    resource: str | None = "i-0aaa"
    tags: tuple[tuple[str, str], ...] = ()
    category: str = "Usage"
    service: str = "AmazonEC2"
    currency: str = "USD"
    account: str = "000000000001"
    period: datetime = OCTOBER

    @property
    def end(self) -> datetime:
        return self.start + timedelta(hours=self.hours)

    @property
    def period_end(self) -> datetime:
        return (self.period + timedelta(days=32)).replace(day=1)


def charge(usd: str, student: str = "", lab: str = "", **others: Any) -> Charge:
    """A charge by its dollars and tags."""
    tags = tuple((key, value) for key, value in {"student": student, "lab": lab}.items() if value)
    return Charge(usd=Decimal(usd), tags=tags, **others)


def month(seed: int, rows: int = 40) -> list[Charge]:
    """A month of two students and two labs, with a tax and a credit that carry no tag."""
    chance = random.Random(seed)
    charges = [
        replace(
            charge(f"{chance.uniform(0, 3):.10f}", chance.choice(["ana", "ben"]), chance.choice(["qlora", "fsdp"])),
            start=OCTOBER + timedelta(hours=hour),
            resource=f"i-0{hour:03x}",
        )
        for hour in range(rows)
    ]
    tax = charge("1.23", resource=None, category="Tax", service="AmazonEC2", hours=24)
    credit = charge("-5.00", resource=None, category="Credit", service="AmazonEC2", hours=24)
    return [*charges, tax, credit]


def focus(charges: Sequence[Charge], version: str, extra: Sequence[str], provider: str) -> list[dict[str, Any]]:
    """Rows of FOCUS, with every column of its version."""
    versions = [each for each in ADDED if each <= version]
    columns = [*sorted(name for each in versions for name in ADDED[each]), *extra]
    return [dict.fromkeys(columns) | _focus(each, provider) for each in charges]


def _focus(each: Charge, provider: str) -> dict[str, Any]:
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), each.usd),
        "BillingAccountId": each.account,
        "BillingAccountName": 'University, Dept. of "LLMs"',
        "BillingCurrency": each.currency,
        "BillingPeriodStart": each.period,
        "BillingPeriodEnd": each.period_end,
        "ChargeCategory": each.category,
        "ChargeDescription": "one, two\nthree",
        "ChargePeriodStart": each.start,
        "ChargePeriodEnd": each.end,
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), provider),
        "PricingQuantity": each.hours,
        "PricingUnit": "Hours",
        "RegionId": "us-east-1",
        "ResourceId": each.resource,
        "ServiceCategory": "Compute",
        "ServiceName": each.service,
        "Tags": dict(each.tags),
    }


def aws_focus(path: Path, charges: Sequence[Charge], version: str = "1.2") -> Path:
    """AWS: Parquet with doubles, milliseconds and a map of tags, or CSV; resources by ARN."""
    rows = focus(charges, version, AWS_X, "AWS")
    for row in rows:
        if row["ResourceId"]:
            row["ResourceId"] = f"arn:aws:ec2:us-east-1:000000000001:instance/{row['ResourceId']}"
    return write(path, rows)


def cur(path: Path, charges: Sequence[Charge]) -> Path:
    """AWS's CUR 2.0: snake case, and the keys of tags that a user chose begin with `user_`."""
    rows = [
        {
            "bill_bill_type": "Anniversary",
            "bill_billing_period_end_date": each.period_end,
            "bill_billing_period_start_date": each.period,
            "bill_payer_account_id": each.account,
            "identity_line_item_id": f"line{number}",
            "line_item_currency_code": each.currency,
            "line_item_line_item_description": "$0.526 per On Demand Linux g4dn.xlarge Instance Hour",
            "line_item_line_item_type": each.category,
            "line_item_product_code": each.service,
            "line_item_resource_id": each.resource,
            "line_item_unblended_cost": each.usd,
            "line_item_usage_account_id": "000000000002",
            "line_item_usage_end_date": each.end,
            "line_item_usage_start_date": each.start,
            "product_region_code": "us-east-1",
            "resource_tags": {f"user_{key}": value for key, value in each.tags},
        }
        for number, each in enumerate(charges)
    ]
    return write(path, rows)


def gcp(path: Path, charges: Sequence[Charge]) -> Path:
    """GCP: exact numbers, tags as a list of keys and values, inherited ones among them."""
    rows = focus(charges, "1.0", GCP_X, "Google Cloud")
    for row, each in zip(rows, charges, strict=True):
        if each.resource:
            row["ResourceId"] = f"//compute.googleapis.com/projects/llm/zones/us-central1-a/instances/{each.resource}"
        pairs = [("env", "course"), *each.tags]
        row["Tags"] = [{"key": key, "value": value, "inherited": False, "namespace": "n/a"} for key, value in pairs]
    return write(path, rows, "%Y-%m-%d %H:%M:%S UTC")


def azure(path: Path, charges: Sequence[Charge]) -> Path:
    """Azure: CSV whose instants have no seconds."""
    rows = focus(charges, "1.0", AZURE_X, "Microsoft")
    for row in rows:
        if row["ResourceId"]:
            group = "/subscriptions/0/resourcegroups/llm/providers/microsoft.compute/virtualmachines"
            row["ResourceId"] = f"{group}/{row['ResourceId']}"
    return write(path, rows, "%Y-%m-%dT%H:%MZ")


def write(path: Path, rows: Sequence[dict[str, Any]], instants: str = ISO) -> Path:
    """Write rows as the end of the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        _write_parquet(path, rows)
        return path
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows({name: _cell(value, instants) for name, value in row.items()} for row in rows)
    return path


def _cell(value: Any, instants: str) -> Any:
    if isinstance(value, datetime):
        return value.strftime(instants)
    if isinstance(value, Decimal):
        return f"{value:E}" if abs(value) < 1 else f"{value:f}"
    return json.dumps(value) if isinstance(value, dict | list) else value


def _write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    kinds = {name: _kind(name, [row[name] for row in rows]) for name in rows[0]}
    with duckdb.connect() as database:
        database.execute(f"CREATE TABLE export ({', '.join(f'{name} {kind}' for name, kind in kinds.items())})")
        values = [[_typed(row[name], kind) for name, kind in kinds.items()] for row in rows]
        database.executemany(f"INSERT INTO export VALUES ({', '.join('?' for _ in kinds)})", values)
        database.execute(f"COPY export TO '{path}' (FORMAT parquet)")


def _kind(name: str, values: Sequence[Any]) -> str:
    if name in ("Tags", "resource_tags"):
        pairs = "STRUCT(key VARCHAR, value VARCHAR, inherited BOOLEAN, namespace VARCHAR)[]"
        return pairs if any(isinstance(each, list) for each in values) else "MAP(VARCHAR, VARCHAR)"
    if name.endswith("_date"):
        return "TIMESTAMP_MS"
    return next((kind for end, kind in TYPES.items() if name.lower().endswith(end.lower())), "VARCHAR")


def _typed(value: Any, kind: str) -> Any:
    if kind == "DOUBLE" and value is not None:
        return float(value)
    if kind == "TIMESTAMP_MS" and value is not None:
        return value.replace(tzinfo=None)
    return {"key": list(value), "value": list(value.values())} if kind.startswith("MAP") else value
