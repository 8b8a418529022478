"""The queue of a class's cluster, as a table and as JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from clusterlab.submission.arbitration import Verdict
from clusterlab.submission.ticket import Ticket


def table(course: str, holding: list[Ticket], waiting: list[Verdict]) -> Table:
    """Who holds GPUs, then who waits, in the order in which they are asked."""
    made = Table(title=f"{course}: the queue", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    made.add_column("", justify="right")
    for name in ("student", "lab", "GPUs", "since", "why it waits"):
        made.add_column(name, justify="right" if name == "GPUs" else "left")
    for ticket in holding:
        made.add_row("", ticket.student, ticket.lab, str(ticket.gpus), _time(ticket.started), str(ticket.state))
    for number, each in enumerate(waiting, start=1):
        ticket = each.ticket
        why = each.why or "starts at the next look"
        made.add_row(str(number), ticket.student, ticket.lab, str(ticket.gpus), _time(ticket.joined), why)
    return made


def as_json(course: str, holding: list[Ticket], waiting: list[Verdict]) -> dict[str, Any]:
    """The same, instants in ISO 8601."""
    return {
        "course": course,
        "holding": [_json(each) | {"since": each.started and each.started.isoformat()} for each in holding],
        "waiting": [
            _json(each.ticket) | {"position": number, "since": each.ticket.joined.isoformat(), "why": each.why or None}
            for number, each in enumerate(waiting, start=1)
        ],
    }


def _json(ticket: Ticket) -> dict[str, Any]:
    return {
        "job": ticket.id,
        "student": ticket.student,
        "lab": ticket.lab,
        "gpus": f"{ticket.gpus:f}",
        "state": ticket.state,
        "due": ticket.due and ticket.due.isoformat(),
    }


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%m-%d %H:%M:%S}Z"
