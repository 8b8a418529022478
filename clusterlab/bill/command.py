"""The verbs of the bill.

clusterlab bill import exports/2026-10
clusterlab bill reconcile --rules shared-cost.yaml
clusterlab bill export --focus course.parquet
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clusterlab.errors import ClusterlabError
from clusterlab.terminal import Json, print_json, terminal

bill = typer.Typer(
    help="Read the clouds' bills, set them against what was metered, and export what was metered.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
FOLDER = Path("bill")
"""Of the store, below the root of a repository."""
StoreFolder = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of the bills; bill/ of the repository where it is not given."),
]


@bill.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Exports, or folders of their files.")],
    store: StoreFolder = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put them in the place of what was imported of the same period before.")
    ] = False,
    duplicates: Annotated[
        str, typer.Option(metavar="CHOICE", help="Of rows that are alike in every column: refuse, drop or keep.")
    ] = "refuse",
    json: Json = False,
) -> None:
    """Import exports of FOCUS 1.0 to 1.2 or AWS's CUR 2.0: CSV, CSV.gz and Parquet, every file or none.

    Give all files of a billing period in one go. Exits with 2 where a file, a column or a row is wrong, or where the
    period was imported before from other files.
    """
    from clusterlab.bill.duplicates import Duplicates
    from clusterlab.bill.intake import take_in
    from clusterlab.bill.store import Store
    from clusterlab.bill.table import render_parts
    from clusterlab.repository import enter

    choice = Duplicates.parse(duplicates)
    _, given = enter([*paths, *([store] if store else [])])
    folder = given.pop() if store else FOLDER
    parts = take_in(given, Store(folder=folder), replace=replace, duplicates=choice)
    if json:
        print_json({"bills": [part.as_json() for part in parts]})
    else:
        terminal().print(render_parts(parts))


@bill.command()
def reconcile(
    period: Annotated[
        str | None, typer.Option(help="A month, such as 2026-10; all that were imported where it is not given.")
    ] = None,
    rules: Annotated[Path | None, typer.Option(help="YAML file that says who shares which cost.")] = None,
    tolerance: Annotated[
        float, typer.Option(metavar="PERCENT", min=0, help="By how much a row's bill may differ from what was metered.")
    ] = 5,
    store: StoreFolder = None,
    json: Json = False,
) -> None:
    """Set estimate, metered and billed side by side, per student x lab; the rows sum to the bill.

    Exits with 1 where a cent has no owner, or a row's bill is not what was metered, within the tolerance.
    """
    from datetime import UTC, datetime
    from decimal import Decimal

    from clusterlab.bill.reconciliation import reconcile as set_against
    from clusterlab.bill.records import Records
    from clusterlab.bill.rules import load_rules
    from clusterlab.bill.store import Store
    from clusterlab.bill.table import render
    from clusterlab.repository import enter

    _, given = enter([*([rules] if rules else []), *([store] if store else [])])
    records = Records.of_ledger()
    if not records.intervals:
        typer.echo("nothing is metered: CLUSTERLAB_LEDGER names no ledger, or an empty one", err=True)
    found = set_against(
        Store(folder=given[-1] if store else FOLDER),
        records.intervals,
        records.estimates,
        load_rules(given[0]) if rules else (),
        now=datetime.now(UTC),
        period=period,
    )
    agrees = found.agrees(Decimal(str(tolerance)))
    if json:
        print_json(found.as_json() | {"agrees": agrees})
    else:
        console = terminal()
        for part in render(found):
            console.print(part)
    if not agrees:
        raise typer.Exit(ClusterlabError.exit_code)


@bill.command()
def export(
    focus: Annotated[Path, typer.Option("--focus", metavar="FILE", help="FOCUS 1.2, in .csv or .parquet.")],
    json: Json = False,
) -> None:
    """Export the ledger's intervals as FOCUS 1.2.

    Exits with 1 where an interval has no known price: it is left out, and counted.
    """
    from datetime import UTC, datetime

    from clusterlab.bill.export import export as write
    from clusterlab.bill.records import Records

    exported = write(Records.of_ledger(needed=True).intervals, focus, now=datetime.now(UTC))
    if json:
        print_json(exported.as_json())
    else:
        typer.echo(f"{focus}: {exported.num_rows} rows, {exported.usd:.2f} USD")
    if exported.num_unknown:
        typer.echo(
            f"{focus}: incomplete: {exported.num_unknown} intervals without a known price are left out", err=True
        )
        raise typer.Exit(ClusterlabError.exit_code)
