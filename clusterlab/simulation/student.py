"""What students do: begin labs as due dates come, break rules, forget machines, start again what was stopped."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import simpy

from clusterlab.catalog import Row
from clusterlab.errors import ClusterlabError, InputError
from clusterlab.lease import granted_lease, parse_lease
from clusterlab.ledger.budget import BudgetError
from clusterlab.simulation.course import Course, Exercise
from clusterlab.simulation.habits import Habits
from clusterlab.simulation.machine import RUNNING, STOPPED, Machine
from clusterlab.simulation.result import Counts
from clusterlab.simulation.server import Round, Server
from clusterlab.simulation.task import Resources, Task
from clusterlab.simulation.watch import Watch
from clusterlab.tags import LEASE_FORMAT, Tags

Process = Generator[simpy.Event, Any, None]
Spoil = Callable[[Resources], Resources]
WRONG: tuple[Spoil, ...] = (
    lambda given: replace(given, autostop_config=None),
    lambda given: replace(given, ports=("8080",)),
    lambda given: replace(given, accelerators={"B200": 8}),
    lambda given: replace(given, labels=dict(given.labels) | {"lease-until": "20991231t000000z"}),
    lambda given: replace(given, labels={key: value for key, value in given.labels.items() if key != "lab"}),
)
"""Each breaks one rule of the course's policy."""
PREEMPTED = "a spot machine was taken back"
MEND = timedelta(minutes=20)
"""How long it takes to mend a task, or to try again."""
START_MINUTES = (3, 12)
"""From the policy's word until a machine runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One launch of a lab by one student."""

    student: str
    exercise: Exercise
    work: timedelta
    """What is left of the job."""
    run: str
    use_spot: bool
    wrong: Spoil | None = None


