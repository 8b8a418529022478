"""A class's infrastructure, put together of components for each cloud that its file names."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from clusterlab.cluster import Cluster
from infra.naming import Naming
from infra.on_aws import on_aws

GRACE = timedelta(days=7)
"""Between a class's last day and the end of its leases."""


def build(cluster: Cluster) -> dict[str, Any]:
    """Register all that a class stands on, and say what the stack exports.

    `clusterlab class config` makes SkyPilot's configuration of what begins `aws_` and `gcp_`.
    """
    naming = naming_of(cluster)
    exports: dict[str, Any] = {"course": cluster.course, "lease_until": naming.tags("class")["lease-until"]}
    if cluster.regions("aws"):
        exports |= on_aws(cluster, naming)
    return exports


def naming_of(cluster: Cluster) -> Naming:
    """What everything of a class is called; the class must have dates, as one that was loaded to be provisioned has."""
    assert cluster.dates is not None  # noqa: S101 (for the type checker: `load` has seen to it)
    end = datetime.combine(cluster.dates.end + timedelta(days=1), time(), UTC)
    return Naming(course=cluster.course, lease_until=end + GRACE)
