"""What the benchmark of the bill runs in processes of its own; each prints a JSON line.

python -m tests.bench.bill_rows make export.parquet 10000000
python -m tests.bench.bill_rows take-in export.parquet store
python -m tests.bench.bill_rows group export.parquet store
python -m tests.bench.bill_rows pandas store
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STUDENTS, LABS = 1000, 20
PAIRS = 5
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def make(path: str, rows: str) -> dict[str, Any]:
    """An export as AWS writes FOCUS 1.2: every column, doubles, a map of tags; one row of 500 carries no tag."""
    from clusterlab.bill.engine import connection, quoted
    from clusterlab.bill.focus import ADDED

    filled = {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), "hash(i, 3) % 10000000 / 1e7"),
        "BillingAccountId": "'000000000001'",
        "BillingCurrency": "'USD'",
        "BillingPeriodStart": "TIMESTAMP '2026-10-01'",
        "BillingPeriodEnd": "TIMESTAMP '2026-11-01'",
        "ChargeCategory": "'Usage'",
        "ChargeDescription": "'$0.526 per On Demand Linux g4dn.xlarge Instance Hour'",
        "ChargePeriodStart": "TIMESTAMP '2026-10-01' + to_hours(i % 744)",
        "ChargePeriodEnd": "TIMESTAMP '2026-10-01' + to_hours(i % 744 + 1)",
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), "'AWS'"),
        "PricingQuantity": "1.0",
        "PricingUnit": "'Hours'",
        "RegionId": "'us-east-1'",
        # A machine runs for a day.
        "ResourceId": "format('arn:aws:ec2:us-east-1:000000000001:instance/i-{:017x}', hash(i // 24) % 1000000)",
        "ServiceCategory": "'Compute'",
        "ServiceName": "'AmazonEC2'",
        "Tags": f"""CASE WHEN i % 500 > 0 THEN MAP {{'course': 'llm-2026',
            'lab': format('lab-{{}}', hash(i, 1) % {LABS}), 'student': format('student-{{}}', hash(i, 2) % {STUDENTS})}}
            END""",
    }
    columns = ", ".join(
        f"{filled.get(name, 'NULL::VARCHAR')} AS {name}" for names in ADDED.values() for name in sorted(names)
    )
    with connection() as database:
        database.execute(f"COPY (SELECT {columns} FROM range({int(rows)}) t(i)) TO {quoted(path)} (FORMAT parquet)")
    return {"mib": Path(path).stat().st_size >> 20}


def take_in(path: str, store: str) -> dict[str, Any]:
    """Import it."""
    from clusterlab.bill.intake import take_in
    from clusterlab.bill.store import Store

    seconds = _seconds(lambda: take_in([Path(path)], Store(folder=Path(store))))
    return {"seconds": seconds, "gib": _peak_gib()}


def group(path: str, store: str) -> dict[str, Any]:
    """Reconcile without intervals, and the bare queries of the same, in turn."""
    from clusterlab.bill.engine import connection, quoted
    from clusterlab.bill.reconciliation import reconcile
    from clusterlab.bill.store import Store

    bill = Store(folder=Path(store))
    normal = f"SELECT x_Student, x_Lab, sum(BilledCost) FROM {bill.relation()} GROUP BY ALL"
    raw = f"""SELECT Tags['student'], Tags['lab'], sum(CAST(BilledCost AS DECIMAL(38, 12)))
        FROM read_parquet({quoted(path)}) GROUP BY ALL"""

    def bare(sql: str) -> None:
        with connection() as database:
            database.execute(sql).fetchall()

    # Once before: imports and the first reading of the files are no part of it.
    reconcile(bill, [], {}, now=NOW)
    found = [
        {
            "ours": _seconds(lambda: reconcile(bill, [], {}, now=NOW)),
            "bare": _seconds(lambda: bare(normal)),
            "bare_export": _seconds(lambda: bare(raw)),
        }
        for _ in range(PAIRS)
    ]
    return {"pairs": found, "gib": _peak_gib()}


def pandas(store: str) -> dict[str, Any]:
    """The same sums by pandas, as it is used, and with doubles in the place of decimals."""
    import pandas as pd
    import pyarrow.parquet

    columns = ["x_Student", "x_Lab", "BilledCost"]
    (path,) = Path(store).rglob("*.parquet")

    def exact() -> None:
        pd.read_parquet(path, columns=columns).groupby(["x_Student", "x_Lab"], dropna=False).BilledCost.sum()

    def doubles() -> None:
        table = pyarrow.parquet.read_table(path, columns=columns)
        cost = table["BilledCost"].cast("double")
        frame = table.set_column(2, "BilledCost", cost).to_pandas()
        frame.groupby(["x_Student", "x_Lab"], dropna=False).BilledCost.sum()

    return {"doubles": _seconds(doubles), "exact": _seconds(exact), "gib": _peak_gib()}


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    verbs: dict[str, Callable[..., dict[str, Any]]] = {
        "make": make,
        "take-in": take_in,
        "group": group,
        "pandas": pandas,
    }
    print(json.dumps(verbs[sys.argv[1]](*sys.argv[2:])))
