from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.cost.interval import Interval
from clusterlab.cost.money import to_micro
from clusterlab.report import words
from clusterlab.report.burn import Burn, Forecast, daily
from tests.clusterlab.report.courses import NOON, use

DAY = timedelta(days=1)
CAP = Decimal(100)


def on(days_ago: int, usd: object, number: int = 0) -> Interval:
    """A use that lies within a day."""
    start = NOON - DAY * days_ago - timedelta(hours=3)
    return use(100 * days_ago + number, usd, start=start, end=start + timedelta(hours=1))


def burn(*intervals: Interval, cap: Decimal | None = CAP, until: date | None = None) -> Burn:
    return Burn.of(intervals, NOON, cap_usd=cap, until=until)


def forecast(of: Burn) -> Forecast:
    assert of.forecast is not None
    return of.forecast


def test_a_use_over_midnight_is_shared_out_over_its_days() -> None:
    start = NOON - timedelta(hours=15)
    days = daily([use(1, 2, start=start, end=NOON)], NOON)
    assert {day.isoformat(): str(total) for day, total in days.items()} == {"2026-11-24": "6.00", "2026-11-25": "24.00"}


def test_days_without_use_are_there_and_cost_nothing() -> None:
    days = daily([on(3, 5)], NOON)
    assert [str(each) for each in days.values()] == ["5.00", "0.00", "0.00", "0.00"]


def test_what_goes_on_is_taken_to_end_now() -> None:
    [(day, total)] = daily([use(1, 3, start=NOON - timedelta(hours=2), end=None)], NOON).items()
    assert (day, str(total)) == (NOON.date(), "6.00")


def test_a_use_that_ends_at_midnight_has_no_part_of_the_next_day() -> None:
    midnight = NOON - timedelta(hours=12)
    days = daily([use(1, 1, start=midnight - timedelta(hours=1), end=midnight)], midnight)
    assert [total.usd for total in days.values()] == [1, 0]


def test_a_use_without_a_price_makes_its_first_day_incomplete() -> None:
    days = daily([on(1, None), on(1, 2, 1)], NOON)
    assert [str(each) for each in days.values()] == ["2.00 incomplete", "0.00"]


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    start = NOON - timedelta(microseconds=draw(st.integers(0, 40 * 86_400 * 10**6)))
    length = timedelta(microseconds=draw(st.integers(0, 10 * 86_400 * 10**6)))
    price = draw(st.one_of(st.none(), st.decimals(0, 100, places=7)))
    return use(draw(st.integers(0, 10**9)), price, start=start, end=draw(st.sampled_from([None, start + length])))


@given(st.lists(intervals(), max_size=12))
def test_the_days_sum_to_what_the_uses_cost_to_the_micro_dollar(of: list[Interval]) -> None:
    costs = [each.usd(NOON) for each in of]
    used = burn(*of).used
    assert used.usd == sum((to_micro(usd) for usd in costs if usd is not None), Decimal(0))
    assert used.num_unknown == costs.count(None)


def test_the_pace_is_the_mean_of_the_last_whole_weeks_between_the_quietest_and_the_busiest() -> None:
    found = forecast(burn(on(15, 14), on(8, 7), on(1, 21), until=(NOON + DAY * 9).date()))
    assert [found.num_weeks, found.per_day_usd] == [2, 2]
    ahead = Decimal("9.5")
    assert [found.usd, found.low_usd, found.high_usd] == [42 + 2 * ahead, 42 + 1 * ahead, 42 + 3 * ahead]


def test_weeks_before_the_last_four_do_not_count() -> None:
    found = forecast(burn(on(36, 700), *(on(7 * week + 1, 7) for week in range(4))))
    assert [found.num_weeks, found.per_day_usd] == [4, 1]


def test_today_is_used_and_no_part_of_the_pace() -> None:
    found = forecast(burn(on(2, 2), on(1, 4), on(0, 50)))
    assert [found.num_weeks, found.per_day_usd, found.low_usd, found.high_usd] == [0, 3, None, None]
    assert found.usd == 56 + 3 * 28


def test_it_says_when_the_budget_is_used_up() -> None:
    assert forecast(burn(on(1, 20))).used_up == NOON + 4 * DAY
    assert forecast(burn(on(1, 1))).used_up is None
    assert forecast(burn(on(1, 200))).used_up == NOON
    assert forecast(burn(on(1, 20), cap=None)).used_up is None


def test_a_course_that_costs_nothing_any_more_uses_nothing_up() -> None:
    found = forecast(burn(on(36, 50)))
    assert [found.per_day_usd, found.used_up, found.usd] == [0, None, 50]


def test_a_pace_of_a_micro_dollar_a_day_is_no_error() -> None:
    assert forecast(burn(on(1, "0.000001"), cap=Decimal(10**11))).used_up is None


def test_there_is_none_on_the_first_day_without_use_and_after_the_end() -> None:
    for each in (burn(on(0, 5)), burn(), burn(on(1, 5), until=(NOON - DAY).date())):
        assert each.forecast is None
        assert words.forecast(each)[0].startswith("No forecast")


def test_the_last_day_counts_as_a_whole() -> None:
    assert forecast(burn(on(1, 5), until=NOON.date())).until == NOON + timedelta(hours=12)


def test_the_words_name_amounts_range_method_and_what_is_not_known() -> None:
    said = " ".join(words.forecast(burn(on(15, 14), on(8, 7), on(1, 21), on(1, None, 1))))
    for part in ("At 2.00 USD a day", "from 70.00 to 126.00", "lasts until", "from 2 weeks", "too low"):
        assert part in said.replace("is used up on", "lasts until")


@pytest.mark.parametrize("cap", [None, CAP])
def test_nothing_used_is_nothing(cap: Decimal | None) -> None:
    assert burn(cap=cap).days == ()
