"""The semester itself: students, machines and the server's crontab as processes on one clock."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import simpy

from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.simulation.audit import MICRO, Audit
from clusterlab.simulation.clock import Clock
from clusterlab.simulation.cloud import Account
from clusterlab.simulation.course import Course
from clusterlab.simulation.habits import Habits
from clusterlab.simulation.invariant import ViolationError
from clusterlab.simulation.machine import RUNNING
from clusterlab.simulation.result import Counts, Day, Result
from clusterlab.simulation.server import Server
from clusterlab.simulation.student import Students
from clusterlab.simulation.watch import Watch

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTES = 15
"""Between two rounds of the server's crontab, as docs/money.md and docs/reaper.md have it."""
AFTERWARDS = timedelta(days=3)
"""How long the reaper goes on after the last day: a lease, the grace, and what failed in between."""
FAILING = ("describe_instances", "describe_volumes", "stop_instances", "terminate_instances", "delete_volume")

Process = Generator[simpy.Event, Any, None]


@dataclass(kw_only=True)
class Semester:
    """All that there is in one simulation."""

    course: Course
    habits: Habits
    seed: int
    server: Server
    watch: Watch
    chance: Random
    counts: Counts = field(default_factory=Counts)
    days: list[Day] = field(default_factory=list)
    peak_held: int = 0
    peak_machines: int = 0

    @classmethod
    def of(
        cls, course: Course, *, url: str, folder: Path, seed: int, habits: Habits, minutes: int = MINUTES
    ) -> Semester:
        """A semester that begins, with a ledger where there is none yet, and a folder for the reaper's papers."""
        clock = Clock(start=course.start)
        ledger = Ledger.open(url, path="--ledger", begin=True, clock=clock.server)
        account = Account(region=course.region, catalog=course.catalog, now=clock.now)
        server = Server(course=course, account=account, ledger=ledger, folder=folder, clock=clock)
        audit = Audit(ledger=ledger, uses=account.uses, caps=_set_caps(course, ledger))
        watch = Watch(account=account, audit=audit)
        account.on_stop = watch.stopped
        made = cls(course=course, habits=habits, seed=seed, server=server, watch=watch, chance=Random(seed))
        made._begin(timedelta(minutes=minutes))
        return made

    @property
    def env(self) -> simpy.Environment:
        """What happens when."""
        return self.server.clock.env

    @property
    def account(self) -> Account:
        """The cloud."""
        return self.server.account

    def run(
        self,
        told: Callable[[datetime, int], object] = lambda _, __: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Result:
        """From the first day to the last, and on until nothing is left.

        Args:
            told: Hears of each hour, and of the launches until then.
            stopped: Asked after each hour whether that was the last; what came of it until then is the result.
        """
        violation, finished = None, False
        try:
            finished = self._hours(told, stopped)
            self._close(finished)
        except ViolationError as error:
            violation = error
        finally:
            self.server.ledger.close()
        return self._result(violation, finished)

    def _hours(self, told: Callable[[datetime, int], object], stopped: Callable[[], bool]) -> bool:
        """One after the other; whether that were all."""
        days = -(-(self.course.end + AFTERWARDS - self.course.start) // DAY)
        for hour in range(1, days * (DAY // HOUR) + 1):
            if stopped():
                return False
            self.env.run(until=hour * HOUR.total_seconds())
            if hour % (DAY // HOUR) == 0:
                self._note_day()
            told(self.account.now(), self.counts.launches)
        return True

    def _begin(self, every: timedelta) -> None:
        students = Students(
            course=self.course,
            habits=self.habits,
            server=self.server,
            watch=self.watch,
            counts=self.counts,
            chance=Random(self.chance.random()),
        )
        for exercise in self.course.exercises:
            self.env.process(students.wave(exercise))
        self.env.process(self._crontab(every, students))
        self.env.process(self._skews())

    def _crontab(self, every: timedelta, students: Students) -> Process:
        """Meter, enforce and reap, one after the other."""
        while True:
            yield self.env.timeout(every.total_seconds())
            self.account.forget()
            metered = self._round("meter", self.server.meter)
            self.watch.metered(metered, self.server.clock.skew)
            enforced = self._round("enforce", self.server.enforce)
            if metered.well:
                self.watch.enforced(enforced)
            reaped = self._round("reap", self.server.reap)
            self.watch.swept(reaped)
            for done in (enforced, reaped):
                students.swept(done)
            self.peak_held = max(self.peak_held, self.watch.audit.held.get(("course", self.course.name), 0))
            running = sum(each.state == RUNNING for each in self.account.machines.values())
            self.peak_machines = max(self.peak_machines, running)

    def _round(self, name: str, step: Callable[[], Any]) -> Any:
        if self.chance.random() < self.habits.p_failing:
            self.account.failing = {self.chance.choice(FAILING)}
        done = step()
        self.account.failing = set()
        if not done.well:
            self.counts.events[f"{name}: a round that did not go well"] += 1
            self.watch.note(f"{name}: {done.why or f'the clock is {self.server.clock.skew} wrong'}")
        return done

    def _skews(self) -> Process:
        """The server's clock goes wrong, and is set right."""
        while True:
            hours = self.chance.expovariate(1 / self.habits.hours_between_skews)
            yield self.env.timeout(round(hours * 3600))
            sign = self.chance.choice((-1, 1))
            minutes = 10 if self.chance.random() < 0.25 else self.chance.uniform(0.1, 4)
            self.server.clock.skew = sign * timedelta(seconds=round(minutes * 60))
            self.counts.events["the server's clock was wrong"] += 1
            self.watch.note(f"the server's clock is {self.server.clock.skew} wrong")
            yield self.env.timeout(round(self.chance.expovariate(1) * 3600))
            self.server.clock.skew = timedelta()

    def _note_day(self) -> None:
        held = Decimal(self.watch.audit.held.get(("course", self.course.name), 0)) / MICRO
        spent = self.account.spent.get(("course", self.course.name), Decimal(0))
        self.days.append(Day(at=self.account.now(), spent_usd=spent, held_usd=held))

    def _close(self, finished: bool) -> None:
        """The ledger's sums are what they must be; when all is over also nothing is there."""
        self.watch.audit.follow(self.account.now(), self.server.clock.skew)
        self.watch.audit.check_balances()
        if finished:
            self.watch.ended()
            self.watch.audit.close()

    def _result(self, violation: ViolationError | None, finished: bool) -> Result:
        audit = self.watch.audit
        over = sum(percent >= 100 and scope == Scope.STUDENT for (scope, _), percent in self.server.thresholds.items())
        return Result(
            course=self.course.name,
            num_students=len(self.course.students),
            num_labs=len(self.course.exercises),
            seed=self.seed,
            start=self.course.start,
            until=self.account.now(),
            counts=self.counts,
            planned_usd=self.course.planned_usd,
            cap_usd=self.course.course_usd,
            reserved_usd=Decimal(audit.reserved) / MICRO,
            metered_usd=Decimal(audit.metered) / MICRO,
            billed_usd=audit.billed,
            unseen_usd=self.watch.unseen_usd,
            peak_held_usd=Decimal(self.peak_held) / MICRO,
            peak_machines=self.peak_machines,
            overshoot=self.watch.overshoot,
            overspent_usd=self.watch.overspent,
            num_over=over,
            num_rows=audit.seq,
            days=self.days,
            finished=finished,
            violation=(violation.invariant, violation.what) if violation else None,
            trace=tuple(self.watch.events) if violation else (),
        )


def _set_caps(course: Course, ledger: Ledger) -> dict[tuple[str, str], int]:
    """Give the course and each student a budget; the caps in micro-dollars."""
    caps = {(Scope.COURSE, course.name): course.course_usd}
    caps |= {(Scope.STUDENT, student): course.student_usd for student in course.students}
    for (scope, name), usd in caps.items():
        ledger.set_cap(scope, name, usd)
    return {(scope.value, name): int(usd * MICRO) for (scope, name), usd in caps.items()}
