"""The verbs of `budget`.

clusterlab budget set --student ana --usd 20
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from rich.table import Table

    from clusterlab.ledger.budget import Budget
    from clusterlab.ledger.statement import Use

budget = typer.Typer(
    help="What students, teams and a course may spend, in the ledger that CLUSTERLAB_LEDGER names.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@budget.command("set")
def set_cap(
    usd: Annotated[str, typer.Option(help="What they may hold in all, from 0.")],
    student: Annotated[str | None, typer.Option(help="Whom it is for: a student.", show_default=False)] = None,
    team: Annotated[str | None, typer.Option(help="Or a team.", show_default=False)] = None,
    course: Annotated[str | None, typer.Option(help="Or a course.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Set the cap of a student, a team or a course, from now on; the ledger is begun where there is none."""
    from clusterlab.cost.money import parse_usd
    from clusterlab.ledger.budget import Scope
    from clusterlab.ledger.location import open_ledger

    given = {scope: name for scope, name in zip(Scope, (student, team, course), strict=True) if name is not None}
    if len(given) != 1:
        raise InputError(Problem(path="budget set", message="allowed: one of --student, --team and --course"))
    [(scope, name)] = given.items()
    amount = parse_usd(usd, path="--usd")
    with closing(open_ledger(begin=True)) as ledger:
        _show([ledger.set_cap(scope, name, amount)], None, json=json)


@budget.command()
def show(
    by_lab: Annotated[bool, typer.Option("--by-lab", help="Also what each student held and used in each lab.")] = False,
    json: Json = False,
) -> None:
    """Show each budget: its cap, what it holds, and what is free."""
    from clusterlab.ledger.location import open_ledger

    with closing(open_ledger()) as ledger:
        _show(ledger.budgets(), ledger.uses() if by_lab else None, json=json)


@budget.command()
def release(
    run: Annotated[str, typer.Argument(help="The run, as its machine's tag `run` would say.")], json: Json = False
) -> None:
    """Free what a launch reserved that came to nothing, before it expires."""
    from clusterlab.ledger.location import open_ledger

    with closing(open_ledger()) as ledger:
        released = ledger.release(run)
    if json:
        print_json({"run": run, "kind": released.kind, "usd": f"{-released.usd:f}"})
    else:
        typer.echo(f"{run}: {-released.usd:.2f} USD are free again")


@budget.command()
def verify(
    head: Annotated[str | None, typer.Option(help="A digest that was kept, and must be there.")] = None,
    json: Json = False,
) -> None:
    """Check that no row was changed or removed since it was written; prints the digest of the newest row.

    Exits with 1 where one was, and names the first.
    """
    from clusterlab.ledger.location import open_ledger

    with closing(open_ledger()) as ledger:
        fault, newest, name = ledger.verify(head=head), ledger.head(), ledger.database.name
    if json:
        print_json({"head": newest, "fault": fault and {"seq": fault.seq, "what": fault.what}})
    elif fault is None:
        typer.echo(f"as it was written; head {newest}")
    if fault is not None:
        raise ClusterlabError(f"{name}: {fault}")


def _show(budgets: list[Budget], uses: list[Use] | None, *, json: bool) -> None:
    if json:
        by_lab = {} if uses is None else {"uses": [each.as_json() for each in uses]}
        print_json({"budgets": [each.as_json() for each in budgets], **by_lab})
        return
    console = terminal()
    console.print(_budgets_table(budgets))
    if uses is not None:
        console.print(_uses_table(uses))


def _budgets_table(budgets: list[Budget]) -> Table:
    from clusterlab.plan import dollars

    table = _table("budgets, USD", "", "name", "cap", "held", "free")
    for each in budgets:
        cap = "none" if each.cap_usd is None else dollars(each.cap_usd)
        free = "" if each.free_usd is None else f"{each.free_usd:.2f}"
        table.add_row(each.scope, each.name, cap, dollars(each.held_usd), free)
    return table


def _uses_table(uses: list[Use]) -> Table:
    from clusterlab.plan import dollars

    table = _table("by student and lab, USD", "student", "lab", "runs", "held", "used")
    for each in uses:
        student, lab = each.student or "nobody's", each.lab or ""
        table.add_row(student, lab, str(each.num_runs), dollars(each.held_usd), str(each.used))
    return table


def _table(title: str, *columns: str) -> Table:
    """Two columns of names, then amounts."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < 2 else "right")
    return table
