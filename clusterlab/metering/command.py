"""The verb `meter`.

clusterlab meter --course llm-2026 --aws us-east-1
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.errors import ClusterlabError
from clusterlab.terminal import Json, print_json

if TYPE_CHECKING:
    from clusterlab.ledger.ledger import Ledger
    from clusterlab.metering.meter import Metered
    from clusterlab.metering.sources import Sources


def meter(
    course: Annotated[str, typer.Option(help="The course, as the tag `course` says.")],
    aws: Annotated[
        list[str] | None,
        typer.Option(help="Ask EC2 in this region; can be repeated. `all` is every one.", show_default=False),
    ] = None,
    sky: Annotated[bool, typer.Option("--sky", help="Ask SkyPilot for its clusters on other clouds.")] = False,
    slurm: Annotated[
        Path | None, typer.Option(help="Ask the Slurm of a centre's file, clusters/slurm.yaml.", show_default=False)
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            help="The tag `run` of a shared cluster's machines: their price is divided among the jobs of the Ray at"
            " RAY_ADDRESS.",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        int | None, typer.Option(help="Look again after so many seconds, until interrupted.", show_default=False, min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Put on the ledger what is in use, as its sources say it; a run is settled an hour after its last use.

    What goes on beyond what its run reserved is held from then on, so that the next launch is asked about it.

    Exits with 1 where something could not be seen or recorded; the rest is recorded.
    """
    from clusterlab.ledger.location import open_ledger
    from clusterlab.metering.sources import Sources

    sources = Sources(course=course, regions=tuple(aws or ()), skypilot=sky, centre=slurm, pool=pool)
    sources.check()
    with closing(open_ledger()) as ledger:
        while True:
            problems = _look(sources, ledger, json=json)
            if every is None:
                break
            time.sleep(every)
    if problems:
        raise ClusterlabError("\n".join(problems))


def _look(sources: Sources, ledger: Ledger, *, json: bool) -> list[str]:
    """Once; what could not be seen or recorded."""
    from datetime import UTC, datetime

    from clusterlab.metering.meter import meter, settle

    at = datetime.now(UTC)
    metered = [meter(ledger, observation) for observation in sources.observe(ledger.intervals, at)]
    settled = settle(ledger, at)
    ledger.accrue()
    if json:
        print_json({"at": at.isoformat(), "sources": [each.as_json() for each in metered], "settled": settled})
    else:
        for each in metered:
            typer.echo(f"{at:%Y-%m-%d %H:%M:%S}Z {_line(each)}")
        for run in settled:
            typer.echo(f"settled: {run}")
    return [problem for each in metered for problem in each.problems]


def _line(metered: Metered) -> str:
    counts = f"{len(metered.begun)} begun, {len(metered.ended)} ended, {metered.num_going_on} in use"
    return f"{metered.source}: {counts}" + "".join(f"\n  {problem}" for problem in metered.problems)
