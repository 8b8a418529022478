"""A class's infrastructure, put together of components for each cloud that its file names."""

from __future__ import annotations

from typing import Any

from clusterlab.cluster import Cluster
from infra.course import Course
from infra.on_aws import on_aws
from infra.on_gcp import on_gcp


def build(cluster: Cluster) -> dict[str, Any]:
    """Register all that a class stands on, and say what the stack exports.

    `clusterlab class config` makes SkyPilot's configuration of what begins `aws_` and `gcp_`.

    Raises:
        InputError: the class was not loaded to be provisioned.
    """
    course = Course.of(cluster)
    exports: dict[str, Any] = {
        "course": cluster.course,
        "lease_until": course.naming.tags("class")["lease-until"],
        "time_zone": cluster.time_zone,
        "hours": list(map(str, cluster.hours)),
    }
    if cluster.regions("aws"):
        exports |= on_aws(course)
    if cluster.gcp is not None and cluster.regions("gcp"):
        exports |= on_gcp(course, cluster.gcp)
    return exports
