"""The verb `rehearse`.

clusterlab rehearse labs/qlora.yaml
clusterlab rehearse --class clusters/demo.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clusterlab.terminal import Json, Labs, print_json, terminal


def rehearse(
    labs: Labs = None,
    on: Annotated[str, typer.Option(metavar="PLACE", help="The emulated `cloud`, or a `slurm` of its own.")] = "cloud",
    course: Annotated[
        Path | None,
        typer.Option("--class", metavar="FILE", help="Rehearse a whole class, in fast-forward.", show_default=False),
    ] = None,
    act: Annotated[
        list[str] | None,
        typer.Option(
            help="Of a class only this act, what it needs, teardown and report; may be repeated.", show_default=False
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="Let this go wrong; may be repeated; docs/rehearsal.md has the names and what must follow.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Chooses which calls to the cloud fail.")] = 0,
    clusters: Annotated[int, typer.Option(help="How many of each lab are launched side by side.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for rehearsal.json and the records; one below rehearsals/ where it is not given."),
    ] = None,
    json: Json = False,
) -> None:
    """Rehearse labs with the real SkyPilot on an emulated cloud or a local Slurm, at SCALE=tiny, for nothing.

    Needs Linux and root; changes nothing of the machine, and leaves nothing running. Exits with 1 where a step was not
    as it must be.
    """
    from clusterlab.lab import lab_paths
    from clusterlab.rehearsal.faults import Fault
    from clusterlab.rehearsal.launch import SHARED
    from clusterlab.rehearsal.stage import Request, new_folder
    from clusterlab.rehearsal.stage import rehearse as play
    from clusterlab.repository import enter, load_labs

    root, given = enter([*(labs or []), *([course] if course else []), *([out] if out else [])])
    paths = given[: len(labs or [])] or ([] if course else lab_paths(Path("labs")))
    load_labs(path for path in paths if path != Path(SHARED))
    if course:
        _check_class(given[len(labs or [])], act or [])
    request = Request(
        root=str(root),
        labs=tuple(map(str, paths)),
        out=str(root / given[-1] if out else new_folder(root)),
        place=on,
        faults=tuple(map(Fault.parse, fault or ())),
        seed=seed,
        num_clusters=clusters,
        course=str(given[len(labs or [])]) if course else None,
        acts=tuple(act or ()),
        quiet=json,
    )
    code = play(request, terminal(stderr=json))
    _show_rehearsal(Path(request.out), json=json)
    if code:
        raise typer.Exit(code)


def _check_class(path: Path, acts: list[str]) -> None:
    """Refuse a class's file with faults, and acts that there are not, before anything is started."""
    from clusterlab.cluster import Cluster
    from clusterlab.rehearsal.course.act import chosen
    from clusterlab.rehearsal.course.acts import ACTS
    from clusterlab.rehearsal.course.roles import Roles

    chosen(ACTS, acts)
    Roles.of(Cluster.load(path, to_provision=True).students(), path=str(path))


def _show_rehearsal(folder: Path, *, json: bool) -> None:
    """The record of a rehearsal, if it came as far as to have one."""
    from json import loads

    from clusterlab.rehearsal.steps import RECORD, table

    path = folder / RECORD
    if not path.exists():
        return
    record = loads(path.read_text())
    if json:
        print_json(record)
        return
    console = terminal()
    console.print(table(record))
    console.print(f"record  {path}", highlight=False, soft_wrap=True)
