from __future__ import annotations

import dataclasses
from datetime import date, timedelta

from clusterlab.catalog import Catalog
from clusterlab.course.preflight.check import Verdict
from clusterlab.course.preflight.prices import look
from tests.clusterlab.course.preflight.conftest import Make


def test_fresh_prices_pass(make: Make) -> None:
    [check] = look(make())
    assert (check.verdict, check.seen.endswith("none older than 90 days")) == (Verdict.PASS, True)


def test_old_prices_are_named_with_their_age(make: Make) -> None:
    oldest = max(row.as_of for row in make().machines("aws") if row.as_of)
    [check] = look(make(today=oldest + timedelta(days=91)))
    assert check.verdict is Verdict.WARN
    assert "aws g6.xlarge in us-east-1 (91 days)" in check.seen


def test_an_unknown_price_is_never_passed(make: Make) -> None:
    subject = make()
    [work] = subject.works
    unknown = dataclasses.replace(work.machines[0], on_demand_usd=None, as_of=None)
    [check] = look(dataclasses.replace(subject, works=(dataclasses.replace(work, machines=(unknown,)),)))
    assert (check.verdict, check.seen) == (Verdict.WARN, f"not known: {unknown.placed}")


def test_the_price_on_the_spot_market_is_looked_at_where_a_lab_asks_there(make: Make) -> None:
    subject = make()
    [work] = subject.works
    [check] = look(dataclasses.replace(subject, works=(dataclasses.replace(work, use_spot=True),)))
    assert (check.verdict, "aws g6.xlarge in us-east-1" in check.seen) == (Verdict.WARN, True)


def test_a_disk_without_a_price_is_told(make: Make) -> None:
    subject = make()
    rows = (dataclasses.replace(row, on_demand_usd=None) if row.kind == "disk" else row for row in subject.catalog.rows)
    [check] = look(dataclasses.replace(subject, catalog=Catalog(rows=tuple(rows)), today=date(2026, 9, 10)))
    assert (check.verdict, "gp3" in check.seen) == (Verdict.WARN, True)


def test_labs_on_the_student_s_own_machine_need_none(make: Make) -> None:
    [check] = look(make(labs={"toy": {"scale": "tiny"}}))
    assert (check.verdict, check.seen) == (Verdict.PASS, "no lab needs a cloud's machine")


def test_what_the_catalog_has_nowhere_has_no_price(make: Make) -> None:
    subject = make()
    lost = dataclasses.replace(subject.works[0], machines=(), missing=("H100:8: the catalog has no such machine",))
    [check] = look(dataclasses.replace(subject, works=(lost,)))
    assert (check.verdict, "H100:8" in check.seen) == (Verdict.WARN, True)