@dataclass(kw_only=True)
class Students:
    """All of them."""

    course: Course
    habits: Habits
    server: Server
    watch: Watch
    counts: Counts
    chance: Random
    paces: dict[str, float] = field(default_factory=dict)
    num_runs: int = 0

    @property
    def env(self) -> simpy.Environment:
        """What happens when."""
        return self.server.clock.env

    def wave(self, exercise: Exercise) -> Process:
        """One lab: each student begins it at some time before it is due."""
        opens = exercise.due - timedelta(days=self.habits.days_open + 1)
        yield self._until(opens)
        begun = sorted(
            (self.habits.begin(self.chance, exercise.due), student)
            for student in self.course.students
            for _ in range(exercise.runs)
        )
        for at, student in begun:
            yield self._until(at)
            self.env.process(self._launch(self._attempt(student, exercise)))

    def swept(self, done: Round) -> None:
        """After a round that may have stopped something: some start it again."""
        for entry in done.proof.entries if done.proof else ():
            if entry.step.value in ("stop", "down") and not entry.error:
                self.counts.events[f"{entry.resource.kind}s that the reaper {_past(entry.step.value)}"] += 1
            machine = self.server.account.machines.get(entry.resource.id)
            if machine and entry.step.value == "stop" and self.chance.random() < self.habits.p_started:
                self.env.process(self._start_again(machine))

    def _attempt(self, student: str, exercise: Exercise) -> Attempt:
        pace = self.paces.setdefault(student, self.habits.pace(self.chance))
        if exercise.small_machines and self.chance.random() < self.habits.p_small:
            exercise = exercise.at_small()
        hours = exercise.lab.at(exercise.scale).hours
        spot = exercise.machines[0].spot_usd is not None and self.chance.random() < self.habits.p_spot
        wrong = self.chance.choice(WRONG) if self.chance.random() < self.habits.p_wrong else None
        work = self.habits.duration(self.chance, hours, pace)
        return Attempt(student=student, exercise=exercise, work=work, run=self._run(), use_spot=spot, wrong=wrong)

    def _run(self) -> str:
        self.num_runs += 1
        return f"r{self.num_runs:07x}"

    def _launch(self, attempt: Attempt) -> Process:
        """Ask the policy; where it says yes, start machines and do the lab."""
        task = self._task(attempt)
        tags = self._asked(task, attempt)
        if tags is None:
            if attempt.wrong is not None:
                yield self.env.timeout(MEND.total_seconds())
                self.env.process(self._launch(replace(attempt, run=self._run(), wrong=None)))
            return
        while self.chance.random() < self.habits.p_broken:
            self._count("the cloud failed after a launch was let through", attempt)
            yield self.env.timeout(MEND.total_seconds())
            # The same run asks for the same again; who gives up holds what he reserved until it expires.
            if self.chance.random() < 0.5 or self._asked(task, attempt) is None:
                return
        yield self.env.timeout(60 * self.chance.randint(*START_MINUTES))
        machines = self._start(attempt, task, tags)
        yield self.env.process(self._work(attempt, machines))

    def _task(self, attempt: Attempt) -> Task:
        labels = {"course": self.course.name, "student": attempt.student, "run": attempt.run}
        task = attempt.exercise.task(labels, use_spot=attempt.use_spot)
        if attempt.wrong is not None:
            task.resources = [attempt.wrong(each) for each in task.resources]
        return task

    def _asked(self, task: Task, attempt: Attempt) -> Tags | None:
        self.counts.launches += 1
        try:
            tags = self.server.admit(task, attempt.exercise)
        except ClusterlabError as error:
            for rule in _rules(error):
                self.counts.refusals[rule] += 1
            self.watch.note(f"{attempt.student} {attempt.exercise.name}: refused: {error}")
            return None
        self.watch.note(f"{attempt.student} {attempt.exercise.name} {attempt.run}: let through")
        return tags

    def _start(self, attempt: Attempt, task: Task, tags: Tags) -> list[Machine]:
        row = self._row(attempt)
        account, now = self.server.account, self.server.account.now()
        labels, until = self._labels(task, min(parse_lease(tags.lease_until or "") or now, now + granted_lease()))
        self.watch.launching(attempt.run)
        machines = [
            account.launch(
                row,
                labels,
                until,
                gb=task.resources[0].disk_size,
                spot=attempt.use_spot and row.spot_usd is not None,
                keeps_disk=self.chance.random() < self.habits.p_disk,
                refusals=2 if self.chance.random() < self.habits.p_stubborn else 0,
            )
            for _ in range(task.num_nodes)
        ]
        self.counts.machines += len(machines)
        self.counts.spot_machines += sum(each.spot for each in machines)
        return machines

    def _labels(self, task: Task, until: datetime) -> tuple[dict[str, str], datetime]:
        """What the machine bears, which a student may have edited, and until when it may be there."""
        labels = dict(task.resources[0].labels)
        drawn, now = self.chance.random(), self.server.account.now()
        if drawn < self.habits.p_untagged / 2:
            del labels["lease-until"]
        elif drawn < self.habits.p_untagged:
            labels["lease-until"] = (now + timedelta(days=300)).strftime(LEASE_FORMAT)
        else:
            return labels, until
        self.counts.events["a lease's tag was taken away or made longer"] += 1
        return labels, now + granted_lease()

    def _row(self, attempt: Attempt) -> Row:
        """The cheapest machine that is to be had."""
        rows = list(attempt.exercise.machines)
        while len(rows) > 1 and self.chance.random() < self.habits.p_full:
            rows.pop(0)
        return rows[0]

    def _work(self, attempt: Attempt, machines: list[Machine]) -> Process:
        """The job, and what comes after it: autostop, as a rule."""
        began, work = self.server.account.now(), attempt.work
        taken = self.habits.preempted(self.chance) if machines[0].spot else None
        if taken is not None and taken < work:
            yield self.env.timeout(taken.total_seconds())
            if self._end(machines, began):
                self._count(PREEMPTED, attempt)
                rest = replace(attempt, work=work - taken, run=self._run())
                self.env.process(self._launch(rest))
            return
        yield self.env.timeout(work.total_seconds())
        fate = self._fate()
        if fate is not None:
            self._count(fate, attempt)
            return
        idle = attempt.exercise.lab.resources.idle_minutes
        yield self.env.timeout(60 * idle)
        self._end(machines, began)

    def _fate(self) -> str | None:
        """Why no autostop ends the machine; None where it does."""
        drawn = self.chance.random()
        if drawn < self.habits.p_forgotten:
            return "a machine was forgotten, its autostop taken away"
        if drawn < self.habits.p_forgotten + self.habits.p_lost:
            return "an autostop never fired"
        return None

    def _end(self, machines: list[Machine], began: datetime) -> bool:
        """End what runs still as it was launched; whether there was any."""
        mine = [each for each in machines if each.state == RUNNING and each.launched == began]
        for each in mine:
            self.server.account.terminate(each)
        return bool(mine)

    def _start_again(self, machine: Machine) -> Process:
        yield self.env.timeout(60 * self.chance.randint(30, 600))
        if machine.state == STOPPED:
            self.counts.events["a stopped machine was started again"] += 1
            self.watch.note(f"{machine.id} is started again")
            self.server.account.start(machine)

    def _count(self, what: str, attempt: Attempt) -> None:
        self.counts.events[what] += 1
        self.watch.note(f"{attempt.student} {attempt.exercise.name} {attempt.run}: {what}")

    def _until(self, at: datetime) -> simpy.Event:
        return self.env.timeout(max(0, (at - self.server.account.now()).total_seconds()))


def _rules(error: ClusterlabError) -> list[str]:
    """Which rules a refusal names."""
    if isinstance(error, BudgetError):
        return [f"budget of a {line.split()[0]}" for line in str(error).splitlines()]
    if isinstance(error, InputError):
        return [each.key for each in error.problems]
    return [type(error).__name__]


def _past(step: str) -> str:
    return {"stop": "stopped", "down": "ended"}[step]
