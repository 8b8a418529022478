"""What a terminal shows of a class: first what needs somebody, then the sums, then who has what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from clusterlab.course.status.gpu import IDLE_FOR, LOW_PERCENT, Gpu, State
from clusterlab.course.status.job import Job
from clusterlab.course.status.job import State as JobState
from clusterlab.course.status.looks import LONGEST_GAP
from clusterlab.course.status.part import CLOUDS, Name
from clusterlab.course.status.rows import ClusterRow, LeaseRow, cluster_rows, lease_rows
from clusterlab.course.status.snapshot import Snapshot
from clusterlab.course.status.sums import memory, sums, unseen
from clusterlab.course.status.words import Words, duration, instant
from clusterlab.report.words import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from clusterlab.course.status.spend import Purse

MOST_ROWS = 40
"""Of a table: nobody reads on, and a terminal's library takes seconds for thousands."""
NARROW = 100
"""Columns below which a table leaves out what is least missed."""
BAR = 10
"""Letters of a whole bar."""
COLOURS = {State.IDLE: "bold red", State.LOW: "yellow", State.UNMEASURED: "yellow", State.BUSY: "green"}


def render(snapshot: Snapshot, say: Words, *, width: int, most: int = MOST_ROWS) -> Iterator[RenderableType]:
    """All of it, each table with `most` rows at most."""
    yield Text.assemble(
        (printable(snapshot.course), "bold"), f"  {instant(snapshot.at)}  ", (say.calendar(snapshot.calendar), "dim")
    )
    yield from _needs(snapshot, say, most)
    yield _sums(snapshot, say)
    wide = width >= NARROW
    yield from _clusters(snapshot, say, most)
    yield from _gpus(snapshot, say, most, wide=wide)
    yield from _jobs(snapshot, say, most, wide=wide)
    yield from _budgets(snapshot, say, most, wide=wide)
    yield from _leases(snapshot, say, most)
    yield from _looked(snapshot, say)


def _needs(snapshot: Snapshot, say: Words, most: int) -> Iterator[RenderableType]:
    found = snapshot.needs
    if not found:
        yield Text(say("nothing needs anybody"), style="green")
        return
    serious = any(each.serious for each in found)
    told = say.count(len(found), "thing needs somebody", "things need somebody")
    yield Text(told, style="bold red" if serious else "yellow")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in found[:most]:
        style = "red" if each.serious else "yellow"
        table.add_row(Text(say(each.kind), style=style), Text(say.need(each, snapshot.at)))
    yield table
    yield from _more(found, say, most)


def _sums(snapshot: Snapshot, say: Words) -> Table:
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(overflow="fold")
    for name, told, usd in sums(snapshot, say):
        table.add_row(Text(name, style="dim"), told, usd)
    return table


def _clusters(snapshot: Snapshot, say: Words, most: int) -> Iterator[RenderableType]:
    rows = cluster_rows(snapshot)
    if rows is None:
        yield from _missing(snapshot, say, "clusters", (*CLOUDS, Name.SKYPILOT))
        return
    if not rows:
        yield Text(say("no clusters"), style="dim")
        return
    table = _table(say("clusters"), say("cluster"), say("student"), say("lab"), say("machines"))
    table.add_column("USD/h", justify="right", no_wrap=True)
    with_sky = snapshot.sky is not None
    if with_sky:
        table.add_column("SkyPilot")
    for each in rows[:most]:
        table.add_row(*_cluster(each, say, with_sky=with_sky))
    yield table
    yield from _more(rows, say, most)


def _cluster(row: ClusterRow, say: Words, *, with_sky: bool) -> Iterator[Text | str]:
    yield printable(row.name)
    yield say.nobodys(row.student)
    yield printable(row.lab or "")
    yield say.machines(row)
    yield say.per_hour(row.usd_per_hour)
    if with_sky:
        yield Text(say.sky(row), style="yellow" if row.odd else "")


def _gpus(snapshot: Snapshot, say: Words, most: int, *, wide: bool) -> Iterator[RenderableType]:
    if not snapshot.gpus:
        if snapshot.gpus is None:
            yield from _missing(snapshot, say, "GPUs", (Name.RAY, *CLOUDS))
        return
    table = _table(say("GPUs"), say("machine"), "GPU", say("whose"), say("state"))
    table.add_column(say("used"), no_wrap=True, justify="right")
    if wide:
        table.add_column(say("memory"), no_wrap=True, justify="right")
    table.add_column("USD/h", justify="right", no_wrap=True)
    for each in snapshot.gpus[:most]:
        table.add_row(*_gpu(each, say, wide=wide))
    yield table
    yield from _more(snapshot.gpus, say, most)
    values = {"percent": LOW_PERCENT, "minutes": _minutes(IDLE_FOR), "gap": _minutes(LONGEST_GAP)}
    rule = "idle: held, and below {percent} % at every look for {minutes} min, looks at most {gap} min apart"
    yield Text(say(rule, **values), style="dim")


def _gpu(gpu: Gpu, say: Words, *, wide: bool) -> Iterator[Text | str]:
    yield printable(gpu.machine)
    yield say.gpu(gpu)
    yield say.holders(gpu)
    low = say.low(gpu)
    yield Text(f"{say(gpu.state)}{f', {low}' if low else ''}", style=COLOURS.get(gpu.state, ""))
    yield "" if gpu.percent is None else f"{gpu.percent} %"
    if wide:
        yield memory(gpu)
    yield say.usd(gpu.usd_per_hour)


