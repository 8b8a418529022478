"""What a class has agreed to, as the configuration of the policy pack."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from clusterlab.cluster import Cluster
from clusterlab.lease import LONGEST

MARGIN = timedelta(days=14)
"""After the last day of a class, when no lease of it may last any more."""


def settings(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """By rule. What the class's file does not say allows nothing; without dates, a lease may be as long as any.

    A machine that somebody forgot for a day must not cost the whole budget, and all machines of the stack together must
    be borne by it from the first day to the last: these are the caps of a machine's and of the stack's price.
    """
    today = datetime.now(UTC)
    begins, ends = today, today + LONGEST
    if cluster.dates:
        begins = datetime.combine(cluster.dates.start, time(), UTC)
        ends = datetime.combine(cluster.dates.end, time(), UTC) + timedelta(days=1)
    usd = cluster.budget.course_usd or Decimal(0)
    hours = Decimal((ends - begins) // timedelta(hours=1))
    regions = {cloud: cluster.regions(cloud)[0] for cloud in ("aws", "gcp") if cluster.regions(cloud)}
    return {
        "cost-tags": {"course": cluster.course},
        "lease": {"latest": (ends + MARGIN).isoformat()},
        "open-ingress": {"sshFrom": [str(each) for each in cluster.network.ssh_from]},
        "price": {"maxUsdPerHour": f"{usd / 24:.2f}", "regions": regions},
        "budget": {"limitUsd": f"{usd:f}"},
        "stack-price": {"maxStackUsdPerHour": f"{usd / hours:.4f}", "regions": regions},
    }
