from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from clusterlab.catalog import Row
from clusterlab.config import Scale
from clusterlab.course.preflight.ec2_quota import ON_DEMAND_G, ON_DEMAND_P, SPOT_G
from clusterlab.course.preflight.peak import least, most, uncounted
from clusterlab.course.preflight.subject import Work
from tests.clusterlab.test_plan import lab, row

MONDAY, SUNDAY, NEXT = date(2026, 9, 21), date(2026, 9, 27), date(2026, 9, 28)


def machine(name: str, usd: str | None, vcpus: int = 4, *, cloud: str = "aws") -> Row:
    return dataclasses.replace(row(name, usd, cloud=cloud), vcpus=Decimal(vcpus))


SMALL, BIG = machine("g6.xlarge", "1"), machine("p4d.24xlarge", "20", 96)


def work(*machines: Row, due: date | None = MONDAY, nodes: int = 1, spot: bool = False) -> Work:
    of = dataclasses.replace(lab(num_nodes=nodes), name="x")
    return Work(lab=of, scale=Scale.SINGLE, due=due, use_spot=spot, machines=machines, missing=())


def test_each_student_runs_it_at_once_on_each_of_its_nodes() -> None:
    [(place, need)] = most([work(SMALL, nodes=2)], 24).items()
    assert place == ("here", ON_DEMAND_G)
    assert str(need) == "192 vCPUs in the week of 2026-09-21 (x: 48 x g6.xlarge)"


def test_the_least_is_on_the_cheapest_machine_and_the_most_on_the_dearest() -> None:
    assert [key[1] for key in least([work(BIG, SMALL)], 2)] == [ON_DEMAND_G]
    assert [key[1] for key in most([work(SMALL, BIG)], 2)] == [ON_DEMAND_P]


def test_a_machine_of_unknown_price_may_be_the_dearest() -> None:
    assert [key[1] for key in most([work(SMALL, machine("p5.48xlarge", None, 192))], 2)] == [ON_DEMAND_P]


def test_labs_due_in_one_week_add_up_and_weeks_do_not() -> None:
    same = most([work(SMALL), work(SMALL, due=SUNDAY)], 10)["here", ON_DEMAND_G]
    apart = most([work(SMALL), work(SMALL, due=NEXT, nodes=3)], 10)["here", ON_DEMAND_G]
    assert (same.vcpus, same.week) == (Decimal(80), MONDAY)
    assert (apart.vcpus, apart.week) == (Decimal(120), NEXT)


def test_a_lab_without_a_due_date_counts_in_each_week() -> None:
    needs = most([work(SMALL), work(SMALL, due=NEXT), work(SMALL, due=None)], 10)
    assert needs["here", ON_DEMAND_G].vcpus == 80
    alone = most([work(SMALL, due=None)], 10)["here", ON_DEMAND_G]
    assert (alone.vcpus, alone.week) == (Decimal(40), None)


def test_the_spot_market_has_quotas_of_its_own() -> None:
    assert [key[1] for key in most([work(SMALL, spot=True)], 1)] == [SPOT_G]


def test_the_cheapest_may_be_in_another_cloud_and_asks_then_nothing_of_aws() -> None:
    works = [work(SMALL, machine("g2-standard-4", "0.5", cloud="gcp"))]
    assert least(works, 5) == {}
    assert most(works, 5)["here", ON_DEMAND_G].vcpus == 20


def test_what_is_in_no_known_quota_is_named() -> None:
    odd, blank = machine("trn1.2xlarge", "1"), dataclasses.replace(SMALL, vcpus=None)
    assert [row.name for row in uncounted([work(odd, blank, BIG)])] == ["trn1.2xlarge", "g6.xlarge"]


@given(due=st.lists(st.one_of(st.none(), st.dates(MONDAY, date(2026, 12, 1))), min_size=1, max_size=6))
def test_a_peak_is_no_less_than_any_lab_and_no_more_than_all(due: list[date | None]) -> None:
    vcpus = most([work(SMALL, due=each) for each in due], 3)["here", ON_DEMAND_G].vcpus
    assert 12 <= vcpus <= 12 * len(due)
