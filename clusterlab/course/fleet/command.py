"""The verb `class warm`.

clusterlab class warm clusters/llm-2026.yaml --follow
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from clusterlab.course.fleet.crew import AT_ONCE
from clusterlab.course.reached import File
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlab.cluster import Cluster
    from clusterlab.course.fleet.warm import Warmed

FOLLOW_SECONDS = 60.0
LOCK = "warm.lock"
"""In the class's folder: of one that takes longer than a minute, the next minute's goes away again."""


def warm(
    file: File,
    now: Annotated[bool, typer.Option("--now", help="Bring its clusters up, whatever the hour.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Look again every minute, until Ctrl-C.")] = False,
    lab: Annotated[
        str | None,
        typer.Option(help="Whose machines students get; the lab that is due next where it is not given."),
    ] = None,
    student: Annotated[
        list[str] | None,
        typer.Option(help="Only this student's; may be repeated. All, where it is not given.", show_default=False),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=64, help="How many clusters are in flight together.")] = AT_ONCE,
    json: Json = False,
) -> None:
    """Bring a class's clusters up before it meets, those that are missing, and have them end when idle after it.

    Ctrl-C ends nothing of what was asked; the same command goes on from there.

    Exits with 1 where a cluster is missing or could not be taken in.
    """
    from clusterlab.cluster import Cluster
    from clusterlab.repository import enter

    if follow and (json or now):
        message = f"not with {'--json' if json else '--now'}; allowed: one of them"
        raise InputError(Problem(path="--follow", message=message))
    root, (path,) = enter([file])
    cluster, console = Cluster.load(path), terminal(stderr=json)
    if follow:
        _follow(cluster, root, console, students=student or (), lab=lab, at_once=at_once)
    done = warm_once(cluster, root, console, now=now, students=student or (), lab=lab, at_once=at_once)
    if json:
        print_json({"course": cluster.course, **done.as_json()})
    else:
        _tell(done, console)
    if done.missing:
        raise typer.Exit(ClusterlabError.exit_code)


def warm_once(
    cluster: Cluster,
    root: Path,
    console: Console,
    *,
    students: Sequence[str],
    lab: str | None,
    at_once: int,
    now: bool = False,
) -> Warmed:
    """Look once, and do what is due; what each option says is in `warm`.

    Raises:
        ClusterlabError: another process is at it, or SkyPilot's server does not answer.
    """
    from datetime import UTC, datetime

    from clusterlab.course.fleet.crew import Crew
    from clusterlab.course.fleet.screen import Screen
    from clusterlab.course.fleet.skypilot import SkyPilot
    from clusterlab.course.fleet.warm import warm as bring
    from clusterlab.course.place import class_folder
    from clusterlab.lock import locked

    with (
        locked(class_folder(cluster.course, root) / LOCK, wait=False) as free,
        Screen(console=console).open() as screen,
    ):
        if not free:
            raise ClusterlabError(f"{cluster.path}: another `clusterlab class warm` is at work, and does the same")
        crew = Crew(launcher=SkyPilot(), at_once=at_once, tell=screen.show)
        return bring(cluster, root, crew, at=datetime.now(UTC), now=now, lab=lab, students=students)


def _follow(
    cluster: Cluster, root: Path, console: Console, *, students: Sequence[str], lab: str | None, at_once: int
) -> NoReturn:
    """Look every minute, whatever went wrong the minute before; a line where there is news."""
    import time

    told = ""
    while True:
        began = time.monotonic()
        try:
            done = warm_once(cluster, root, console, students=students, lab=lab, at_once=at_once)
        except ClusterlabError as error:
            news = str(error)
        else:
            news = "\n".join([done.why, *(f"missing: {errand.name}: {errand.reason}" for errand in done.missing)])
        if news != told:
            console.print(news, highlight=False, markup=False, soft_wrap=True)
            told = news
        time.sleep(max(0.0, FOLLOW_SECONDS - (time.monotonic() - began)))


def _tell(done: Warmed, console: Console) -> None:
    """Why, how many, and a table of what is missing."""
    import time

    from clusterlab.course.fleet.screen import summary, table

    console.print(f"{done.why}; {summary(done.errands)}", highlight=False, markup=False, soft_wrap=True)
    if done.missing:
        console.print(table(done.missing, done.missing, time.monotonic()))
