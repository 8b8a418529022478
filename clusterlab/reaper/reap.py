"""Reap a course's account once; the command, cron and the Lambda all come here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from clusterlab.errors import InputError, Problem
from clusterlab.lease import granted_lease
from clusterlab.reaper import sightings
from clusterlab.reaper.cloud import Cloud
from clusterlab.reaper.keeplist import KeepList
from clusterlab.reaper.place import Place
from clusterlab.reaper.proof import Entry, Proof
from clusterlab.reaper.question import Question
from clusterlab.reaper.resource import Kind
from clusterlab.reaper.scan import Scan
from clusterlab.reaper.step import Rules, Sighting, Step
from clusterlab.reaper.sweep import Sweep, Terms, Verdict
from clusterlab.tags import LABEL, LABEL_RULE

AGE_MINUTES = 10.0
GRACE_HOURS = 24.0
PATIENCE_SECONDS = 300.0
ROUNDS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What to reap, by which rules, and where its papers are.

    Raises:
        InputError: no course, one that is no label, or a length that would skip the second scan.
    """

    courses: Sequence[str]
    keep: str
    """The keep-list, and below the sightings and the proof: a file, or `s3://bucket/key`."""
    state: str
    proof: str
    yes: bool = False
    """Whether the cloud is changed; else it is only looked at, and what would be done is said."""
    regions: Sequence[str] = ()
    """All, where none is named."""
    age_minutes: float = AGE_MINUTES
    grace_hours: float = GRACE_HOURS
    granted: timedelta | None = None
    ended: bool = False
    patience_seconds: float = PATIENCE_SECONDS

    def __post_init__(self) -> None:
        problems = [
            Problem(path="--course", key=course, message=f"is not a label; {LABEL_RULE}")
            for course in self.courses
            if not LABEL.fullmatch(course)
        ]
        if not self.courses:
            problems.append(Problem(path="--course", message="missing; allowed: the course's tag, such as llm-2026"))
        if not self.age_minutes >= 1:
            problems.append(Problem(path="--age-minutes", message=f"{self.age_minutes:g}; allowed: from 1"))
        if not 0 <= self.grace_hours <= 24 * 365:
            problems.append(Problem(path="--grace-hours", message=f"{self.grace_hours:g}; allowed: 0 to a year"))
        if problems:
            raise InputError(problems)

    def rules(self) -> Rules:
        """How fast one step follows the other."""
        return Rules(
            granted=self.granted or granted_lease(),
            age=timedelta(minutes=self.age_minutes),
            grace=timedelta(hours=self.grace_hours),
            ended=self.ended,
        )


def reap(
    order: Order,
    cloud: Cloud,
    *,
    terms: Terms | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> Proof:
    """Scan, and do what is due; the proof says what is left.

    Leases are those that the tags say, or by other `terms`. The sightings are kept before anything is touched, so
    that whoever is killed in the middle is followed by one who goes on from there.

    Raises:
        InputError: the keep-list, the sightings, a region or the credentials are not as they must be.
        UnreachableError: the cloud does not answer at all.
        StorageError: the sightings or the proof cannot be written.
        ClusterlabError: the clocks of this machine and of the cloud differ.
    """
    rules, began = order.rules(), clock()
    keep = KeepList.parse(Place(path=order.keep, cloud=cloud).read(), path=order.keep)
    state, proof = Place(path=order.state, cloud=cloud), Place(path=order.proof, cloud=cloud)
    account = cloud.account(began)
    before = sightings.read(state, account, order.courses)
    regions = cloud.regions(order.regions)
    question = Question(courses=frozenset(order.courses), skipped=frozenset(keep.reasons))
    sweep = Sweep(
        cloud=cloud,
        regions=regions,
        question=question,
        keep=keep,
        rules=rules,
        terms=terms,
        everywhere=not order.regions,
        patience_seconds=order.patience_seconds,
        sleep=sleep,
    )
    found = sweep.look()
    verdicts = sweep.judge(found, before, began)
    report = _Report(order=order, account=account, regions=regions, began=began, keep=keep)
    if not order.yes:
        return report.write(proof, verdicts, {}, found, clock())
    sightings.write(state, account, order.courses, _known(before, verdicts, found))
    if not any(each.step in (Step.STOP, Step.DOWN) for each in verdicts):
        return report.write(proof, verdicts, {}, found, clock())
    report.write(proof, verdicts, {}, found, None)
    judged, errors, found = _act(sweep, verdicts, found, before, began)
    sightings.write(state, account, order.courses, _known(before, judged, found))
    return report.write(proof, judged, errors, found, clock())


def _act(
    sweep: Sweep, verdicts: Sequence[Verdict], found: Scan, before: Mapping[str, Sighting], now: datetime
) -> tuple[list[Verdict], dict[str, str], Scan]:
    """Act, and again where that set something free, such as the security group of a file system that is gone."""
    judged = {each.resource.key: each for each in verdicts}
    errors: dict[str, str] = {}
    due: list[Verdict] = list(verdicts)
    for _ in range(ROUNDS):
        refused, found = sweep.act(due, found)
        errors |= refused
        # What is seen for the first time now, such as a machine that was launched meanwhile, is judged as well.
        due = [each for each in sweep.judge(found, before, now) if _is_open(judged.get(each.resource.key))]
        judged |= {each.resource.key: each for each in due}
        if not any(each.step is Step.DOWN for each in due):
            break
    return list(judged.values()), errors, found


def _is_open(judged: Verdict | None) -> bool:
    return judged is None or judged.step is Step.IN_USE


def _known(before: Mapping[str, Sighting], verdicts: Iterable[Verdict], found: Scan) -> dict[str, Sighting]:
    """The sightings of what is there, and of what was not or could not be looked at this time."""
    there = {each.key for each in found.resources}
    seen = {(look.region, look.kind.value) for look in found.looks}
    seen -= {(look.region, look.kind.value) for look in found.failed}
    unseen = {key: each for key, each in before.items() if tuple(key.split("/", 2)[:2]) not in seen}
    return unseen | {each.resource.key: each.seen for each in verdicts if each.resource.key in there}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Report:
    """What of a proof is known from the beginning."""

    order: Order
    account: str
    regions: Sequence[str]
    began: datetime
    keep: KeepList

    def write(
        self, place: Place, verdicts: Sequence[Verdict], errors: Mapping[str, str], found: Scan, ended: datetime | None
    ) -> Proof:
        there = {each.key for each in found.resources}
        blind = {(look.region, look.kind) for look in found.failed}
        proof = Proof(
            account=self.account,
            courses=self.order.courses,
            regions=self.regions,
            whole=not self.order.regions,
            dry_run=not self.order.yes,
            began=self.began,
            ended=ended,
            entries=[_entry(each, errors, there, blind) for each in verdicts],
            looks=found.looks,
            unused=self.keep.unused(found.resources),
        )
        place.write(proof.text())
        return proof


def _entry(verdict: Verdict, errors: Mapping[str, str], there: set[str], blind: set[tuple[str, Kind]]) -> Entry:
    each = verdict.resource
    still = each.key in there or (each.region, each.kind) in blind
    return Entry(
        resource=each,
        step=verdict.step,
        lease_until=verdict.lease.until,
        lease=verdict.lease.why,
        why=verdict.why,
        # Of what is gone it does not matter who refused what on the way.
        error=errors.get(each.key) if still else None,
        there=still,
    )
