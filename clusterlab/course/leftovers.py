"""What a killed update left, as the verbs of `class` tell it: what was under way, and what the state does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from clusterlab.errors import ClusterlabError

if TYPE_CHECKING:
    from rich.console import Console

    from clusterlab.course.orphans import Orphan
    from clusterlab.course.provision import Provision


def show_pending(console: Console, pending: tuple[str, ...]) -> None:
    """What Pulumi was at when it was killed."""
    for each in pending:
        console.print(f"cut off: {each}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    if pending:
        told = "an update was killed; Pulumi's state forgets these, and what they made is looked for by its tags"
        console.print(told, highlight=False, soft_wrap=True)


def show_orphans(console: Console, found: list[Orphan]) -> None:
    """What the state does not know, with what it costs."""
    from clusterlab.course.orphans import told

    for line in told(found) if found else ():
        console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)


def refuse_orphans(made: Provision, console: Console, known: tuple[str, ...], *, leave: bool) -> None:
    """Show what the state does not know, and go no further unless somebody said so.

    Raises:
        typer.Exit: there is something.
    """
    from clusterlab.course.provision import of_the_stack

    lost = of_the_stack(made.orphans(known))
    show_orphans(console, lost)
    if lost and not leave:
        name, file = made.cluster.course, made.cluster.path
        reap = f"`clusterlab reap --course {name} --keep keep.json --ended --yes`"
        told = f"nothing was changed; `clusterlab class down {file}` or {reap} ends them, --leave-orphans goes on"
        console.print(told, highlight=False, soft_wrap=True)
        raise typer.Exit(ClusterlabError.exit_code)


def look_again(made: Provision, console: Console) -> None:
    """After an update that did not end well: what it left, and what to type next."""
    from clusterlab.course.provision import of_the_stack

    try:
        show_orphans(console, of_the_stack(made.orphans(made.state().known)))
    except ClusterlabError as error:
        console.print(f"what it left is not known: {error}", style="red", highlight=False, soft_wrap=True)
    file = made.cluster.path
    goes_on = f"`clusterlab class up {file}` goes on from here, `clusterlab class down {file}` takes all of it away"
    console.print(f"{goes_on}; both look by tag for what the state does not know", highlight=False, soft_wrap=True)
