"""The verb `class down`.

clusterlab class down clusters/llm-2026.yaml
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterlab.course.place import Place
from clusterlab.course.reached import File, Install, Yes, agree, reached
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlab.course.ending.clearing import Clearing
    from clusterlab.course.ending.down import Down, Seen
    from clusterlab.course.ending.proof import ClassProof
    from clusterlab.course.provision import Provision
    from clusterlab.reaper.keeplist import KeepList

STEPS = {
    "gate": "the ledger refuses each further launch",
    "clusters": "SkyPilot ends its clusters",
    "machines": "what the stack does not know is ended",
    "ledger": "metered once more, and settled",
    "stack": "Pulumi takes the stack down",
    "rest": "what is left is ended",
    "second look": "two looks at everything, so far apart that no list of the cloud's lags",
    "ledger again": "what the stack's own machines used is settled",
    "proof": "the proof is written",
}
sleep: Callable[[float], None] = time.sleep
"""How it waits; tests do not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What was typed."""

    keep: str | None
    proof: Path | None
    age_minutes: float
    yes: bool
    json: bool


def down(
    file: File,
    yes: Yes = False,
    keep: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="A keep-list, as the reaper's: a file, or s3://bucket/key."),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(help="Where the proof is written; classes/<course>/proof.json where it is not given."),
    ] = None,
    age_minutes: Annotated[
        float, typer.Option(min=0, help="Between the two looks that prove that nothing is left.")
    ] = 2,
    install: Install = False,
    json: Json = False,
) -> None:
    """End a class: everything of it in all regions, its stack, its ledger's open runs, and prove that nothing is left.

    Whoever was cut off types it again. Where nothing is left to do, nothing is done.

    Exits with 0 only where nothing of the class is left and everything could be looked at and settled, else with 1.
    """
    paths = [proof] if proof else []
    made, given = reached(file, paths, install=install, json=json)
    asked = Options(keep=keep, proof=given[0] if given else None, age_minutes=age_minutes, yes=yes, json=json)
    console = terminal(stderr=json)
    ending = _ending(made, asked, console)
    seen = ending.look()
    before = ending.nothing_to_do(seen)
    if before is not None:
        _told_before(ending, before, json=json)
        return
    _show(console, seen, made, asked)
    try:
        found = ending.run(seen)
    except KeyboardInterrupt:
        console.print(f"cut off; `clusterlab class down {file}` goes on from here", highlight=False, soft_wrap=True)
        raise
    _told(found, ending.paper.path, json=json)
    if not found.done:
        raise typer.Exit(ClusterlabError.exit_code)


def _ending(made: Provision, asked: Options, console: Console) -> Down:
    """Everything that the end of a class is reached with, and looked at before anything else."""
    from clusterlab.course.ending.down import Down
    from clusterlab.course.ending.proof import Paper
    from clusterlab.course.ending.skypilot_clusters import end
    from clusterlab.course.ending.taking import Taking

    course, cloud = made.cluster.course, made.cloud
    here = datetime.now(UTC)
    account, theirs = cloud.account_at(here) if cloud else ("", here)
    ahead = theirs - here
    clearing = _clearing(made, account, theirs)
    ending = Down(
        course=course,
        clearing=clearing,
        stack=Taking(stack=made, sleep=clearing.sleep, tell=lambda line: console.print(line, soft_wrap=True)),
        keep=_keep(made, asked.keep),
        books=None,
        ledger_on_stack=made.cluster.server,
        clusters=end,
        paper=Paper(path=asked.proof or Place.of(Path(), course).folder / "proof.json"),
        age_seconds=asked.age_minutes * 60,
        now=lambda: datetime.now(UTC) + ahead,
        step=lambda name: console.print(f"{name}: {STEPS[name]}", style="dim", highlight=False, soft_wrap=True),
        blind=("gcp",) if made.cluster.regions("gcp") and made.google is None else (),
    )
    return _with_books(ending)


def _clearing(made: Provision, account: str, began: datetime) -> Clearing:
    """What ends everything that carries the class's tags, wherever it is."""
    from clusterlab.course.ending.clearing import Clearing

    cloud = made.cloud
    return Clearing(
        cloud=cloud,
        account=account,
        course=made.cluster.course,
        regions=cloud.regions() if cloud else (),
        strays={},
        catalog=made.catalog,
        began=began,
        sleep=lambda seconds: sleep(seconds),
        clock=time.monotonic,
        google=made.google,
    )


