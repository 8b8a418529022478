"""The verb of `catalog`.

clusterlab catalog update --from ~/.sky/catalogs/v8
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.catalog import LOCAL, PATH
from clusterlab.errors import InputError, Problem
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from datetime import date

    from rich.table import Table

    from clusterlab.catalog import Catalog
    from clusterlab.cost.quote import Quotes
    from clusterlab.cost.update import Change

catalog = typer.Typer(
    help="The dated prices that plans and budgets stand on.", no_args_is_help=True, rich_markup_mode=None
)


@catalog.callback()
def _only_verbs() -> None:
    """Keeps `update` a verb of its own although it is the only one."""


@catalog.command()
def update(
    source: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="FOLDER|FILE",
            help="A SkyPilot catalog, such as ~/.sky/catalogs/v8, or AmazonEC2's index.json or index.csv.",
        ),
    ],
    file: Annotated[Path, typer.Option("--catalog", help="The catalog to write.", show_default=False)] = PATH,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day of the list; its own if not given.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write it; else only say what would change.")] = False,
    accept_jumps: Annotated[
        bool, typer.Option("--accept-jumps", help="Take prices that turn 0 or change by more than half.")
    ] = False,
    json: Json = False,
) -> None:
    """Refresh prices from a list on this machine; says what would change unless --yes.

    Rows that the list does not have are kept and named. Exits with 2 where the list cannot be read, or a price jumps.
    """
    from clusterlab.catalog import Catalog
    from clusterlab.cost.update import changes, refuse_jumps, written
    from clusterlab.run import write_atomically

    own = Catalog.load(file)
    quotes = _read(source, own, as_of and as_of.date())
    found = changes(own, quotes, clouds={cloud for _, cloud, _, _ in quotes})
    writes = yes and (accept_jumps or not any(each.jumps for each in found))
    if writes:
        write_atomically(file, written(own, found))
    if json:
        print_json({"changes": [each.as_json() for each in found], "written": writes})
    else:
        _show(found, written_to=file if writes else None)
    if not accept_jumps:
        refuse_jumps(found)


def _read(source: Path, catalog: Catalog, as_of: date | None) -> Quotes:
    from clusterlab.cost import aws_prices, skypilot_prices

    path = source.expanduser()
    if not path.exists():
        message = "no such folder or file; allowed: a SkyPilot catalog, or AmazonEC2's index.json or index.csv"
        raise InputError(Problem(path=str(source), message=message))
    read = skypilot_prices.read if path.is_dir() else aws_prices.read
    quotes = read(path, catalog, as_of=as_of)
    if not quotes:
        clouds = ", ".join(dict.fromkeys(row.cloud for row in catalog.rows if row.cloud != LOCAL))
        raise InputError(Problem(path=str(source), message=f"has no row of the catalog, which has {clouds}"))
    return quotes


def _show(found: list[Change], *, written_to: Path | None) -> None:
    from clusterlab.cost.update import Outcome

    console = terminal()
    by = {outcome: [each for each in found if each.outcome is outcome] for outcome in Outcome}
    if by[Outcome.CHANGED]:
        console.print(_table(by[Outcome.CHANGED]))
    counts = f"{len(by[Outcome.CHANGED])} prices change, {len(by[Outcome.CONFIRMED])} are the same on a later day"
    console.print(counts, highlight=False)
    for outcome, why in ((Outcome.MISSING, "not in the list"), (Outcome.OLDER, "newer than the list")):
        if by[outcome]:
            names = ", ".join(each.old.placed for each in by[outcome])
            console.print(f"kept, {why}: {names}", highlight=False, soft_wrap=True)
    console.print(f"written to {written_to}" if written_to else "nothing written; --yes writes it", highlight=False)


def _table(found: list[Change]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from clusterlab.cost.update import percent

    table = Table(title="prices, USD", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("row", "market", "old", "new", "change"):
        table.add_column(name, justify="left" if name in ("row", "market") else "right")
    for each in found:
        for market, (old, new) in each.prices.items():
            cells = ("unknown" if usd is None else f"{usd:f}" for usd in (old, new))
            table.add_row(each.old.placed, market, *cells, (percent(old, new) or "") + (" jumps" if each.jumps else ""))
    return table
