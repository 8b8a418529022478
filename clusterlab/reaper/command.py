"""The verb `reap`.

clusterlab reap --course llm-2026 --keep keep.json
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from clusterlab.errors import INSTALL_AWS, ClusterlabError, MissingError
from clusterlab.terminal import Json, print_json, terminal

if TYPE_CHECKING:
    from clusterlab.reaper.proof import Proof
    from clusterlab.reaper.reap import Order


def reap(
    course: Annotated[list[str], typer.Option(help="Whose resources, by their tag `course`; may be repeated.")],
    keep: Annotated[
        str, typer.Option(metavar="PLACE", help="The keep-list, JSON: a file, or s3://bucket/key. Never empty.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, it is only said what would be done.")] = False,
    region: Annotated[
        list[str] | None,
        typer.Option(help="Only this region; may be repeated. All, where it is not given.", show_default=False),
    ] = None,
    state: Annotated[str, typer.Option(metavar="PLACE", help="What the scans before saw.")] = "reaper.json",
    proof: Annotated[str, typer.Option(metavar="PLACE", help="Where the proof is written.")] = "proof.json",
    age_minutes: Annotated[
        float, typer.Option(help="Between the first scan that sees a resource over its lease and the first stop.")
    ] = 10.0,
    grace_hours: Annotated[float, typer.Option(help="Between stop and down.")] = 24.0,
    longest_hours: Annotated[
        str | None,
        typer.Option(help="The longest lease of a launch; CLUSTERLAB_LEASE_HOURS, else 12.", show_default=False),
    ] = None,
    ended: Annotated[bool, typer.Option("--ended", help="The course is over, and every lease with it.")] = False,
    json: Json = False,
) -> None:
    """Warn of, stop and end what a course left in AWS beyond its lease, in every region, and prove what is left.

    Exits with 0 only where nothing is left over its lease and everything could be looked at, else with 1.
    """
    from clusterlab.lease import parse_hours

    granted = None if longest_hours is None else parse_hours(longest_hours, path="--longest-hours")
    try:
        from clusterlab.reaper.reap import Order
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL_AWS}` installs it") from error
    order = Order(
        courses=course,
        keep=keep,
        state=state,
        proof=proof,
        yes=yes,
        regions=region or (),
        age_minutes=age_minutes,
        grace_hours=grace_hours,
        granted=granted,
        ended=ended,
    )
    _reap(order, json=json)


def _reap(order: Order, *, json: bool) -> None:
    from clusterlab.reaper.cloud import Cloud
    from clusterlab.reaper.reap import reap as reap_once

    found = reap_once(order, Cloud())
    if json:
        print_json(found.as_json())
    else:
        console = terminal()
        for line in _lines(found):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        for line in found.faults:
            console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
        console.print(f"{_told(found)}; proof  {order.proof}", highlight=False, markup=False, soft_wrap=True)
    if not found.proven:
        raise typer.Exit(ClusterlabError.exit_code)


def _lines(found: Proof) -> Iterator[str]:
    """A line for each resource, but for those in their lease, which are only counted."""
    from clusterlab.reaper.step import Step

    shown = [entry for entry in found.entries if entry.step is not Step.LEASED]
    width = max((len(entry.resource.region) for entry in shown), default=0)
    for entry in shown:
        each = entry.resource
        whose = " ".join(each.tags[key] for key in ("student", "lab") if key in each.tags)
        until = f"lease until {entry.lease_until:%Y-%m-%d %H:%M} UTC ({entry.why or entry.lease})"
        parts = (f"{entry.step:<6}", f"{each.region:<{width}}", str(each), whose, until, "" if entry.there else "gone")
        yield "  ".join(part for part in parts if part)


def _told(found: Proof) -> str:
    """The verdict, on one line."""
    from clusterlab.reaper.step import Step

    leased = sum(entry.step is Step.LEASED for entry in found.entries)
    spared = f"{leased} in their lease, {sum(entry.step is Step.KEPT for entry in found.entries)} kept"
    where = f"{len(found.regions)} region{'' if len(found.regions) == 1 else 's'}"
    left = f"{len(found.left)} left over their lease in {where} ({spared})"
    blind = f"; {len(found.failed)} not scanned: not proven" if found.failed else ""
    dry = "; a dry run: nothing was touched, `--yes` does the steps" if found.dry_run else ""
    return f"{left}{blind}{dry}"
