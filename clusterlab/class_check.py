"""What is checked of a class beyond its file's form: that the catalog has it, and that it can be provisioned."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clusterlab.calendar import DATES_RULE
from clusterlab.catalog import LOCAL, Catalog, Kind
from clusterlab.document import Document
from clusterlab.errors import InputError
from clusterlab.google_project import GCP_RULE
from clusterlab.infra import within
from clusterlab.roster import strangers

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster

PROVISIONED = ("aws", "gcp")
"""Clouds that a class has infrastructure of its own in."""
MAX_INSTRUCTORS = 10
"""Addresses that a notification of AWS Budgets takes."""
COURSE = re.compile("[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
"""With what goes before and after it, a bucket's name may have 63 characters, a role's 64."""
COURSE_RULE = "1 to 20 of a-z, 0-9 and '-', the first a letter, the last no '-'"


def check_places(cluster: Cluster, document: Document, catalog: Catalog) -> None:
    """Complain of places and machines that the catalog does not have."""
    try:
        offered = within(catalog, cluster.infra, path=str(document.path), key="infra")
    except InputError as error:
        document.problems.extend(error.problems)
        offered = catalog
    known = dict.fromkeys(row.name for row in offered.rows if row.kind is Kind.MACHINE and row.cloud != LOCAL)
    machine, server = cluster.server_plan.instance_type, document.at("server")
    if isinstance(server, dict) and not any(row.cloud == "aws" and row.name == machine for row in offered.rows):
        document.complain("server.instance_type", f"{machine!r}: not in the catalog at the class's places in AWS")
    for each in cluster.instances if cluster.infra else ():
        if each not in known:
            message = f"{each!r}: not in the catalog at the class's places; allowed: {', '.join(known)}"
            document.complain("instances", message)


def check_provisioned(cluster: Cluster, document: Document) -> None:
    """Complain of what its infrastructure needs and nobody has said."""
    needed = {
        "dates": (cluster.dates, DATES_RULE),
        "instructors": (cluster.instructors, "allowed: a list of addresses, such as [ana@example.org]"),
        "budget_usd.course": (cluster.budget.course_usd, "allowed: USD above 0"),
    }
    for key, (value, rule) in needed.items():
        if not value and document.at(key) in (None, []):
            document.complain(key, f"missing, and the infrastructure needs it; {rule}")
    if len(cluster.instructors) > MAX_INSTRUCTORS:
        document.complain("instructors", f"{len(cluster.instructors)} addresses; allowed: at most {MAX_INSTRUCTORS}")
    if cluster.server and not cluster.network.https_from and document.at("network.https_from") is None:
        message = "missing, and nobody could reach the server; allowed: networks that you know"
        document.complain("network.https_from", message)
    _check_pairs(cluster, document)
    if not COURSE.fullmatch(cluster.course):
        document.complain("course", f"{cluster.course!r} names a bucket; allowed: {COURSE_RULE}")
    if cluster.gcp is None and any(each.cloud == "gcp" for each in cluster.infra) and document.at("gcp") is None:
        document.complain("gcp", f"missing, and the infrastructure needs it; {GCP_RULE}")
    if cluster.infra and not any(each.cloud in PROVISIONED for each in cluster.infra):
        document.complain("infra", f"nothing to provision in; allowed: a place of {', '.join(PROVISIONED)}")
    try:
        students = cluster.students()
    except InputError as error:
        document.problems.extend(error.problems)
        return
    for team, message in strangers(cluster.teams, students):
        document.complain(f"teams.{team}", message)


def _check_pairs(cluster: Cluster, document: Document) -> None:
    """Complain of what means nothing without another key."""
    if cluster.budget.team_usd is not None and document.at("teams") is None:
        document.complain("budget_usd.team", "there is no team; allowed: with `teams`, or no such key")
    if cluster.warm_minutes and document.at("hours") is None:
        document.complain("warm_minutes", "there are no hours to be warm for; allowed: with `hours`, or no such key")
