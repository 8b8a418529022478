from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from clusterlab.cost.interval import Interval
from clusterlab.lease import Lease, parse_lease
from clusterlab.ledger.account import Account
from clusterlab.ledger.ledger import Ledger
from clusterlab.metering import ec2
from clusterlab.reaper.reap import reap
from clusterlab.simulation import server
from clusterlab.simulation.invariant import Invariant
from clusterlab.simulation.server import Round, Server
from tests.clusterlab.simulation.conftest import Begin
from tests.needs import needs_skypilot

pytestmark = needs_skypilot


def test_a_semester_keeps_every_invariant(begin: Begin) -> None:
    result = begin((40, 6, 3), minutes=60).run()
    assert result.violation is None
    assert result.counts.launches > 240
    assert {"resources.autostop", "resources.ports", "resources.labels.lab"} <= result.counts.refusals.keys()
    assert result.counts.events["instances that the reaper stopped"] > 0


def test_the_same_seed_is_the_same_semester(begin: Begin) -> None:
    first, again, other = (begin((5, 2, 1), seed=seed, minutes=120).run().as_json() for seed in (1, 1, 2))
    assert first == again
    assert first != other


Spoil = Callable[[pytest.MonkeyPatch], object]


def lets_all_through(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("clusterlab.ledger.ledger.check_covered", lambda *_: None)


def reserves_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Server, "_book", lambda *_: None)


def never_sweeps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Server, "reap", lambda _: Round(well=True))


def stops_and_never_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(server, "reap", lambda order, *given, **more: reap(replace(order, grace_hours=999), *given, **more))


def believes_the_tags(patch: pytest.MonkeyPatch) -> None:
    def of(tags: Any, made: Any, granted: timedelta) -> Lease:
        return Lease(until=parse_lease(tags.get("lease-until", "")) or made + granted, why="its tag")

    patch.setattr(Lease, "of", of)


def never_enforces(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Server, "enforce", lambda _: Round(well=True))


def _records(change: Callable[[Interval], Interval | None], patch: pytest.MonkeyPatch) -> None:
    """The third use that ends is recorded otherwise, or not at all."""
    real, seen = Ledger.record_all, [0]

    def record_all(self: Ledger, intervals: Any) -> Any:
        kept = []
        for each in intervals:
            seen[0] += each.end is not None
            kept.append(change(each) if each.end and seen[0] == 3 else each)
        answers = iter(real(self, [each for each in kept if each]))
        return [next(answers) if each else None for each in kept]

    patch.setattr(Ledger, "record_all", record_all)


def loses_an_interval(patch: pytest.MonkeyPatch) -> None:
    _records(lambda _: None, patch)


def cuts_an_interval_short(patch: pytest.MonkeyPatch) -> None:
    _records(lambda each: replace(each, end=each.start + timedelta(seconds=1)), patch)


def settles_for_less(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Account, "final_micro_usd", property(lambda _: 10_000))


def never_settles(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(server, "settle", lambda *_: [])


def charges_spot_as_on_demand(patch: pytest.MonkeyPatch) -> None:
    real = ec2._instance
    patch.setattr(ec2, "_instance", lambda instance, *given: real({**instance, "InstanceLifecycle": None}, *given))


BROKEN: dict[str, tuple[Spoil, Invariant, dict[str, Any]]] = {
    "lets all through": (lets_all_through, Invariant.BUDGET, {"budget": Decimal("0.5")}),
    "reserves nothing": (reserves_nothing, Invariant.RESERVED, {}),
    "never sweeps": (never_sweeps, Invariant.LEASE, {"p_runaway": 0.5}),
    "stops and never ends": (stops_and_never_ends, Invariant.GRACE, {"p_runaway": 0.5}),
    "believes the tags": (believes_the_tags, Invariant.LEASE, {"p_runaway": 0.5, "p_untagged": 1.0}),
    "never enforces": (never_enforces, Invariant.SPENDING, {"p_runaway": 1.0, "budget": Decimal("0.25")}),
    "loses an interval": (loses_an_interval, Invariant.METERED, {}),
    "cuts an interval short": (cuts_an_interval_short, Invariant.METERED, {}),
    "settles for less": (settles_for_less, Invariant.SUMS, {}),
    "never settles": (never_settles, Invariant.SUMS, {}),
    "charges spot as on demand": (charges_spot_as_on_demand, Invariant.METERED, {"p_small": 1.0, "p_spot": 1.0}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_on_purpose_is_seen(begin: Begin, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    spoil, invariant, more = BROKEN[name]
    semester = begin(**more)
    with monkeypatch.context() as patch:
        spoil(patch)
        result = semester.run()
    assert result.violation is not None, result.facts()
    assert result.violation[0] is invariant, result.violation
    assert result.trace
    assert [each.name for each, verdict in result.verdicts().items() if verdict == "FAIL"] == [invariant.name]
