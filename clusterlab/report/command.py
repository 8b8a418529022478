"""The verb `report`.

clusterlab report
clusterlab report --by student,lab
clusterlab report --html costs.html --anonymous
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusterlab.report.results import Entry
    from clusterlab.report.summary import Summary

BOTH = "student,lab"
MONEY = "only with --by or --html, which report money"


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """What was asked about money; None where it was not."""

    by: str | None
    html: Path | None
    anonymous: bool
    course: str | None
    until: str | None
    store: Path | None
    rules: Path | None
    proof: Path | None
    key: Path | None

    @property
    def wanted(self) -> bool:
        """Whether money is reported at all."""
        return self.by is not None or self.html is not None


def report(
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder of the runs; runs/ of the repository where it is not given.", show_default=False),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="KEYS", help="Report what they cost, by `student`, `lab` or both: `student,lab`."),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write that as one page that needs no net.")] = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Pseudonyms in place of students, teams, runs and resources.")
    ] = False,
    course: Annotated[str | None, typer.Option(help="Of the ledger's courses, where it has several.")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="The course's last day (UTC), to which the forecast goes.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of the bills; bill/ of the repository where it is not given.")
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="YAML file that says who shares which cost of the bill.")] = None,
    proof: Annotated[Path | None, typer.Option(help="The proof of a sweep: what is left in the account.")] = None,
    key: Annotated[
        Path | None, typer.Option(help="Key of the pseudonyms; pseudonyms.key of the repository, made if missing.")
    ] = None,
    json: Json = False,
) -> None:
    """Report the runs by lab and student, PASS or FAIL; with --by and --html also what they cost, by the ledger.

    Exits with 1 where a finished run fails an expectation, with 2 where a record cannot be read.
    """
    from clusterlab.report.results import read_runs
    from clusterlab.repository import enter

    given = {"runs": runs, "html": html, "store": store, "rules": rules, "proof": proof, "key": key}
    root, entered = enter([path for path in given.values() if path])
    paths = dict(zip([name for name, path in given.items() if path], entered, strict=True))
    folder = paths.get("runs", Path("runs"))
    if runs and not folder.is_dir():
        raise InputError(Problem(path=str(folder), message="no such folder; allowed: a folder of runs"))
    names = ("html", "store", "rules", "proof", "key")
    asked = Money(by=by, anonymous=anonymous, course=course, until=until, **{name: paths.get(name) for name in names})
    _check(asked)
    entries, problems = read_runs(folder, root)
    if asked.wanted:
        _show_money(asked, entries, problems, json=json)
    else:
        _show_results(entries, problems, folder, json=json)
    if problems:
        raise typer.Exit(InputError.exit_code)
    if any(each.verdict == "FAIL" for each in entries):
        raise typer.Exit(ClusterlabError.exit_code)


def _check(asked: Money) -> None:
    """Refuse options that would say nothing."""
    money = {name: getattr(asked, name) for name in ("anonymous", "course", "until", "store", "rules", "proof", "key")}
    named = [f"--{name}" for name, value in money.items() if value]
    if named and not asked.wanted:
        raise InputError([Problem(path=name, message=MONEY) for name in named])
    if asked.key and not asked.anonymous:
        raise InputError(Problem(path="--key", message="only with --anonymous"))


def _show_results(entries: Sequence[Entry], problems: Sequence[Problem], folder: Path, *, json: bool) -> None:
    from clusterlab.report.results import render

    if json:
        faults = [{"path": each.path, "message": each.message} for each in problems]
        print_json({"runs": [each.as_json() for each in entries], "problems": faults})
        return
    console = terminal()
    for part in render(entries, problems, width=console.width):
        console.print(part)
    if not entries and not problems:
        console.print(f"no runs below {folder}; `clusterlab run labs/<lab>.yaml` makes one", highlight=False)


def _show_money(asked: Money, entries: Sequence[Entry], problems: Sequence[Problem], *, json: bool) -> None:
    from clusterlab.report.matrix import parse_by
    from clusterlab.report.table import render

    keys = parse_by(asked.by or BOTH)
    with _without_collection():
        summary = _summary(asked, entries, problems)
        if asked.html:
            _write(summary, asked.html)
    if json:
        print_json(summary.as_json(keys))
    elif asked.by is None:
        typer.echo(f"{asked.html}: {summary.total.shown or 'nothing metered, 0.00'} USD")
    else:
        console = terminal()
        for part in render(summary, keys):
            console.print(part)


@contextmanager
def _without_collection() -> Iterator[None]:
    """A course's records are many small objects without a cycle: to look for cycles takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _summary(asked: Money, entries: Sequence[Entry], problems: Sequence[Problem]) -> Summary:
    from clusterlab.bill.command import FOLDER
    from clusterlab.report.pseudonyms import KEY_FILE, Pseudonyms, anonymous, load_key
    from clusterlab.report.sources import gather
    from clusterlab.report.summary import Summary

    until = _day(asked.until)
    facts = gather(
        entries, problems, course=asked.course, store=asked.store or FOLDER, rules=asked.rules, proof=asked.proof
    )
    if asked.anonymous:
        facts = anonymous(facts, Pseudonyms(key=load_key(asked.key or KEY_FILE), course=facts.course or ""))
    return Summary.of(facts, until=until)


def _write(summary: Summary, path: Path) -> None:
    from clusterlab.report.page import page
    from clusterlab.run import write_atomically

    write_atomically(path, page(summary))


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r}; allowed: a day, such as 2026-12-18"
        raise InputError(Problem(path="--until", message=message)) from error
