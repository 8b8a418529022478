"""What the meter put on the ledger of a pool's jobs that came without a ticket."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from clusterlab.cost.interval import Interval, Source
from clusterlab.ledger.entry import Kind
from clusterlab.ledger.schema import ENTRIES
from clusterlab.submission.table import TICKETS

OF_RAY = f'%"source":"{Source.RAY}"%'
"""In the canonical JSON of an interval."""


def metered_beside(connection: Connection, course: str, since: str) -> list[Interval]:
    """Each interval as it was last recorded, of those that were recorded since an instant."""
    rows = select(ENTRIES.c.interval, ENTRIES.c.detail).where(ENTRIES.c.kind == Kind.INTERVAL, ENTRIES.c.at >= since)
    rows = rows.where(ENTRIES.c.course == course, ENTRIES.c.student.is_not(None), ENTRIES.c.detail.like(OF_RAY))
    # A job that has a ticket carries its name as the tag `run`.
    rows = rows.where(ENTRIES.c.run.is_(None) | ENTRIES.c.run.not_in(select(TICKETS.c.id)))
    details = {row.interval: row.detail for row in connection.execute(rows.order_by(ENTRIES.c.seq))}
    return [Interval.from_json(json.loads(detail)) for detail in details.values()]
