"""What of a class an account has, by tag in all regions and by the ledger's ids, and how it is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from clusterlab.course.ending.keeping import BUCKET, Kept, buckets, payer, with_copies
from clusterlab.course.orphans import of_scan, usd_of
from clusterlab.reaper.listing import Question
from clusterlab.reaper.scan import Scan
from clusterlab.reaper.step import Rules, Sighting, Step
from clusterlab.reaper.sweep import Sweep, Verdict

if TYPE_CHECKING:
    from clusterlab.catalog import Catalog
    from clusterlab.course.ending.proof import Found
    from clusterlab.reaper.cloud import Cloud
    from clusterlab.reaper.keeplist import KeepList
    from clusterlab.reaper.resource import Resource

ROUNDS = 4
"""How often what was refused is tried."""
PAUSES = (2.0, 5.0, 10.0)
"""Seconds between these."""
PATIENCE_SECONDS = 300.0
"""How long what is ended may take to be gone."""
AT_ONCE = timedelta()
NOTHING = Scan(resources=(), looks=())


@dataclass(frozen=True, kw_only=True, slots=True)
class Clearing:
    """An account, or none of a class that is not in AWS, where nobody looks."""

    cloud: Cloud | None
    account: str
    course: str
    regions: tuple[str, ...]
    strays: Mapping[str, frozenset[str]]
    """By region ids of what is the class's by the ledger, should it have lost its tag."""
    catalog: Catalog
    began: datetime
    sleep: Callable[[float], None]
    clock: Callable[[], float]

    def look(self) -> Scan:
        """All that is there of the class."""
        sweep = self._sweep(None)
        return NOTHING if sweep is None else sweep.look()

    def judge(self, wanted: Iterable[Resource], keep: KeepList) -> list[Verdict]:
        """What becomes of each: it ends, is kept, or waits for what uses it."""
        resources, sweep = tuple(wanted), self._sweep(keep)
        over = Sighting(first=self.began, over=self.began, due=self.began)
        seen = Scan(resources=resources, looks=())
        return [] if sweep is None else sweep.judge(seen, {each.key: over for each in resources}, self.began)

    def end(self, scan: Scan, keep: KeepList, known: Iterable[str], found: Found) -> Scan:
        """End what is not known, in rounds: what was refused may go through later, and what held it is gone then."""
        spared = frozenset(known)
        for tries in range(ROUNDS):
            verdicts = self.judge(self.beside(scan, spared), with_copies(keep, scan.resources))
            found.judged(verdicts, self.began)
            due, sweep = [each for each in verdicts if each.step is Step.DOWN], self._sweep(keep)
            if not due or sweep is None:
                break
            if tries:
                self.sleep(PAUSES[tries - 1])
            errors, scan = sweep.act(due, scan)
            found.refused(errors)
        return scan

    def beside(self, scan: Scan, known: frozenset[str]) -> list[Resource]:
        """What of a scan is not known, nor belongs to what is."""
        return [each.resource for each in of_scan(scan, known, self.catalog)]

    def kept(self, verdicts: Iterable[Verdict]) -> list[Kept]:
        """What stays, with what it costs whom; the class's buckets last."""
        shown = [
            Kept(
                kind=each.resource.kind.value,
                id=each.resource.id,
                region=each.resource.region,
                why=each.why,
                usd=usd_of(each.resource, self.catalog),
                pays=payer(self.account),
            )
            for each in verdicts
            if each.step is Step.KEPT
        ]
        return [*shown, *(buckets(self.cloud, self.course, self.account) if self.cloud else ())]

    def _sweep(self, keep: KeepList | None) -> Sweep | None:
        from clusterlab.reaper.keeplist import KeepList

        if self.cloud is None:
            return None
        reasons = keep or KeepList(reasons={})
        return Sweep(
            cloud=self.cloud,
            regions=self.regions,
            question=Question(courses=frozenset([self.course]), strays=self.strays),
            keep=reasons,
            rules=Rules(granted=AT_ONCE, age=AT_ONCE, grace=AT_ONCE, ended=True),
            patience_seconds=PATIENCE_SECONDS,
            sleep=self.sleep,
            clock=self.clock,
        )


def spared(document: Mapping[str, object]) -> set[str]:
    """What an earlier proof says is kept, but for buckets, which no scan finds."""
    kept = document["kept"]
    return {each["id"] for each in kept if each["kind"] != BUCKET} if isinstance(kept, list) else set()
