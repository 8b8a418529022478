"""How a status says things, in English or Spanish, in the terminal and on the page alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from clusterlab.calendar import DAYS
from clusterlab.cost.total import Total
from clusterlab.course.language import Language
from clusterlab.course.status.gpu import Gpu, State
from clusterlab.course.status.job import QUEUE
from clusterlab.course.status.meeting import Calendar, Meeting
from clusterlab.course.status.need import Kind, Need
from clusterlab.course.status.spanish import SPANISH
from clusterlab.report.words import printable, usd, when

if TYPE_CHECKING:
    from clusterlab.course.status.job import Job
    from clusterlab.course.status.part import Part
    from clusterlab.course.status.rows import ClusterRow, LeaseRow
    from clusterlab.course.status.snapshot import Snapshot

KINDS = {"instance": ("machine", "machines"), "volume": ("disk", "disks"), "address": ("address", "addresses")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """Of one language; each phrase is looked up by its English."""

    language: Language

    def __call__(self, phrase: str, **values: Any) -> str:
        """A phrase with its values."""
        found = SPANISH[phrase] if self.language is Language.ES else phrase
        return found.format(**values) if values else found

    def count(self, number: int, one: str, many: str) -> str:
        """So many of something."""
        return f"{number} {self(one if number == 1 else many)}"

    def per_hour(self, total: Total | None) -> str:
        """Dollars an hour; unknown where nothing of it is known."""
        if total is None or (not total.complete and not total.usd):
            return self("unknown")
        return usd(total.usd) + ("" if total.complete else f" {self('incomplete')}")

    def usd(self, amount: Decimal | None) -> str:
        """Dollars to the cent."""
        return self("unknown") if amount is None else usd(amount)

    def spent(self, total: Total) -> str:
        """What was spent, that at least."""
        return usd(total.usd) if total.complete else self("at least {usd}", usd=usd(total.usd))

    def share(self, share: Decimal | None) -> str:
        """Per cent, rounded down: 99.9 % is not all of it."""
        return "" if share is None else f"{int(share * 100)} %"

    def nobodys(self, name: str | None) -> str:
        """Whose something is."""
        return printable(name) if name else self("nobody's")

    def left(self, until: datetime, now: datetime) -> str:
        """How long until a lease ends, or since when it is past."""
        length = duration(abs(until - now))
        return self("past for {length}", length=length) if until <= now else self("in {length}", length=length)

    def calendar(self, calendar: Calendar) -> str:
        """Whether the class meets, and when it does next."""
        told = []
        if calendar.now:
            told.append(self("In class until {time} ({zone})", **_clock(calendar.now.end, calendar.now)))
        if calendar.next:
            local = calendar.next.start.astimezone(ZoneInfo(calendar.next.zone))
            day = self(DAYS[local.weekday()])
            clock = _clock(calendar.next.start, calendar.next)
            told.append(self("Next class {day} {date} {time} ({zone})", day=day, date=f"{local:%Y-%m-%d}", **clock))
        return " · ".join(told or [self("No class hours ahead")])

    def need(self, need: Need, now: datetime) -> str:
        """What is the matter, without its kind."""
        if need.kind is Kind.BLIND:
            return f"{self(need.what)}: {printable(need.why)}"
        if need.kind is Kind.BUDGET:
            scope, _, name = need.what.partition(" ")
            return f"{self(scope)} {printable(name)}: {self.share(need.share) or self('all of it')}"
        whose = self.nobodys(need.whose)
        parts = [f"{whose}: {printable(need.what)}"]
        if need.kind is Kind.IDLE:
            parts.append(self.count(need.num, "GPU", "GPUs"))
        elif need.num > 1:
            parts.append(self.count(need.num, "resource", "resources"))
        if need.since:
            parts.append(self("for {length}", length=duration(now - need.since)))
        if need.usd_per_hour:
            parts.append(f"{self.per_hour(need.usd_per_hour)} USD/h")
        return ", ".join(parts)

    def machines(self, row: ClusterRow) -> str:
        """Such as `2 x g6.xlarge stopped`."""
        return ", ".join(
            f"{count} x {printable(shape)}{f' {self(state)}' if state else ''}" for count, shape, state in row.machines
        )

    def sky(self, row: ClusterRow) -> str:
        """SkyPilot's own word, or that it knows nothing of it."""
        return self(row.sky) if row.odd and row.sky in SPANISH else printable(row.sky)

    def kinds(self, row: LeaseRow) -> str:
        """Such as `2 machines, 1 disk`."""
        return ", ".join(self.count(number, *KINDS[kind]) for kind, number in row.kinds)

    def holders(self, gpu: Gpu) -> str:
        """Who has a GPU: one, or one of several."""
        if not gpu.students:
            return self("nobody") if not gpu.jobs else self("unknown")
        names = ", ".join(map(printable, gpu.students))
        return names if len(gpu.students) == 1 else self("one of {names}", names=names)

    def gpu(self, gpu: Gpu) -> str:
        """Which of its machine, or how many of one that nobody measures."""
        if gpu.index is not None:
            return printable(f"{gpu.index} {gpu.model}".strip())
        return printable(f"{gpu.count} x {gpu.model}") if gpu.model else f"{gpu.count} GPU"

    def gpus(self, job: Job) -> str:
        """How many a job holds."""
        return self("unknown") if job.gpus is None else f"{job.gpus.normalize():f}"

    def where(self, job: Job) -> str:
        """Its Ray's address or its centre, or that it is in our queue."""
        return printable(self(job.where) if job.where == QUEUE else job.where)

    def low(self, gpu: Gpu) -> str:
        """How long a GPU has been low, and by how many looks that is known."""
        if gpu.low is None:
            return ""
        looks = self.count(gpu.low.num_looks, "look", "looks")
        return self("{length} in {looks}", length=duration(gpu.low.lasted), looks=looks)

    def looked(self, part: Part[Any]) -> str:
        """What kept us from a place."""
        reasons = "; ".join(map(printable, part.problems))
        if not part.asked:
            return self("{name} was not asked: {reasons}", name=self(part.name), reasons=reasons)
        if part.value is None:
            return self("{name} could not be looked at: {reasons}", name=self(part.name), reasons=reasons)
        return self("{name}, not all of it could be looked at: {reasons}", name=self(part.name), reasons=reasons)

    def gpu_counts(self, snapshot: Snapshot) -> str:
        """How many there are of each state."""
        found = snapshot.gpu_states
        if found is None:
            return self("unknown")
        return ", ".join(f"{found[state]} {self(state)}" for state in State if found[state]) or self("no GPU")


def duration(length: timedelta) -> str:
    """Days and hours, hours and minutes, or minutes: the same in both languages."""
    minutes = max(0, int(length.total_seconds() // 60))
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{minutes} min"


def instant(at: datetime) -> str:
    """To the minute, in UTC."""
    return when(at)


def _clock(at: datetime, of: Meeting) -> dict[str, str]:
    return {"time": f"{at.astimezone(ZoneInfo(of.zone)):%H:%M}", "zone": of.zone}
