"""The queue's two tables, beside the ledger's in its database; rows change, so they are none of the ledger's."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Connection, Index, MetaData, Row, Table, Text, inspect

from clusterlab.ledger.entry import instant
from clusterlab.submission.ticket import State, Ticket

METADATA = MetaData()

TICKETS = Table(
    "submission_tickets",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("course", Text, nullable=False),
    Column("student", Text, nullable=False),
    Column("lab", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("gpus", Text, nullable=False),
    Column("hours", Text, nullable=False),
    Column("due", Text),
    Column("state", Text, nullable=False),
    Column("joined", Text, nullable=False),
    Column("beat", Text, nullable=False),
    Column("started", Text),
    Column("ended", Text),
    Index("submission_tickets_state", "course", "state"),
    Index("submission_tickets_student", "course", "student", "fingerprint"),
)
"""What each column is says `clusterlab.submission.ticket`."""

CLUSTERS = Table(
    "submission_clusters",
    METADATA,
    Column("course", Text, primary_key=True),
    Column("looked", Text, nullable=False),
    Column("gpus", Text, nullable=False),
    Column("others", Text, nullable=False),
)
"""What Ray said last of a class's cluster, and when it was asked: of many who wait, one asks for all."""

INSTANTS = ("due", "joined", "beat", "started", "ended")
AMOUNTS = ("gpus", "hours")


def is_there(connection: Connection) -> bool:
    """Whether the tables were made."""
    return inspect(connection).has_table(CLUSTERS.name)


def create(connection: Connection) -> None:
    """Make the tables, where they are not there yet."""
    if not is_there(connection):
        METADATA.create_all(connection)


def values_of(ticket: Ticket) -> dict[str, Any]:
    """A ticket as its columns."""
    values = {name: getattr(ticket, name) for name in Ticket.__dataclass_fields__}
    values |= {name: f"{values[name]:f}" for name in AMOUNTS}
    return values | {name: None if values[name] is None else instant(values[name]) for name in INSTANTS}


def ticket_of(row: Row[Any]) -> Ticket:
    """A row as a ticket."""
    values = row._asdict()
    values |= {name: Decimal(values[name]) for name in AMOUNTS}
    values |= {name: values[name] and datetime.fromisoformat(values[name]) for name in INSTANTS}
    return Ticket(**values | {"state": State(values["state"])})