def _jobs(snapshot: Snapshot, say: Words, most: int, *, wide: bool) -> Iterator[RenderableType]:
    jobs = snapshot.jobs
    if jobs is None:
        if snapshot.parts[Name.RAY].blind or snapshot.parts[Name.SLURM].blind:
            yield from _missing(snapshot, say, "jobs", (Name.RAY, Name.SLURM))
        return
    if not jobs:
        yield Text(say("no jobs"), style="dim")
        return
    table = _table(say("jobs"), say("job"), say("student"), say("lab"), say("state"))
    table.add_column("GPUs", justify="right", no_wrap=True)
    table.add_column(say("since"), no_wrap=True, justify="right")
    if wide:
        table.add_column("Ray, Slurm", overflow="fold")
    for each in jobs[:most]:
        table.add_row(*_job(each, snapshot, say, wide=wide))
    yield table
    yield from _more(jobs, say, most)


def _job(job: Job, snapshot: Snapshot, say: Words, *, wide: bool) -> Iterator[Text | str]:
    yield printable(job.id)
    yield say.nobodys(job.student)
    yield printable(job.tags.get("lab") or "")
    yield Text(say(job.state), style="yellow" if job.state is JobState.WAITING else "")
    yield say.gpus(job)
    yield duration(snapshot.at - job.since) if job.since else ""
    if wide:
        yield say.where(job)


def _budgets(snapshot: Snapshot, say: Words, most: int, *, wide: bool) -> Iterator[RenderableType]:
    if snapshot.books is None:
        yield from _missing(snapshot, say, "budgets", (Name.LEDGER,))
        return
    purses = snapshot.books.purses
    table = _table(say("budgets"), say("whose"))
    for name in ("spent", "cap"):
        table.add_column(say(name), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    if wide:
        table.add_column(say("held"), justify="right", no_wrap=True)
    for each in purses[:most]:
        table.add_row(*_purse(each, say, wide=wide))
    yield table
    yield from _more(purses, say, most)


def _purse(purse: Purse, say: Words, *, wide: bool) -> Iterator[Text | str]:
    style = "bold red" if purse.spent_up else "yellow" if (purse.share or 0) * 10 >= 8 else ""
    yield f"{say(purse.scope)} {printable(purse.name)}"
    yield say.spent(purse.spent)
    yield say("none") if purse.cap_usd is None else say.usd(purse.cap_usd)
    yield Text(_bar(purse), style=style)
    if wide:
        yield say.usd(purse.held_usd)


def _bar(purse: Purse) -> str:
    if purse.share is None:
        return ""
    full = min(BAR, int(purse.share * BAR))
    return f"{'━' * full}{'╌' * (BAR - full)} {int(purse.share * 100):>3} %"


def _leases(snapshot: Snapshot, say: Words, most: int) -> Iterator[RenderableType]:
    rows = lease_rows(snapshot)
    if rows is None:
        yield from _missing(snapshot, say, "leases", CLOUDS)
        return
    if not rows:
        yield Text(say("no leases"), style="dim")
        return
    table = _table(say("leases"), say("ends"), say("left"), say("student"), say("what"))
    for each in rows[:most]:
        table.add_row(*_lease(each, snapshot, say))
    yield table
    yield from _more(rows, say, most)


def _lease(row: LeaseRow, snapshot: Snapshot, say: Words) -> Iterator[Text | str]:
    yield f"{row.until:%Y-%m-%d %H:%M}"
    yield Text(say.left(row.until, snapshot.at), style="bold red" if row.past else "")
    yield say.nobodys(row.student)
    yield f"{printable(row.name)}: {say.kinds(row)}{f' ({printable(row.why)})' if row.why else ''}"


def _looked(snapshot: Snapshot, say: Words) -> Iterator[Text]:
    seen = [say(each.name) for each in snapshot.parts.values() if each.value is not None]
    yield Text(say("looked at: {names}", names=", ".join(seen) or say("none")), style="dim")
    for part in snapshot.parts.values():
        if not part.asked:
            yield Text(say.looked(part), style="red" if part.blind and part.needed else "dim")
    for note in snapshot.notes:
        yield Text(printable(note), style="yellow")


def _missing(snapshot: Snapshot, say: Words, title: str, names: Sequence[Name]) -> Iterator[Text]:
    """In place of a table: why there is none."""
    told = "; ".join(map(say.looked, unseen(snapshot, names)))
    yield Text.assemble((say(title), "italic"), "  ", (told, "red"))


def _more(rows: Sequence[Any], say: Words, most: int) -> Iterator[Text]:
    if len(rows) > most:
        yield Text(say("{num} more; --html and --json have all", num=len(rows) - most), style="dim")


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim"
    )
    table.padding = (0, 2, 0, 0)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _minutes(length: Any) -> str:
    return f"{length.total_seconds() / 60:g}"


def rows_that_fit(height: int) -> int:
    """How many rows a table may have so that five of them and what is around fit into so many lines."""
    return max(3, (height - 22) // 5)


def lines(parts: Iterable[RenderableType]) -> RenderableType:
    """All of it as one thing that a terminal shows in place of what it showed before."""
    from rich.console import Group

    return Group(*parts)
