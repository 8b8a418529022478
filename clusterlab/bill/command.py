"""The verbs of the bill.

clusterlab bill import exports/2026-10
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clusterlab.terminal import Json, print_json, terminal

bill = typer.Typer(
    help="Read the clouds' bills.",
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
