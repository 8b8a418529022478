from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.enforcement.threshold import OPEN, lease_of, of_course, passed, told
from clusterlab.ledger.budget import Scope
from clusterlab.reaper.resource import Kind, Resource
from tests.clusterlab.enforcement.conftest import spending

MADE = datetime(2026, 11, 28, 9, tzinfo=UTC)
ANA = {"course": "llm-2026", "student": "ana", "team": "red", "run": "r1"}


@pytest.mark.parametrize(
    ("spent", "cap", "percent"),
    [
        ("9.999999", 20, 0),
        (10, 20, 50),
        ("15.999999", 20, 50),
        (16, 20, 80),
        ("19.999999", 20, 80),
        (20, 20, 100),
        (35, 20, 100),
        (0, 0, 0),
        ("0.000001", 0, 100),
        (35, None, 0),
    ],
)
def test_the_highest_threshold_that_is_spent(spent: object, cap: object, percent: int) -> None:
    assert passed(spending(spent, cap)) == percent


@given(micro=st.integers(0, 10**8), more=st.integers(0, 10**8), cap=st.integers(0, 100))
def test_who_spends_more_has_passed_no_less(micro: int, more: int, cap: int) -> None:
    less, most = (passed(spending(f"{each}e-6", cap)) for each in (micro, micro + more))
    assert less <= most


def test_a_reservation_is_not_spent() -> None:
    assert passed(spending(0, held_usd=20)) == 0


def test_a_price_that_is_not_known_is_told() -> None:
    assert told(spending(16, num_unknown=1)) == "student ana: at least 16.00 of 20.00 USD spent"


def test_other_courses_and_what_has_no_cap_are_left_out() -> None:
    ours, other = (spending(scope=Scope.COURSE, name=name) for name in ("llm-2026", "nlp-2026"))
    ana, nobody = spending(), spending(cap=None)
    assert of_course([ours, other, ana, nobody], "llm-2026") == [ours, ana]


@pytest.mark.parametrize(
    ("scope", "name", "kind", "tags", "over"),
    [
        (Scope.STUDENT, "ana", Kind.INSTANCE, ANA, True),
        (Scope.STUDENT, "ana", Kind.VOLUME, ANA, True),
        (Scope.STUDENT, "ben", Kind.INSTANCE, ANA, False),
        (Scope.TEAM, "red", Kind.INSTANCE, ANA, True),
        (Scope.COURSE, "llm-2026", Kind.VOLUME, ANA, True),
        # A student is no team of the same name.
        (Scope.TEAM, "ana", Kind.INSTANCE, ANA, False),
        # What the class shares is no launch's; its machine is a machine all the same.
        (Scope.COURSE, "llm-2026", Kind.FILE_SYSTEM, {"course": "llm-2026"}, False),
        (Scope.COURSE, "llm-2026", Kind.INSTANCE, {"course": "llm-2026"}, True),
    ],
)
def test_what_a_spent_budget_ends(scope: Scope, name: str, kind: Kind, tags: dict[str, str], over: bool) -> None:
    resource = Resource(kind=kind, id="x-1", region="us-east-1", tags=tags)
    lease = lease_of(resource, MADE, [spending(20, scope=scope, name=name)])
    assert (lease.until == MADE, lease == OPEN) == (over, not over)
    assert lease.why.startswith(f"over budget: {scope} {name}: 20.00 of 20.00") is over
