"""The verb `simulate`.

clusterlab simulate clusters/llm-2026.yaml --students 5000 --labs 60 --weeks 16
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.errors import EXIT_INTERRUPTED, ClusterlabError, MissingError
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from datetime import datetime

    from clusterlab.simulation.course import Course
    from clusterlab.simulation.result import Result

MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)
INSTALL = "pip install 'clusterlab[aws,money,simulation]' 'skypilot[aws]==0.14.1'"


def simulate(
    file: Annotated[Path, typer.Argument(metavar="CLASS", help="The class's file, clusters/<course>.yaml.")],
    students: Annotated[
        int | None, typer.Option(help="How many; the class's own if not given.", show_default=False)
    ] = None,
    labs: Annotated[
        int | None,
        typer.Option(help="How many, each launched once: the class's own over and over.", show_default=False),
    ] = None,
    weeks: Annotated[
        int | None, typer.Option(help="How long; the class's dates if not given.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that happens by chance.")] = 0,
    every: Annotated[
        int, typer.Option(metavar="MINUTES", min=1, max=240, help="Between two rounds of the server's crontab.")
    ] = 15,
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="An empty database; a new file that is removed if not given.", show_default=False
        ),
    ] = None,
    chart: Annotated[
        Path | None, typer.Option(help="Draw what was spent and held against the cap, as SVG.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Simulate a class's whole semester: its policy, ledger, meter and reaper on an emulated cloud and clock.

    Budgets grow with the size. Exits with 1 where an invariant does not hold, with the events that led there. Ctrl-C
    ends it after the hour that is simulated, with what came of it until then.
    """
    from tempfile import TemporaryDirectory

    from clusterlab.repository import enter

    root, (path, *drawn) = enter([file, *([chart] if chart else [])])
    course = _course(path, root, students, labs, weeks)
    prefix = "clusterlab-simulation-"
    # The reaper waits for the disk at each of its papers, of which a semester has a hundred thousand.
    with TemporaryDirectory(prefix=prefix) as name, TemporaryDirectory(prefix=prefix, dir=_memory()) as papers:
        result = _run(course, ledger or f"sqlite:///{name}/ledger.db", Path(papers), seed, every)
    if drawn:
        from clusterlab.run import write_atomically
        from clusterlab.simulation.chart import svg

        write_atomically(drawn[0], svg(result))
    if json:
        print_json(result.as_json())
    else:
        console = terminal()
        for part in result.render():
            console.print(part, highlight=False)
    if not result.passed:
        raise typer.Exit(ClusterlabError.exit_code if result.violation else EXIT_INTERRUPTED)


def _memory() -> str | None:
    """Where files are in memory, on a machine that has such a place."""
    return str(MEMORY) if os.access(MEMORY, os.W_OK) else None


def _course(path: Path, root: Path, students: int | None, labs: int | None, weeks: int | None) -> Course:
    from clusterlab.cluster import Cluster
    from clusterlab.simulation.course import Course, Size

    return Course.of(Cluster.load(path), root, Size(num_students=students, num_labs=labs, num_weeks=weeks))


def _run(course: Course, url: str, folder: Path, seed: int, every: int) -> Result:
    try:
        from clusterlab.simulation.habits import Habits
        from clusterlab.simulation.semester import Semester

        import_module("clusterlab.api_server")  # Which the first launch would import else.
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL}` installs it") from error
    semester = Semester.of(course, url=url, folder=folder, seed=seed, habits=Habits(), minutes=every)
    with _modules_kept(), _interrupted() as stopped, _progress(course) as told:
        return semester.run(told, stopped)


@contextmanager
def _modules_kept() -> Iterator[None]:
    """Have the collector of garbage not look at what was imported, of which SkyPilot brings a lot, again and again."""
    import gc

    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _interrupted() -> Iterator[Callable[[], bool]]:
    """Whether somebody pressed Ctrl-C; a second one is no question any more, and ends it in the middle."""
    asked = Event()

    def note(number: int, frame: object) -> None:
        del number, frame
        asked.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(course: Course) -> Iterator[Callable[[datetime, int], object]]:
    """A line that grows with the days, on stderr; where that is no terminal, a line a week."""
    console = terminal(stderr=True)
    if not console.is_terminal:
        yield _weekly(course.start)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=(course.end - course.start).total_seconds())

        def told(at: datetime, launches: int) -> None:
            done = (at - course.start).total_seconds()
            progress.update(task, completed=done, description=f"{at:%Y-%m-%d}, {launches} launches")

        yield told


def _weekly(due: datetime) -> Callable[[datetime, int], None]:
    from clusterlab.simulation.course import WEEK

    def told(at: datetime, launches: int) -> None:
        nonlocal due
        if at >= due:
            typer.echo(f"{at:%Y-%m-%d}, {launches} launches", err=True)
            due = at + WEEK

    return told
