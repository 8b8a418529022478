"""When the class is and who is told when something is wrong with it, by its file."""

from __future__ import annotations

from collections.abc import Iterator

from clusterlab.course.preflight.check import Check, failed, passed, warned
from clusterlab.course.preflight.roster import KEYS as OF_THE_ROSTER
from clusterlab.course.preflight.subject import Subject

DATES, INSTRUCTORS, FILE = "dates", "instructors", "class file"
MADE_UP = ("example", "invalid", "test", "localhost", "example.com", "example.net", "example.org")
"""Domains that nobody can have, by RFC 2606."""


def look(subject: Subject) -> Iterator[Check]:
    """The dates, the instructors, and whatever else of the file `class up` would refuse."""
    yield _dates(subject)
    yield _instructors(subject)
    told = (DATES, INSTRUCTORS, *OF_THE_ROSTER)
    mine = [each for each in subject.problems if each.path == str(subject.cluster.path)]
    other = [str(each) for each in mine if each.key.partition(".")[0] not in told]
    if other:
        yield failed(FILE, "; ".join(other), f"mend {subject.cluster.path}: `clusterlab class up` refuses it")
    else:
        yield passed(FILE, "nothing else of it is refused")


def _dates(subject: Subject) -> Check:
    """Every lease and the budget end with the class."""
    dates, path = subject.cluster.dates, subject.cluster.path
    if dates is None:
        return failed(DATES, "not set", f"write `dates: {{start: DAY, end: DAY}}` into {path}")
    if dates.end < subject.today:
        return failed(DATES, f"{dates}: over since {(subject.today - dates.end).days} days", f"set them in {path}")
    left = (dates.start - subject.today).days
    return passed(DATES, f"{dates}: " + (f"begins in {left} days" if left > 0 else "has begun"))


def _instructors(subject: Subject) -> Check:
    """Alarms go there."""
    given, path = subject.cluster.instructors, subject.cluster.path
    wrong = [str(each) for each in subject.problems if each.key.partition(".")[0] == INSTRUCTORS]
    if wrong or not given:
        return failed(INSTRUCTORS, "; ".join(wrong) or "none", f"write who teaches into `instructors` of {path}")
    made_up = [each for each in given if _is_made_up(each)]
    if made_up:
        return warned(INSTRUCTORS, f"nobody reads {', '.join(made_up)}", f"write real addresses into {path}")
    return passed(INSTRUCTORS, ", ".join(given))


def _is_made_up(address: str) -> bool:
    domain = address.rpartition("@")[2].lower()
    return any(domain == each or domain.endswith(f".{each}") for each in MADE_UP)
