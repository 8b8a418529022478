"""One sweep: scan, decide, stop and end what is due in the order of dependence, and scan again what was touched."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from clusterlab.lease import Lease
from clusterlab.reaper.cloud import Cloud
from clusterlab.reaper.keeplist import KeepList
from clusterlab.reaper.listing import EVERYWHERE
from clusterlab.reaper.question import Question
from clusterlab.reaper.removal import NUM_THREADS, Answer, remove, stop
from clusterlab.reaper.resource import Kind, Resource
from clusterlab.reaper.scan import Scan, scan
from clusterlab.reaper.step import Rules, Sighting, Step, decide

Terms = Callable[[Resource, datetime], Lease]
"""The lease of a resource that was made at that instant."""
PAUSES = (1.0, 2.0, 5.0, 10.0, 15.0)
"""Seconds between two tries; the last again and again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A resource, its lease, and what is due for it."""

    resource: Resource
    lease: Lease
    step: Step
    seen: Sighting
    why: str = ""
    """Of a resource that is kept or in use."""

    @property
    def spared(self) -> bool:
        """Whether it may be there."""
        return self.step in (Step.LEASED, Step.KEPT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What a sweep is made with."""

    cloud: Cloud
    regions: Sequence[str]
    question: Question
    keep: KeepList
    rules: Rules
    terms: Terms | None = None
    """In place of the lease that its tags say, by another rule, such as a budget that is spent."""
    everywhere: bool = True
    """Whether also what belongs to no region is swept."""
    patience_seconds: float = 300.0
    """How long it goes on trying what is in the way of each other."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = field(default=time.monotonic)

    def look(self, besides: Container[str] = ()) -> Scan:
        """Scan everything, but for regions that need no look."""
        regions = [each for each in self.regions if each not in besides]
        everywhere = self.everywhere and EVERYWHERE not in besides
        return scan(self.cloud, regions, self.question, everywhere=everywhere)

    def judge(self, found: Scan, sightings: Mapping[str, Sighting], now: datetime) -> list[Verdict]:
        """What is due for each resource; it depends on nothing but its arguments."""
        verdicts = [self._judge(resource, sightings.get(resource.key), now) for resource in found.resources]
        return self._held(self._kept(verdicts))

    def act(self, verdicts: Iterable[Verdict], found: Scan) -> tuple[dict[str, str], Scan]:
        """Stop and end what is due, until nothing of that is left, all that is left is refused, or patience ends.

        Returns:
            By resource what the cloud answered last where it refused, and the scan as it is now.
        """
        due = {step: [each.resource for each in verdicts if each.step is step] for step in (Step.STOP, Step.DOWN)}
        errors = {each.resource.key: each.error for each in self._stop(due[Step.STOP]) if each.error}
        pending, began, tries = due[Step.DOWN], self.clock(), 0
        gone: set[str] = set()
        acted = {each.region for resources in due.values() for each in resources}
        while pending:
            answers = self._remove(pending)
            refused = {each.resource.key for each in answers if each.error and not each.again}
            found = found.again(self._look_at(acted))
            errors = _last(errors, answers)
            there = {each.key: each for each in found.resources}
            gone |= {each.id for each in pending if each.key not in there}
            pending = _hopeful(
                [there[each.key] for each in pending if each.key in there and each.key not in refused], gone
            )
            if not pending or self.clock() - began > self.patience_seconds:
                return errors, found
            self.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1
        return errors, found.again(self._look_at(acted)) if acted else found

    def _look_at(self, regions: set[str]) -> Scan:
        return scan(self.cloud, sorted(regions - {EVERYWHERE}), self.question, everywhere=EVERYWHERE in regions)

    def _judge(self, resource: Resource, seen: Sighting | None, now: datetime) -> Verdict:
        made = resource.created or (seen.until(now).first if seen else now)
        lease = self.terms(resource, made) if self.terms else Lease.of(resource.tags, made, self.rules.granted)
        why = self.keep.why(resource)
        step, known = decide(resource, lease, seen, now, self.rules)
        if why is not None:
            step, known = Step.KEPT, Sighting(first=known.first)
        return Verdict(resource=resource, lease=lease, step=step, seen=known, why=why or "")

    def _kept(self, verdicts: list[Verdict]) -> list[Verdict]:
        """What a kept machine stands on is kept too, and a machine that would take a kept disk along is not ended."""
        kept = {each.resource.id for each in verdicts if each.step is Step.KEPT} | self.keep.reasons.keys()
        shown = []
        for each in verdicts:
            holders, disks = each.resource.used_by & kept, each.resource.disks & kept
            if each.step is not Step.KEPT and holders:
                each = replace(each, step=Step.KEPT, why=f"used by {min(holders)}, which is kept")
            elif each.step is Step.DOWN and disks:
                each = replace(each, step=Step.IN_USE, why=f"would take {min(disks)} along, which is kept")
            shown.append(each)
        return shown

    def _held(self, verdicts: list[Verdict]) -> list[Verdict]:
        """What is used by something that does not end now does not either."""
        ending = {each.resource.id for each in verdicts if each.step is Step.DOWN}
        shown = []
        for each in verdicts:
            holders = each.resource.used_by - ending
            if each.step is Step.DOWN and holders:
                each = replace(each, step=Step.IN_USE, why=f"used by {', '.join(sorted(holders)[:3])}")
            shown.append(each)
        return shown

    def _stop(self, machines: list[Resource]) -> list[Answer]:
        regions = sorted({each.region for each in machines})
        with ThreadPoolExecutor(NUM_THREADS) as pool:
            groups = [[each for each in machines if each.region == region] for region in regions]
            return [each for found in pool.map(stop, [self.cloud] * len(regions), regions, groups) for each in found]

    def _remove(self, pending: list[Resource]) -> list[Answer]:
        """One try at each, kind by kind; what is held by something that is still there waits for the next."""
        free = [each for each in pending if not each.used_by]
        answers = [
            Answer(resource=each, error=f"used by {', '.join(sorted(each.used_by)[:3])}", again=True)
            for each in pending
            if each.used_by
        ]
        with ThreadPoolExecutor(NUM_THREADS) as pool:
            for kind in Kind:
                of_kind = [each for each in free if each.kind is kind]
                regions = sorted({each.region for each in of_kind})
                groups = [[each for each in of_kind if each.region == region] for region in regions]
                calls = pool.map(remove, [self.cloud] * len(regions), [kind] * len(regions), regions, groups)
                answers += [each for found in calls for each in found]
        return answers


def _hopeful(pending: list[Resource], gone: set[str]) -> list[Resource]:
    """Without what is held by something that was refused its end; what is gone holds nothing, whatever a list says."""
    ending = {each.id for each in pending}
    freed = [replace(each, used_by=each.used_by - gone) for each in pending]
    return [each for each in freed if each.used_by <= ending]


def _last(errors: Mapping[str, str], answers: Iterable[Answer]) -> dict[str, str]:
    """What was refused last, by resource; what went through since is none."""
    kept = dict(errors)
    for each in answers:
        kept.pop(each.resource.key, None)
        if each.error:
            kept[each.resource.key] = each.error
    return kept
