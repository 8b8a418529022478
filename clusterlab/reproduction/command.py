"""The verb `reproduce`: labs run at `tiny` on this machine, and kept in the repository as results.

clusterlab reproduce [LAB]... [--setup] [--fresh]
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.errors import ClusterlabError, MissingError
from clusterlab.terminal import Labs, Runs, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlab.reproduction.reproduce import Outcome


def reproduce(
    labs: Labs = None,
    setup: Annotated[
        bool, typer.Option("--setup", help="Make the environments first that a lab's `setup:` names, by make.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run also what ran before just so and passed.")] = False,
    runs: Runs = None,
) -> None:
    """Run labs at tiny on this machine, and keep what they measured in labs/results, with commit and day.

    Goes on after a lab that fails, and where it was interrupted. Exits with 1 where one failed, with 3 where one was
    skipped because its environment is missing.
    """
    from clusterlab.lab import lab_paths
    from clusterlab.pages.results import write_results
    from clusterlab.repository import enter, load_labs
    from clusterlab.reproduction.reproduce import reproduce as reproduce_lab

    root, entered = enter([*(labs or []), *([runs] if runs else [])])
    folder = entered.pop() if runs else Path("runs")
    loaded, console, outcomes = load_labs(entered or lab_paths(Path("labs"))), terminal(), []
    for number, lab in enumerate(loaded, 1):
        console.print(f"{number} of {len(loaded)}: {lab.name}", highlight=False)
        outcome = reproduce_lab(lab, root=root, runs=folder.absolute(), setup=setup, fresh=fresh, console=console)
        if outcome.reproduction:
            outcome.reproduction.keep(root)
            write_results(root)
        outcomes.append(outcome)
    _show(outcomes, console)
    codes = {"FAIL": ClusterlabError.exit_code, "skipped": MissingError.exit_code}
    found = [code for verdict, code in codes.items() if any(each.verdict == verdict for each in outcomes)]
    if found:
        raise typer.Exit(found[0])


def _show(outcomes: Sequence[Outcome], console: Console) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title="reproduced", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("lab", "result", "seconds"):
        table.add_column(name, justify="right" if name == "seconds" else "left")
    for each in outcomes:
        seconds = each.reproduction.seconds if each.reproduction else None
        table.add_row(each.lab, each.verdict, "" if seconds is None else f"{seconds:.1f}")
    console.print(table)
    for each in outcomes:
        if each.note:
            console.print(f"{each.lab}: {each.note}", highlight=False, markup=False, soft_wrap=True)
