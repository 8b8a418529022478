"""The verb `class grade`.

clusterlab class grade clusters/llm-2026.yaml --runs fetched/runs --csv gradebook.csv
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.course.grade.take import Take
from clusterlab.course.reached import File
from clusterlab.errors import InputError, Problem
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from clusterlab.cluster import Cluster
    from clusterlab.course.grade.book import Book
    from clusterlab.run import Asked


def grade(
    file: File,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="A folder of runs, such as the class's bucket, or one run.json; may be repeated. runs/ if not given.",
            show_default=False,
        ),
    ] = None,
    take: Annotated[Take, typer.Option(help="Which of several valid runs in time: the last, or the best.")] = Take.LAST,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the gradebook as CSV.")] = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="That with one line for each student, and each lab's score as a column.")
    ] = False,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Pseudonyms in place of students, teams and runs.")
    ] = False,
    key: Annotated[
        Path | None, typer.Option(help="Key of the pseudonyms; pseudonyms.key of the repository, made if missing.")
    ] = None,
    json: Json = False,
) -> None:
    """Grade a class: for each student and lab the run that counts, against what is expected and what was handed out.

    Exits with 1 where a lab that was due has no run or one that fails, with 2 where a record cannot be read.
    """
    from rich.table import Table

    from clusterlab.cluster import Cluster
    from clusterlab.course.grade.document import document
    from clusterlab.course.grade.table import render
    from clusterlab.repository import enter

    _check(csv, wide=wide, anonymous=anonymous, key=key)
    places = runs or []
    root, (path, *entered) = enter([file, *places, *(each for each in (csv, key) if each)])
    places, rest = entered[: len(places)] or [Path("runs")], entered[len(places) :]
    book = _book(Cluster.load(path), places, root, take)
    if anonymous:
        book = _anonymous(book, rest[-1] if key else None)
    if csv:
        _write(book, rest[0], wide=wide)
    if json:
        print_json(document(book))
    else:
        console = terminal()
        for part in render(book):
            # Sentences are for pipes too, and go on; tables fit the terminal.
            console.print(part, soft_wrap=not isinstance(part, Table))
    if book.exit_code:
        raise typer.Exit(book.exit_code)


def _check(csv: Path | None, *, wide: bool, anonymous: bool, key: Path | None) -> None:
    """Refuse options that would say nothing."""
    faults = {"--wide": (wide and csv is None, "--csv"), "--key": (key is not None and not anonymous, "--anonymous")}
    problems = [Problem(path=name, message=f"only with {other}") for name, (wrong, other) in faults.items() if wrong]
    if problems:
        raise InputError(problems)


def _book(cluster: Cluster, places: list[Path], root: Path, take: Take) -> Book:
    from datetime import UTC, datetime

    from clusterlab.course.grade.book import grade as grade_runs
    from clusterlab.course.grade.collect import collect

    handed, students = _handed_out(cluster, root), cluster.students()
    found, problems = collect(places, root, frozenset(students))
    return grade_runs(cluster, found, handed, take=take, now=datetime.now(UTC), problems=problems)


def _handed_out(cluster: Cluster, root: Path) -> dict[str, Asked]:
    """Each lab of the class as it was handed out, at the class's scale; the faults of all in one go."""
    from clusterlab.config import Scale
    from clusterlab.course.grade.handed import handed_out
    from clusterlab.repository import load_labs

    if not cluster.labs:
        raise InputError(Problem(path=str(cluster.path), key="labs", message="missing; allowed: labs to be graded"))
    handed: dict[str, Asked] = {}
    problems: list[Problem] = []
    labs = load_labs(Path("labs", f"{each.lab}.yaml") for each in cluster.labs)
    for lab, assignment in zip(labs, cluster.labs, strict=True):
        try:
            scale = assignment.scale or Scale(lab.envs.get("SCALE", Scale.TINY))
            handed[lab.name] = handed_out(lab, scale, root)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return handed


def _anonymous(book: Book, key: Path | None) -> Book:
    from clusterlab.course.grade.names import anonymous
    from clusterlab.report.pseudonyms import KEY_FILE, Pseudonyms, load_key

    return anonymous(book, Pseudonyms(key=load_key(key or KEY_FILE), course=book.course))


def _write(book: Book, path: Path, *, wide: bool) -> None:
    from clusterlab.course.grade import sheet
    from clusterlab.run import write_atomically

    write_atomically(path, sheet.wide(book) if wide else sheet.long(book))
