"""The verb `class status`.

clusterlab class status clusters/llm-2026.yaml --watch
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.course.reached import File
from clusterlab.errors import ClusterlabError
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from clusterlab.course.status.snapshot import Snapshot
    from clusterlab.course.status.view import View
    from clusterlab.course.status.words import Words

MEMORY = "gpu-looks.json"
"""In the class's folder."""
Watch = Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")]
Every = Annotated[int, typer.Option(help="Seconds between two looks of --watch.", min=5)]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="PAGE", help="Write it as one page that needs no net; with each look.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 where something needs somebody.")]
Ray = Annotated[
    list[str] | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="A Ray's dashboard, http://host:port; may be repeated. RAY_ADDRESS where it is not given.",
        show_default=False,
    ),
]
Slurm = Annotated[Path | None, typer.Option(help="Ask the Slurm of a centre's file, clusters/slurm.yaml.")]
In = Annotated[str, typer.Option("--language", metavar="en|es", help="Of the terminal and the page.")]


def status(
    file: File,
    watch: Watch = False,
    every: Every = 30,
    html: Html = None,
    strict: Strict = False,
    ray: Ray = None,
    slurm: Slurm = None,
    language: In = "en",
    json: Json = False,
) -> None:
    """Show how a class stands: clusters, jobs, GPUs and how much of them is used, budgets, leases, and what is idle.

    AWS is asked by tag in all regions, with SkyPilot, Ray, Slurm and the ledger; what could not be looked at is said.

    Exits with 0; with --strict with 1 where a lease is past, a budget is spent, or something could not be looked at.
    """
    from clusterlab.repository import enter

    say = _words(language)
    given = {"file": file, "html": html, "slurm": slurm}
    _, entered = enter([path for path in given.values() if path])
    paths = dict(zip([name for name, path in given.items() if path], entered, strict=True))
    view = _view(paths["file"], ray, paths.get("slurm"))
    if watch:
        _watch(view, say, paths.get("html"), every=every, json=json)
        return
    seen = _look(view, say, paths.get("html"))
    if json:
        print_json(seen.as_json())
    else:
        _print(seen, say)
    if strict and any(each.serious for each in seen.needs):
        raise typer.Exit(ClusterlabError.exit_code)


def _words(language: str) -> Words:
    from clusterlab.course.language import Language
    from clusterlab.course.status.words import Words
    from clusterlab.errors import InputError, Problem

    if language not in set(Language):
        message = f"{language!r}; allowed: {', '.join(Language)}"
        raise InputError(Problem(path="--language", message=message))
    return Words(language=Language(language))


def _view(file: Path, ray: list[str] | None, centre: Path | None) -> View:
    from datetime import UTC, datetime

    from clusterlab.catalog import Catalog
    from clusterlab.cluster import Cluster
    from clusterlab.course.place import Place
    from clusterlab.course.status.sources import Sources, check_addresses
    from clusterlab.course.status.view import View

    catalog = Catalog.load()
    cluster = Cluster.load(file, catalog=catalog)
    sources = Sources(cluster=cluster, catalog=catalog, rays=check_addresses(ray), centre=centre)
    memory = Place.of(Path(), cluster.course).folder / MEMORY
    return View(sources=sources, memory=memory, clock=lambda: datetime.now(UTC))


def _look(view: View, say: Words, html: Path | None) -> Snapshot:
    seen = view.snapshot()
    if html:
        from clusterlab.course.status.page import page
        from clusterlab.run import write_atomically

        write_atomically(html, page(seen, say))
    return seen


def _print(seen: Snapshot, say: Words) -> None:
    from clusterlab.course.status.screen import render

    console = terminal()
    for part in render(seen, say, width=console.width):
        console.print(part, highlight=False)


def _watch(view: View, say: Words, html: Path | None, *, every: int, json: bool) -> None:
    """Look until Ctrl-C, which is the usual end: no error."""
    import time

    from rich.live import Live

    from clusterlab.course.status.screen import lines, render, rows_that_fit

    console = terminal()
    try:
        if json or not console.is_terminal:
            while True:
                seen = _look(view, say, html)
                print_json(seen.as_json()) if json else _print(seen, say)
                time.sleep(every)
        with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            live.update(say("looking ..."), refresh=True)
            while True:
                seen = _look(view, say, html)
                most = rows_that_fit(console.height)
                live.update(lines(render(seen, say, width=console.width, most=most)), refresh=True)
                time.sleep(every)
    except KeyboardInterrupt:
        return
