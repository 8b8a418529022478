"""The verbs of `new`.

clusterlab new lab distillation
clusterlab new class llm-2027
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from clusterlab.terminal import Json, print_json

Name = Annotated[str, typer.Argument(metavar="NAME", help="How it is called, in lower case; so are its files.")]

new = typer.Typer(
    help="Make a lab or a class to begin with: files that pass `clusterlab check` as they are.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@new.command()
def lab(
    name: Name,
    course: Annotated[
        str | None,
        typer.Option(help="The course that it belongs to; that of the other labs if not given.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Make labs/NAME.yaml, its sidecar and, where there is none, its job: a small computation, to be replaced.

    Exits with 2 where NAME names no lab or a file is there already; nothing is written then.
    """
    from clusterlab.repository import enter
    from clusterlab.template.lab import LabFiles
    from clusterlab.template.write import write_new

    root, _ = enter([])
    files = LabFiles.of(name, root, course)
    made = files.texts()
    write_new(made)
    path = f"labs/{name}.yaml"
    todo = [f"clusterlab check {path}", f"clusterlab run {path}", f"clusterlab plan {path}"]
    _tell(made, todo, files.notes(), json=json)


@new.command(name="class")
def class_(name: Name, json: Json = False) -> None:
    """Make clusters/NAME.yaml, a class with a roster, dates, hours and a budget, to be filled in.

    Exits with 2 where NAME names no class or the file is there already; nothing is written then.
    """
    from datetime import UTC, datetime

    from clusterlab.repository import enter
    from clusterlab.template.class_file import class_files
    from clusterlab.template.write import write_new

    root, _ = enter([])
    made = class_files(name, root, today=datetime.now(UTC).date())
    write_new(made)
    path = f"clusters/{name}.yaml"
    todo = [
        f"clusterlab check {path}",
        f"clusterlab plan --class {path}",
        f"clusterlab class preflight {path} --offline",
    ]
    notes = [f"students, addresses and dates in {path} are made up; labs that it has carry the label `course: {name}`"]
    _tell(made, todo, notes, json=json)


def _tell(made: Iterable[Path], todo: Sequence[str], notes: Sequence[str], *, json: bool) -> None:
    """What was made, and what to type now."""
    if json:
        print_json({"made": list(map(str, made)), "next": list(todo), "notes": list(notes)})
        return
    for path in made:
        typer.echo(f"made {path}")
    for note in notes:
        typer.echo(note)
    typer.echo("\n".join(["next:", *(f"  {line}" for line in todo)]))
