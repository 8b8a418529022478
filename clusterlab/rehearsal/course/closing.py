"""The last act: the emulated cloud's bill comes, the class is closed with it, and what it cost is added up again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clusterlab.bill.month import month_of
from clusterlab.rehearsal.course.bill import BILL, billed, charges, write_bill
from clusterlab.rehearsal.course.course import PROOF
from clusterlab.rehearsal.course.sums import check_sums
from clusterlab.rehearsal.steps import StepError

if TYPE_CHECKING:
    from clusterlab.course.ending.final import Closed, Order
    from clusterlab.rehearsal.course.course import Course
    from clusterlab.rehearsal.steps import Step


def final_report(course: Course, step: Step) -> None:
    """Close the class with its bill, by the code of `clusterlab class close`, and hold the cents against each other.

    Raises:
        StepError: they do not add up, the ledger was altered, or a run is not settled.
        ClusterlabError: something is left, or the bill does not fit the ledger.
    """
    from clusterlab.course.ending.final import FINAL, close_course
    from clusterlab.course.ending.proof import Paper
    from clusterlab.report.sources import facts_of
    from clusterlab.report.summary import Summary

    fault, open_runs = course.ledger.verify(), course.ledger.unsettled()
    if fault or open_runs:
        raise StepError(f"the ledger: {fault or ''} {len(open_runs)} runs not settled: {', '.join(open_runs)}")
    found, path = charges(course), course.out / BILL
    if not found:
        step.notes.append("nothing was launched: there is no bill")
        return
    write_bill(found, path)
    final = month_of(max(each.end for each in found))[1] + FINAL
    course.forward("until the bill is final", seconds=(final - course.clock.now()).total_seconds())
    order, document = _order(course, path), Paper(path=course.out / PROOF).read(course.name)
    closed = close_course(order, document, course.clock.now())
    if not close_course(order, document, course.clock.now()).before:
        raise StepError("the class was closed, and closing it again is another end")
    summary = Summary.of(facts_of(course.ledger.statement(course.name), ()))
    check_sums(course.out / "report.csv", summary, billed(path))
    step.notes.append(_told(closed, order, len(found)))


def _order(course: Course, bill: Path) -> Order:
    from clusterlab.course.ending.final import Order
    from clusterlab.report.results import read_runs

    entries, problems = read_runs(course.out, course.root)
    if problems:
        raise StepError("; ".join(map(str, problems)))
    return Order(
        course=course.name,
        file=course.cluster.path,
        proof=course.out / PROOF,
        bills=[bill],
        store=course.out / "bill",
        rules=None,
        folder=course.out,
        until=course.cluster.dates.end if course.cluster.dates else None,
        entries=entries,
        opened=course.open_ledger,
    )


def _told(closed: Closed, order: Order, num_charges: int) -> str:
    total, passed = closed.sheet.total, sum(each.verdict == "PASS" for each in order.entries)
    return (
        f"planned {total.planned_usd}, metered {total.metered_usd}, billed {total.billed_usd} USD by {BILL} "
        f"({num_charges} machines and disks); {len(closed.sheet.lines)} lines that sum to the cent; "
        f"{passed} of {len(order.entries)} runs PASS"
    )
