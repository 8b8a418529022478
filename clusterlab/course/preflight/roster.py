"""Who takes part: labels, nobody twice, and teams of students that there are."""

from __future__ import annotations

from collections.abc import Iterator

from clusterlab.course.preflight.check import Check, failed, passed, warned
from clusterlab.course.preflight.subject import Subject

NAME = "roster"
KEYS = ("roster", "teams")


def look(subject: Subject) -> Iterator[Check]:
    """The roster and its teams; a list of its own, in a CSV file, counts with them."""
    cluster = subject.cluster
    wrong = [
        str(each) for each in subject.problems if each.path != str(cluster.path) or each.key.partition(".")[0] in KEYS
    ]
    if wrong or subject.students is None:
        yield failed(NAME, "; ".join(wrong), f"mend it in {cluster.path}, or in the CSV file that it names")
        return
    teams = cluster.teams
    alone = sorted(set(subject.students) - {each for members in teams.values() for each in members})
    seen = f"{len(subject.students)} students, {len(teams)} teams"
    if teams and alone:
        yield warned(
            NAME, f"{seen}; in none: {', '.join(alone)}", "put them into a team, or leave them alone on purpose"
        )
    else:
        yield passed(NAME, f"{seen}; all are labels, and nobody stands twice")