def _with_books(ending: Down) -> Down:
    """With the ledger, where one is named."""
    from clusterlab.ledger.location import named, open_ledger

    if named() is None:
        return ending
    open_ledger_once(open_ledger)
    from clusterlab.course.ending.books import Books

    clearing = ending.clearing
    books = Books(
        course=ending.course, opened=open_ledger, catalog=clearing.catalog, now=ending.now, sleep=clearing.sleep
    )
    return replace(ending, books=books)


def open_ledger_once(opened: Callable[[], Any]) -> None:
    """See to it that a name is right and its driver installed; one that does not answer is asked again later.

    Raises:
        InputError: no ledger is there, or its URL is wrong.
        MissingError: what it needs is not installed.
    """
    from clusterlab.errors import UnreachableError

    try:
        opened().close()
    except UnreachableError:
        return


def _keep(made: Provision, place: str | None) -> KeepList:
    """What the class's file names, and the reaper's keep-list where one is given.

    Raises:
        InputError: it is not as it must be; nobody knows then what is to be kept.
    """
    from clusterlab.reaper.keeplist import KeepList

    ours = dict(made.cluster.keep)
    if place is None:
        return KeepList(reasons=ours)
    if made.cloud is None:
        raise InputError(Problem(path="--keep", message="only of a class in AWS"))
    from clusterlab.reaper.place import Place

    given = KeepList.parse(Place(path=place, cloud=made.cloud).read(), path=place)
    return KeepList(reasons=ours | given.reasons)


def _show(console: Console, seen: Seen, made: Provision, asked: Options) -> None:
    """What would be ended, and whether it may be."""
    from clusterlab.course.leftovers import show_orphans, show_pending
    from clusterlab.course.orphans import of_scan

    show_pending(console, seen.state.pending)
    show_orphans(console, of_scan(seen.scan, frozenset(seen.state.known), made.catalog))
    for look in seen.scan.failed:
        console.print(f"not looked at: {look}", style="red", highlight=False, markup=False, soft_wrap=True)
    num_known, num_beside = len(seen.state.known), len(seen.beside)
    agree(asked.yes, f"end the class: {num_known} ids in the state, {num_beside} beside it")


def _told(found: ClassProof, path: Path, *, json: bool) -> None:
    if json:
        print_json(found.as_json())
        return
    console = terminal()
    document = found.as_json()
    for line in _lines(document):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for line in [*found.sweep.faults, *found.problems, *(_left(found))]:
        console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    console.print(f"{_verdict(found)}; proof  {path}", highlight=False, markup=False, soft_wrap=True)


def _left(found: ClassProof) -> Iterator[str]:
    for entry in found.sweep.left:
        yield f"left  {entry.resource.region}  {entry.resource}{f': {entry.why}' if entry.why else ''}"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What was kept, and what the ledger came to."""
    for each in document["kept"]:
        usd = f"{each['usd_per_hour']} USD/h, {each['pays']} pays"
        yield f"kept  {each['region']}  {each['kind']} {each['id']}: {each['why']}; {usd}"
    ledger = document["ledger"]
    if ledger is None:
        yield "no ledger is named (CLUSTERLAB_LEDGER): nothing was settled"
        return
    metered = ledger["metered"]
    incomplete = "" if metered["complete"] else " incomplete"
    counts = f"{sum(ledger['runs_by_last_row'].values())} runs, {len(ledger['open'])} stay open"
    yield f"ledger: {counts}; metered {metered['usd']} USD{incomplete}; head {ledger['head']}"
    for run, why in ledger["open"].items():
        yield f"open  {run}: {why}"


def _verdict(found: ClassProof) -> str:
    [course] = found.sweep.courses
    if not found.done:
        return f"class {course} is not ended: {len(found.sweep.left)} left, {len(found.problems)} steps failed"
    where = "" if found.glances[-1].num_found == 0 else f" but for {len(found.kept)} kept"
    blind = "; Google Cloud was not looked through" if found.blind else ""
    return f"nothing of class {course} is left in {' and '.join(_clouds(found))}{where}{blind}"


def _clouds(found: ClassProof) -> Iterator[str]:
    """Where somebody looked."""
    in_google = {look.region.startswith("gcp/") for look in found.sweep.looks}
    yield from ["AWS"] * (False in in_google) + ["Google Cloud"] * (True in in_google) or ["no cloud"]


def _told_before(ending: Down, document: Mapping[str, Any], *, json: bool) -> None:
    if json:
        print_json({"nothing_to_do": True, "proof": str(ending.paper.path), "ended": document["ended"]})
        return
    ended = datetime.fromisoformat(document["ended"])
    told = f"class {ending.course} ended {ended:%Y-%m-%d %H:%M} UTC; nothing is left to do"
    terminal().print(f"{told}; proof  {ending.paper.path}", highlight=False, markup=False, soft_wrap=True)
