"""What the verbs share: their common arguments, the console, and JSON on stdout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Labs = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[LAB]...", help="Lab files; all of labs/ where none is given.", show_default=False),
]
Infras = Annotated[
    list[str] | None,
    typer.Option(
        "--infra",
        metavar="CLOUD[/REGION]",
        help="Where machines may be, such as lambda or aws/us-west-2; may be repeated.",
        show_default=False,
    ),
]
Envs = Annotated[
    list[str] | None,
    typer.Option(
        "--env", metavar="KEY=VALUE", help="A value of the job, upper-case; may be repeated.", show_default=False
    ),
]
Runs = Annotated[
    Path | None,
    typer.Option(help="Folder of the runs; runs/ of the repository where it is not given.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


def terminal(*, stderr: bool = False) -> Console:
    """The terminal, stdout where not `stderr`."""
    from rich.console import Console

    return Console(stderr=stderr)


def print_json(document: dict[str, Any]) -> None:
    """One document, indented."""
    from json import dumps

    typer.echo(dumps(document, indent=2))
