from __future__ import annotations

from datetime import date

import pytest

from clusterlab.course.preflight.check import Verdict
from clusterlab.course.preflight.dates import DATES, FILE, INSTRUCTORS, look
from tests.clusterlab.course.preflight.conftest import Make, one, told


def test_a_class_that_is_on_with_somebody_to_tell_passes(make: Make) -> None:
    assert told(look(make())) == [(DATES, "PASS"), (INSTRUCTORS, "PASS"), (FILE, "PASS")]


@pytest.mark.parametrize(("today", "verdict"), [(date(2026, 12, 18), "PASS"), (date(2026, 12, 19), "FAIL")])
def test_a_class_is_over_the_day_after_its_last(make: Make, today: date, verdict: str) -> None:
    assert one(look(make(today=today)), DATES).verdict == verdict


def test_days_until_it_begins_are_told(make: Make) -> None:
    assert one(look(make(today=date(2026, 8, 30))), DATES).seen.endswith("begins in 2 days")


def test_a_class_without_dates_or_instructors_fails_once_for_each(make: Make) -> None:
    found = told(look(make(dates=None, instructors=None)))
    assert found == [(DATES, "FAIL"), (INSTRUCTORS, "FAIL"), (FILE, "PASS")]


@pytest.mark.parametrize("address", ["instructor@example.org", "ana@mail.example", "ana@cs.invalid"])
def test_an_address_that_nobody_can_have_is_told(make: Make, address: str) -> None:
    check = one(look(make(instructors=[address, "teacher@university.edu"])), INSTRUCTORS)
    assert (check.verdict, check.seen) == (Verdict.WARN, f"nobody reads {address}")


def test_what_class_up_would_refuse_beside_fails(make: Make) -> None:
    check = one(look(make(budget_usd={"student": 1})), FILE)
    assert (check.verdict, "budget_usd.course: missing" in check.seen) == (Verdict.FAIL, True)
