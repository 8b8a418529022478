"""The last two acts: all of the class is taken away with a proof, and what it cost is added up in two ways."""

from __future__ import annotations

import shutil
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from clusterlab.rehearsal.course.course import PROOF
from clusterlab.rehearsal.course.sums import by_the_cloud, check_sums, write_csv
from clusterlab.rehearsal.course.sweeping import order
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step

ROUNDS = 4
"""One scan sees what is there, a second ends it, and a third ends what was held by machines that are gone."""
AGAIN_MINUTES = 11
SETTLED = timedelta(hours=2)
"""After the last use, by when each run is settled."""
CENT = Decimal("0.01")


def take_down(course: Course, step: Step) -> None:
    """End all that the account has of the class, in every region, and prove that nothing is left.

    Raises:
        StepError: something is left, or could not be looked at.
    """
    from clusterlab.reaper.reap import reap

    asked, ended = order(course, "down", everywhere=True, ended=True), set()
    for _ in range(ROUNDS):
        found = reap(asked, course.aws, clock=course.clock.now)
        ended |= {each.resource.key for each in found.entries if not each.there}
        if found.proven:
            break
        course.forward("until the next scan of the end", minutes=AGAIN_MINUTES)
    shutil.copy(asked.proof, course.out / PROOF)
    if not found.proven:
        raise StepError("left: " + "; ".join([*(str(each.resource) for each in found.left), *found.faults]))
    step.notes.append(f"{len(ended)} ended, none left in {len(found.regions)} regions: {PROOF}")


def final_report(course: Course, step: Step) -> None:
    """Settle every run, write the report, and hold its cents against each other and against EC2's own times.

    Raises:
        StepError: they do not add up, the ledger was altered, or a run is not settled.
    """
    from clusterlab.report.page import page
    from clusterlab.report.results import read_runs
    from clusterlab.report.sources import facts_of
    from clusterlab.report.summary import Summary

    course.forward("until all is settled", seconds=SETTLED.total_seconds())
    fault, open_runs = course.ledger.verify(), course.ledger.unsettled()
    if fault or open_runs:
        raise StepError(f"the ledger: {fault or ''} {len(open_runs)} runs not settled: {', '.join(open_runs)}")
    entries, problems = read_runs(course.out, course.root)
    summary = Summary.of(facts_of(course.ledger.statement(course.name), entries, problems, proof=course.out / PROOF))
    (course.out / "report.html").write_text(page(summary))
    write_csv(summary, course.out / "report.csv")
    check_sums(summary, course.out / "report.csv")
    apart = abs(summary.total.metered.usd - by_the_cloud(course))
    if apart >= CENT:
        raise StepError(f"metered {summary.total.metered} USD, by EC2's own times {by_the_cloud(course):.6f}")
    passed = sum(each.verdict == "PASS" for each in entries)
    step.notes.append(
        f"{summary.total.shown} USD in {len(summary.cells)} cells, {len(summary.facts.intervals)} intervals; "
        f"{apart:.4f} USD from EC2's own times; {passed} of {len(entries)} runs PASS"
    )
