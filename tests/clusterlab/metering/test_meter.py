from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusterlab.cost.interval import Interval, Source
from clusterlab.ledger.ledger import Ledger
from clusterlab.metering.meter import meter, settle
from clusterlab.metering.observation import UNKNOWN, Price
from tests.clusterlab.metering.conftest import NOON, TAGS, observation, sighting

HOUR = timedelta(hours=1)
ONE, TWO, THREE = NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR


def uses(ledger: Ledger) -> list[tuple[str, datetime, datetime | None]]:
    return sorted((each.resource_id, each.start, each.end) for each in ledger.intervals())


def test_use_begins_with_its_source_s_start_and_ends_with_its_end(ledger: Ledger) -> None:
    metered = meter(ledger, observation(ONE, sighting()))
    assert [each.resource_id for each in metered.begun] == ["i-1"]
    metered = meter(ledger, observation(THREE, sighting(end=TWO)))
    assert (len(metered.begun), len(metered.ended), metered.num_going_on) == (0, 1, 0)
    assert uses(ledger) == [("i-1", NOON, TWO)]
    assert ledger.intervals()[0].student == "ana"


def test_the_same_seen_again_changes_nothing(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting()))
    head = ledger.head()
    metered = meter(ledger, observation(TWO, sighting()))
    assert (metered.begun, metered.ended, metered.num_going_on, ledger.head()) == ((), (), 1, head)


def test_what_ended_before_anybody_looked_is_recorded_whole(ledger: Ledger) -> None:
    meter(ledger, observation(THREE, sighting(end=ONE)))
    assert uses(ledger) == [("i-1", NOON, ONE)]
    meter(ledger, observation(THREE, sighting(end=ONE)))
    assert uses(ledger) == [("i-1", NOON, ONE)]


def test_what_is_gone_has_ended_by_now(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting()))
    meter(ledger, observation(TWO))
    assert uses(ledger) == [("i-1", NOON, TWO)]


def test_what_lies_in_a_region_that_did_not_answer_goes_on(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting()))
    meter(ledger, observation(TWO, covered=set()))
    assert uses(ledger) == [("i-1", NOON, None)]


def test_what_was_only_not_seen_has_no_gap(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting()))
    meter(ledger, observation(TWO))
    meter(ledger, observation(THREE, sighting()))
    assert uses(ledger) == [("i-1", NOON, TWO), ("i-1", TWO, None)]
    meter(ledger, observation(THREE + HOUR, sighting(end=THREE)))
    assert uses(ledger) == [("i-1", NOON, TWO), ("i-1", TWO, THREE)]


def test_a_machine_that_was_started_again_is_a_use_of_its_own(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting()))
    meter(ledger, observation(ONE, sighting(end=ONE)))
    meter(ledger, observation(THREE, sighting(start=TWO)))
    assert uses(ledger) == [("i-1", NOON, ONE), ("i-1", TWO, None)]


def test_a_stop_that_nobody_saw_is_counted_as_use_until_the_next_start(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting()))
    meter(ledger, observation(THREE, sighting(start=TWO)))
    assert uses(ledger) == [("i-1", NOON, TWO), ("i-1", TWO, None)]


def test_a_price_stays_as_it_was_at_the_start(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting()))
    dearer = Price(usd_per_hour=Decimal(5), as_of=NOON.date())
    meter(ledger, observation(TWO, sighting(price=dearer)))
    meter(ledger, observation(THREE, sighting(price=dearer, end=TWO)))
    assert [each.price_usd_per_hour for each in ledger.intervals()] == [Decimal(1)]


def test_an_unknown_price_is_never_nothing(ledger: Ledger) -> None:
    meter(ledger, observation(TWO, sighting(price=UNKNOWN, end=ONE)))
    assert not ledger.uses()[0].used.complete
    assert settle(ledger, THREE) == []


def test_what_carries_no_tags_is_nobody_s_and_on_record(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting(tags={"student": "Ana García"}, end=ONE)))
    [use] = ledger.uses()
    assert (use.student, use.used.usd) == (None, Decimal(1))


def test_one_that_cannot_be_recorded_holds_up_no_other(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting()))
    stolen = sighting(resource_id="i-2", tags=TAGS | {"student": "eva"})
    metered = meter(ledger, observation(TWO, stolen, sighting(resource_id="i-3")))
    assert metered.problems == ("ledger: run r1: is of ana, qlora, not of eva, qlora",)
    assert {resource for resource, _, _ in uses(ledger)} == {"i-1", "i-3"}


def test_a_run_is_settled_an_hour_after_its_last_use(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting(), sighting(resource_id="vol-1")))
    meter(ledger, observation(TWO, sighting(end=ONE), sighting(resource_id="vol-1")))
    assert settle(ledger, THREE) == []
    meter(ledger, observation(TWO, sighting(end=ONE), sighting(resource_id="vol-1", end=TWO)))
    assert settle(ledger, THREE - timedelta(seconds=1)) == []
    assert settle(ledger, THREE) == ["r1"]
    assert settle(ledger, THREE) == []
    assert [each.held_usd for each in ledger.uses()] == [Decimal(3)]


def test_use_after_a_settlement_is_settled_too(ledger: Ledger) -> None:
    meter(ledger, observation(ONE, sighting(end=ONE)))
    settle(ledger, TWO)
    meter(ledger, observation(THREE, sighting(start=TWO, end=THREE)))
    assert settle(ledger, THREE + HOUR) == ["r1"]
    assert [each.held_usd for each in ledger.uses()] == [Decimal(2)]


class Memory:
    """A ledger's intervals, by what the ledger takes: an interval once, and its end once."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, datetime], Interval] = {}

    def intervals(self) -> list[Interval]:
        return list(self.kept.values())

    def latest(self, source: Source, resources: Iterable[str]) -> dict[str, Interval]:
        del source, resources  # There is one of each.
        return {each.resource_id: each for each in sorted(self.kept.values(), key=lambda each: each.start)}

    def record_all(self, intervals: Sequence[Interval]) -> list[object]:
        return [self._record(interval) for interval in intervals]

    def _record(self, interval: Interval) -> object:
        before = self.kept.get((interval.resource_id, interval.start))
        assert before is None or before.end is None
        self.kept[interval.resource_id, interval.start] = interval
        return interval

    def unsettled(self) -> dict[str, list[Interval]]:
        return {}

    def settle_all(self, runs: Sequence[str]) -> list[object]:
        raise AssertionError(runs)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from(["seen", "missing", "unasked", "stopped"])), max_size=20))
def test_intervals_of_a_resource_never_overlap_and_cover_all_that_was_seen(looks: list[tuple[int, str]]) -> None:
    memory, at, last_seen = Memory(), NOON, None
    for minutes, what in looks:
        at += timedelta(minutes=minutes)
        seen = {"seen": (sighting(),), "stopped": (sighting(end=at),)}.get(what, ())
        meter(memory, observation(at, *seen, covered=set() if what == "unasked" else None))
        last_seen = at if what == "seen" else last_seen
    found = sorted(memory.intervals(), key=lambda each: each.start)
    for before, after in pairwise(found):
        assert before.end is not None
        assert before.end <= after.start
    if last_seen is not None:
        assert sum(((each.end or at) - each.start for each in found), timedelta()) >= last_seen - NOON
