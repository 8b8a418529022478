"""The verb `class close`.

clusterlab class close clusters/llm-2026.yaml --bill exports/2026-12
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.course.place import Place
from clusterlab.course.reached import File
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from clusterlab.course.ending.final import Closed


def close(
    file: File,
    bill: Annotated[
        list[Path],
        typer.Option(metavar="PATH", help="Exports of the clouds' bills, files or folders; may be repeated."),
    ],
    rules: Annotated[
        Path | None, typer.Option(help="YAML file that says who shares which cost.", show_default=False)
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of the bills; classes/<course>/bill where it is not given.", show_default=False),
    ] = None,
    proof: Annotated[
        Path | None,
        typer.Option(help="The proof; classes/<course>/proof.json where it is not given.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Close a course for good: reconcile its bill, write the final report, and put both on the ledger.

    Exits with 1 while something is left, or the bill of a month in which it used something is missing or not final.
    """
    from datetime import UTC, datetime

    from clusterlab.cluster import Cluster
    from clusterlab.course.ending.final import Order, close_course
    from clusterlab.course.ending.proof import Paper
    from clusterlab.repository import enter

    others = [path for path in (rules, store, proof) if path]
    _, (path, *given) = enter([file, *bill, *others])
    bills, named = given[: len(bill)], iter(given[len(bill) :])
    entered = [next(named) if each else None for each in (rules, store, proof)]
    cluster = Cluster.load(path)
    folder = Place.of(Path(), cluster.course).folder
    paper = Paper(path=entered[2] or folder / "proof.json")
    order = Order(
        course=cluster.course,
        file=path,
        proof=paper.path,
        bills=bills,
        store=entered[1] or folder / "bill",
        rules=entered[0],
        folder=paper.path.parent,
        until=cluster.dates.end if cluster.dates else None,
    )
    _show(close_course(order, paper.read(cluster.course), datetime.now(UTC)), cluster.course, json=json)


def _show(closed: Closed, course: str, *, json: bool) -> None:
    if json:
        print_json(closed.as_json())
        return
    total = closed.sheet.total
    incomplete = "" if total.complete else " incomplete"
    amounts = f"planned {total.planned_usd:.2f}, metered {total.metered_usd:.2f}{incomplete}"
    done = "was closed before; nothing is changed" if closed.before else "is closed"
    console = terminal()
    for line in (
        f"class {course} {done}: {amounts}, billed {total.billed_usd:.2f} USD",
        f"report  {', '.join(map(str, closed.paths))}",
        f"head  {closed.head}",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
