"""The verbs of `class`.

clusterlab class up clusters/llm-2026.yaml
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterlab.course.ending.close_command import close
from clusterlab.course.ending.command import down
from clusterlab.course.fleet.command import warm
from clusterlab.course.grade.command import grade
from clusterlab.course.language import Language
from clusterlab.course.leftovers import look_again, refuse_orphans, show_orphans, show_pending
from clusterlab.course.preflight.command import preflight
from clusterlab.course.reached import File, Install, Yes, agree, reached
from clusterlab.course.status.command import status
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlab.course.changes import Line
    from clusterlab.course.provision import Provision, Update


FromOutputs = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|-",
        help="What `pulumi stack output --json` printed, or - for stdin; the stack is asked where it is not given.",
        show_default=False,
    ),
]
Write = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Put it into a configuration of SkyPilot's, such as .sky.yaml; printed where it is not given.",
        show_default=False,
    ),
]

course = typer.Typer(
    name="class",
    help="Look a class over, provision its infrastructure by Pulumi, configure SkyPilot, and grade its runs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
course.command()(preflight)
course.command()(status)


@course.command()
def config(
    file: File,
    outputs: FromOutputs = None,
    write: Write = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite other values at the same keys.")] = False,
    json: Json = False,
) -> None:
    """Make SkyPilot's configuration of what a class's stack exports: network, roles, labels and the course's policy."""
    from clusterlab.course import skypilot_file
    from clusterlab.course.config import skypilot_config

    made, paths = reached(file, [write] if write else [], looks=False, json=json)
    found = skypilot_config(made.outputs() if outputs is None else _read_outputs(outputs))
    changed = skypilot_file.write(paths[0], found, force=force) if paths else []
    if json:
        print_json({"config": found, "written": str(paths[0]) if paths else None, "changed": changed})
    elif paths:
        typer.echo(f"{paths[0]}: {', '.join(changed) or 'nothing'} changed")
    else:
        typer.echo(skypilot_file.to_text(found), nl=False)


@course.command()
def preview(file: File, install: Install = False, json: Json = False) -> None:
    """Show what `up` would change, with dollars an hour beside each resource.

    Exits with 1 where the policy pack forbids it, or the account has of the class what the state does not know.
    """
    from clusterlab.course.provision import of_the_stack

    made, _ = reached(file, [], install=install, json=json)
    state = made.state()
    lines = _previewed(made, json=json)
    lost = of_the_stack(made.orphans(state.known))
    if json:
        from clusterlab.course.changes import total

        found = [each.as_json() for each in lost]
        changes = [line.as_json() for line in lines]
        print_json({"changes": changes, "per_hour": total(lines).as_json(), "orphans": found})
    else:
        show_orphans(terminal(), lost)
    if lost:
        raise typer.Exit(ClusterlabError.exit_code)


@course.command()
def up(
    file: File,
    yes: Yes = False,
    install: Install = False,
    leave_orphans: Annotated[
        bool, typer.Option("--leave-orphans", help="Go on though the account has what the state does not know.")
    ] = False,
    language: Annotated[
        Language | None,
        typer.Option(
            help="Of the welcome sheets; that of the last time, or en, where it is not given.", show_default=False
        ),
    ] = None,
    write: Annotated[
        Path, typer.Option(metavar="PATH", help="The configuration of SkyPilot's that the class's is put into.")
    ] = Path(".sky.yaml"),
    clusters: Annotated[
        bool, typer.Option("--clusters", help="Bring the class's clusters up too, though it does not meet now.")
    ] = False,
) -> None:
    """Bring a class up: its stack, SkyPilot's configuration, caps, and what each student gets in classes/<course>/.

    Each step looks what is there and does what is missing; whatever ends it, the same command goes on from there.

    Exits with 1 where the account has of the class what the state does not know, which a killed update left.
    """
    from clusterlab.course.students.bring_up import BringUp
    from clusterlab.course.students.clusters import when_due

    made, paths = reached(file, [write], install=install)
    console = terminal()
    stack = partial(_stack, made, console, yes=yes, leave_orphans=leave_orphans)
    BringUp(
        cluster=made.cluster,
        root=made.root,
        stack=stack,
        cloud=made.cloud,
        console=console,
        config=paths[0],
        language=language,
        clusters=when_due(made.cluster, made.root, console, now=clusters),
    ).run()
    told = f"class {made.cluster.course} is up; docs/students.md says what of classes/ is handed out, and how"
    console.print(told, highlight=False, soft_wrap=True)


def _stack(made: Provision, console: Console, *, yes: bool, leave_orphans: bool) -> Update:
    """What the class stands on: shows the preview, asks, and does it."""
    state = made.state()
    show_pending(console, state.pending)
    refuse_orphans(made, console, state.known, leave=leave_orphans)
    _previewed(made, json=False)
    agree(yes, "provision it")
    if state.pending:
        made.repair()
    try:
        return made.up()
    except (ClusterlabError, KeyboardInterrupt):
        look_again(made, console)
        raise


course.command()(warm)
course.command()(down)
course.command()(close)
course.command()(grade)


def _read_outputs(place: str) -> dict[str, Any]:
    """What Pulumi printed as JSON.

    Raises:
        InputError: it cannot be read, or is no mapping.
    """
    import sys
    from json import loads

    try:
        values = loads(sys.stdin.read() if place == "-" else Path(place).read_text())
    except (OSError, ValueError) as error:
        raise InputError(Problem(path=place, message=f"cannot be read: {error}")) from error
    if not isinstance(values, dict):
        raise InputError(Problem(path=place, message="no mapping; allowed: what `pulumi stack output --json` prints"))
    return values


def _previewed(made: Provision, *, json: bool) -> list[Line]:
    from clusterlab.course.changes import priced, table, total

    lines = priced(made.preview(), made.catalog)
    if not json:
        console = terminal()
        console.print(table(lines))
        console.print(f"{total(lines)} USD an hour when all is made", highlight=False)
    return lines
