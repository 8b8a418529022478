"""A class of which all is said that its infrastructure needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from clusterlab.calendar import Dates
from clusterlab.catalog import Catalog, Kind
from clusterlab.cluster import Cluster
from clusterlab.errors import InputError, Problem
from infra.naming import Naming

GRACE = timedelta(days=7)
"""Between a class's last day and the end of its leases."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """A class to provision."""

    cluster: Cluster
    naming: Naming
    dates: Dates
    limit_usd: Decimal
    """What it may cost in all."""
    students: tuple[str, ...]

    @classmethod
    def of(cls, cluster: Cluster) -> Course:
        """A class that was loaded to be provisioned.

        Raises:
            InputError: it was not, and lacks its dates or its budget.
        """
        if cluster.dates is None or cluster.budget.course_usd is None:
            message = "lacks dates or budget_usd.course, and the infrastructure needs both"
            raise InputError(Problem(path=str(cluster.path), message=message))
        end = datetime.combine(cluster.dates.end + timedelta(days=1), time(), UTC)
        return cls(
            cluster=cluster,
            naming=Naming(course=cluster.course, lease_until=end + GRACE),
            dates=cluster.dates,
            limit_usd=cluster.budget.course_usd,
            students=cluster.students(),
        )

    def instance_types(self, cloud: str) -> tuple[str, ...]:
        """The machines of a cloud that the class may use, in the catalog's order."""
        rows = self.cluster.offered(Catalog.load()).rows
        return tuple(dict.fromkeys(row.name for row in rows if row.kind is Kind.MACHINE and row.cloud == cloud))

    def gpu_instance_types(self, cloud: str) -> tuple[str, ...]:
        """Those of them that have accelerators."""
        rows = self.cluster.offered(Catalog.load()).rows
        return tuple(dict.fromkeys(row.name for row in rows if row.accelerator and row.cloud == cloud))
