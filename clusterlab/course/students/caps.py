"""The caps of a class's file in the ledger, as `clusterlab budget set` puts them there one by one."""

from __future__ import annotations

from contextlib import closing

from clusterlab.cluster import Cluster
from clusterlab.course.students.steps import Step
from clusterlab.ledger.location import VARIABLE, named, open_ledger
from clusterlab.plan import dollars

SHOWN = 3
"""Of a long list of names."""


def set_caps(cluster: Cluster, step: Step) -> None:
    """Set what differs from the file; the ledger is begun where there is none.

    Raises:
        InputError: the ledger's URL is wrong.
        MissingError: what a ledger needs is not installed.
        UnreachableError: it does not answer.
        StorageError: what lies there is no ledger.
    """
    if named() is None:
        where = "on the course server, with `clusterlab budget set`" if cluster.server else "where it is"
        step.notes.append(f"{VARIABLE} is not set, so no cap was set from here; set them {where}")
        return
    from clusterlab.ledger.budget import Scope

    wanted = cluster.budget.caps(cluster.course, cluster.teams, cluster.students())
    with closing(open_ledger(begin=True)) as ledger:
        known = {(each.scope.value, each.name): each.cap_usd for each in ledger.budgets()}
        new = [key for key, usd in wanted.items() if known.get(key) != usd]
        for scope, name in new:
            ledger.set_cap(Scope(scope), name, wanted[scope, name])
    step.did += [] if not new else [listed([f"{scope} {name} {dollars(wanted[scope, name])}" for scope, name in new])]


def listed(names: list[str]) -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
