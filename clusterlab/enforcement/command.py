"""The verb `enforce`.

clusterlab enforce --course llm-2026 --notify 'smtp://mail.example.org:587?from=course@example.org' --to ana@example.org
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterlab.errors import INSTALL_AWS, ClusterlabError, MissingError
from clusterlab.terminal import Json, print_json

if TYPE_CHECKING:
    from clusterlab.enforcement.notice import Notifier
    from clusterlab.enforcement.tell import Case
    from clusterlab.reaper.proof import Proof
    from clusterlab.reaper.reap import Order


def enforce(
    course: Annotated[str, typer.Option(help="The course, as the tag `course` says.")],
    notify: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PLACE",
            help="Who carries notices: smtp://host:587?from=ADDRESS, a Slack webhook's https://…, file:PATH, or"
            " env:VARIABLE that has one of these; may be repeated.",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Where mail goes; may be repeated. {student}@example.org gets that student's notices only.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Also stop and end in AWS what is over a budget, but for this keep-list: a file, or s3://bucket/key.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it is only said what would be done.")] = False,
    told: Annotated[Path, typer.Option(help="What was told already.")] = Path("enforce-told.json"),
    seen: Annotated[
        str, typer.Option(metavar="PLACE", help="What the scans before saw; not that of `reap`.")
    ] = "enforce-seen.json",
    proof: Annotated[str, typer.Option(metavar="PLACE", help="Where the proof is written.")] = "enforce-proof.json",
    region: Annotated[
        list[str] | None,
        typer.Option(help="Only this region; may be repeated. All, where it is not given.", show_default=False),
    ] = None,
    age_minutes: Annotated[
        float, typer.Option(help="Between the first scan that sees a resource over its budget and the first stop.")
    ] = 10.0,
    grace_hours: Annotated[float, typer.Option(help="Between stop and down.")] = 24.0,
    json: Json = False,
) -> None:
    """Tell who has spent 50, 80 and 100 % of a budget, and stop and end the machines of whom it covers no more.

    Exits with 1 where a notice was not delivered, a region could not be looked at or the cloud refused something.
    """
    from clusterlab.enforcement.places import parse

    notifiers = parse(notify or (), to or ())
    order = (
        None
        if keep is None
        else _order(
            courses=[course],
            keep=keep,
            state=seen,
            proof=proof,
            yes=yes,
            regions=region or (),
            age_minutes=age_minutes,
            grace_hours=grace_hours,
        )
    )
    cases, problems = _tell(course, notifiers, told, order, yes=yes)
    _say(_lines(cases, yes=yes), problems, json=json)
    found = _sweep(order, cases) if order else None
    faults = found.faults if found else []
    if json:
        shown = {"proof": found and found.as_json(), "problems": [*problems, *faults], "dry_run": not yes}
        print_json({"course": course, "budgets": [each.as_json() for each in cases], **shown})
    _say(_swept(found, proof) if found else (), faults, json=json)
    if problems or faults:
        raise typer.Exit(ClusterlabError.exit_code)


def _order(**settings: Any) -> Order:
    """What the reaper is asked for, which checks it before anything is done."""
    try:
        from clusterlab.reaper.reap import Order
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL_AWS}` installs it") from error
    return Order(**settings)


def _tell(
    course: str, notifiers: Sequence[Notifier], told: Path, order: Order | None, *, yes: bool
) -> tuple[list[Case], list[str]]:
    from datetime import UTC, datetime

    from clusterlab.enforcement.memory import Memory
    from clusterlab.enforcement.tell import Round
    from clusterlab.enforcement.threshold import of_course
    from clusterlab.ledger.location import open_ledger

    memory = Memory.read(told, course)
    with closing(open_ledger()) as ledger:
        if yes:
            ledger.accrue()
        spendings = of_course(ledger.spendings(), course)
    at = datetime.now(UTC)
    return Round(course=course, at=at, follows=_follows(order), notifiers=notifiers, memory=memory, yes=yes).tell(
        spendings
    )


def _follows(order: Order | None) -> str:
    blocked = "New launches are refused"
    if order is None:
        return f"{blocked}."
    ended = f"machines are stopped after {order.age_minutes:g} minutes, and ended {order.grace_hours:g} hours later"
    return f"{blocked}; {ended}."


def _sweep(order: Order, cases: Sequence[Case]) -> Proof:
    """Stop and end by the reaper's own steps; also where no budget is spent, so that earlier scans are forgotten."""
    from functools import partial

    from clusterlab.enforcement.threshold import SPENT, lease_of
    from clusterlab.reaper.cloud import Cloud
    from clusterlab.reaper.reap import reap

    spent = [each.spending for each in cases if each.percent >= SPENT]
    return reap(order, Cloud(), terms=partial(lease_of, spent=spent))


def _say(lines: Iterable[str], problems: Iterable[str], *, json: bool) -> None:
    for line in () if json else lines:
        typer.echo(line)
    for problem in problems:
        typer.echo(problem, err=True)


def _lines(cases: Sequence[Case], *, yes: bool) -> Iterator[str]:
    """A line for each budget, with the threshold that it passed."""
    from clusterlab.enforcement.threshold import told

    for each in cases:
        passed = f"; over {each.percent} %" if each.percent else ""
        to = f"; {'told' if yes else 'would tell'} {', '.join(each.told)}" if each.told else ""
        yield f"{told(each.spending)}, {each.spending.budget.held_usd:.2f} held{passed}{to}"
    if not yes:
        yield "a dry run: nobody was told and nothing was touched, `--yes` does it"


def _swept(found: Proof, proof: str) -> Iterator[str]:
    """A line for each resource that is over a budget or kept."""
    from clusterlab.reaper.step import Step

    for each in found.entries:
        if each.step is not Step.LEASED:
            gone = "" if each.there else "  gone"
            yield f"{each.step:<6}  {each.resource.region}  {each.resource}  {each.why or each.lease}{gone}"
    yield f"{len(found.left)} left over their budget; proof  {proof}"
