"""What of a class an account has, by tag in all regions and by the ledger's ids, and how it is ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from clusterlab.course.ending.keeping import BUCKET, Kept, buckets, payer, with_copies
from clusterlab.course.orphans import of_scan, together, usd_of
from clusterlab.google.clearing import Clearing as GoogleClearing
from clusterlab.google.scan import scan as scan_google
from clusterlab.reaper.question import Question
from clusterlab.reaper.scan import Scan
from clusterlab.reaper.step import Rules, Sighting, Step
from clusterlab.reaper.sweep import Sweep, Verdict

if TYPE_CHECKING:
    from clusterlab.catalog import Catalog
    from clusterlab.course.ending.proof import Found
    from clusterlab.google.compute import Compute
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Clearing:
    """An account of AWS and a project of Google Cloud, as far as the class has them."""

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
    google: Compute | None = None

    @property
    def sees(self) -> bool:
        """Whether it can look anywhere."""
        return self.cloud is not None or self.google is not None

    def look(self, besides: frozenset[str] = frozenset()) -> Scan:
        """All that is there of the class, but for regions of AWS that need no look."""
        scans = [self._sweep(None).look(besides)] if self.cloud else []
        return together([*scans, *([scan_google(self.google, self.course)] if self.google else [])])

    def judge(self, wanted: Iterable[Resource], keep: KeepList) -> list[Verdict]:
        """What becomes of each: it ends, is kept, or waits for what uses it."""
        resources = tuple(wanted)
        over = Sighting(first=self.began, over=self.began, due=self.began)
        seen = Scan(resources=resources, looks=())
        return self._sweep(keep).judge(seen, {each.key: over for each in resources}, self.began)

    def end(self, scan: Scan, keep: KeepList, known: Iterable[str], found: Found) -> tuple[Scan, frozenset[str]]:
        """End what is not known, in rounds: what was refused may go through later, and what held it is gone then.

        Returns:
            The scan as it is now, and the regions of AWS that were looked at since something in them was ended last.
        """
        spared, fresh = frozenset(known), frozenset[str]()
        for tries in range(ROUNDS):
            verdicts = self.judge(self.beside(scan, spared), with_copies(keep, scan.resources))
            found.judged(verdicts, self.began)
            due = [each for each in verdicts if each.step is Step.DOWN]
            if not due:
                break
            if tries:
                self.sleep(PAUSES[tries - 1])
            errors, scan = self._act(due, scan, keep)
            found.refused(errors)
            fresh |= {each.resource.region for each in due if each.resource.cloud == "aws"}
        return scan, fresh

    def _act(self, due: list[Verdict], scan: Scan, keep: KeepList) -> tuple[dict[str, str], Scan]:
        """End what is due, each in its cloud; what was refused, and what is there now."""
        in_google = [each.resource for each in due if each.resource.cloud == "gcp"]
        in_aws = [each for each in due if each.resource.cloud == "aws"]
        errors: dict[str, str] = {}
        if in_aws:
            errors, scan = self._sweep(keep).act(in_aws, scan)
        if in_google and self.google:
            clearing = GoogleClearing(
                compute=self.google,
                course=self.course,
                patience_seconds=PATIENCE_SECONDS,
                sleep=self.sleep,
                clock=self.clock,
            )
            refused = clearing.end(in_google)
            # What could not be looked at is told by the look that follows.
            errors |= {each.key: refused[each.key] for each in in_google if each.key in refused}
            scan = self.look()
        return errors, scan

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

    def _sweep(self, keep: KeepList | None) -> Sweep:
        """Of the account; what it judges may be anywhere, and nothing is asked for that."""
        from clusterlab.reaper.keeplist import KeepList

        reasons = keep or KeepList(reasons={})
        return Sweep(
            cloud=cast("Cloud", self.cloud),
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
