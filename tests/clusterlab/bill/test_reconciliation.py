from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.bill.allocation import NO_TAG, NOBODY
from clusterlab.bill.intake import take_in
from clusterlab.bill.reconciliation import Reconciliation, reconcile
from clusterlab.bill.rules import Rule, Share
from clusterlab.bill.store import Store
from clusterlab.bill.unit import Unit
from clusterlab.cost.interval import Interval, Kind, Source
from clusterlab.errors import InputError
from tests.clusterlab.bill.exports import NOVEMBER, OCTOBER, Charge, aws_focus, azure, charge, month

START = datetime(2026, 10, 5, 10, tzinfo=UTC)
ANA, BEN = Unit(student="ana", lab="qlora"), Unit(student="ben", lab="fsdp")
REST = Rule(name="rest", match={}, share=Share.PROPORTIONAL)


def interval(
    student: str | None = "ana",
    lab: str | None = "qlora",
    *,
    resource: str = "i-0aaa",
    start: datetime = START,
    hours: float | None = 1,
    price: str | None = "0.526",
) -> Interval:
    return Interval(
        resource_id=resource,
        kind=Kind.COMPUTE,
        student=student,
        team=None,
        course=None,
        lab=lab,
        run=None,
        start=start,
        end=None if hours is None else start + timedelta(hours=hours),
        shape="g4dn.xlarge",
        region="us-east-1",
        price_usd_per_hour=None if price is None else Decimal(price),
        price_as_of=None,
        source=Source.EC2,
    )


def reconciled(
    folder: Path,
    charges: Sequence[Charge],
    intervals: Sequence[Interval] = (),
    rules: Sequence[Rule] = (),
    estimates: dict[Unit, Decimal] | None = None,
) -> Reconciliation:
    store = Store(folder=folder / "store")
    take_in([aws_focus(folder / "bill.parquet", charges)], store)
    found = reconcile(store, intervals, estimates or {}, rules, now=NOVEMBER)
    total = sum(each.usd for each in charges)
    assert abs(found.bill_usd - total) <= Decimal("0.005")
    return found


def billed(found: Reconciliation) -> dict[str, str]:
    return {str(row.unit): str(row.billed_usd) for row in found.rows}


def nobodys(found: Reconciliation) -> list[tuple[str, str, str]]:
    return [(line.reason, line.category, str(line.usd)) for line in found.unallocated]


def test_estimate_metered_and_billed_stand_side_by_side(tmp_path: Path) -> None:
    found = reconciled(
        tmp_path,
        [charge("0.55"), charge("2.00", "ben", "fsdp", resource="i-0bbb")],
        [interval(), interval("ben", "fsdp", resource="i-0bbb", price="2")],
        estimates={ANA: Decimal(1)},
    )
    ana, ben = found.rows
    assert (ana.unit, ana.estimated_usd, ana.metered.usd, ana.billed_usd) == (
        ANA,
        Decimal(1),
        Decimal("0.526"),
        Decimal("0.55"),
    )
    assert (ana.error_usd, ana.error_percent) == (Decimal("0.024"), Decimal("4.6"))
    assert (ben.unit, ben.estimated_usd, ben.error_usd) == (BEN, None, Decimal(0))
    assert found.agrees(Decimal(5))
    assert not found.agrees(Decimal(4))
    assert found.periods == ((OCTOBER, NOVEMBER),)


def test_the_resource_is_stronger_than_the_tag(tmp_path: Path) -> None:
    found = reconciled(tmp_path, [charge("1", "instructor", "shared")], [interval()])
    assert billed(found) == {"ana x qlora": "1.00"}


def test_a_machine_is_shared_by_the_time_that_each_held_of_the_hour(tmp_path: Path) -> None:
    intervals = [
        interval(hours=0.5),
        interval("ben", "fsdp", start=START + timedelta(minutes=30), hours=0.25),
        interval(None, None, start=START + timedelta(minutes=45), hours=0.25),
    ]
    found = reconciled(tmp_path, [charge("1")], intervals)
    assert billed(found) == {"ana x qlora": "0.50", "ben x fsdp": "0.25"}
    assert nobodys(found) == [(NOBODY, "Usage", "0.25")]
    assert not found.agrees(Decimal(100))


def test_our_clock_may_be_off(tmp_path: Path) -> None:
    """The bill's hour lies wholly before or after what we saw: the machine still has one owner."""
    late = interval(start=START + timedelta(hours=1, minutes=1), hours=0.5)
    assert billed(reconciled(tmp_path, [charge("1")], [late])) == {"ana x qlora": "1.00"}


def test_a_machine_that_changed_hands_is_by_its_tag_where_nobody_was_seen(tmp_path: Path) -> None:
    intervals = [interval(), interval("ben", "fsdp", start=START + timedelta(hours=1))]
    charges = [charge("1", "ben", "fsdp", start=START + timedelta(hours=5))]
    found = reconciled(tmp_path, charges, intervals)
    assert billed(found) == {"ana x qlora": "0.00", "ben x fsdp": "1.00"}


def test_a_row_with_no_tag_is_a_line_of_its_own(tmp_path: Path) -> None:
    found = reconciled(tmp_path, [charge("1", "ana", "qlora"), charge("2.5", resource=None), charge("3", "", "qlora")])
    assert billed(found) == {"ana x qlora": "1.00"}
    assert nobodys(found) == [(NO_TAG, "Usage", "5.50")]
    assert found.unallocated[0].num_rows == 2
    assert not found.agrees(Decimal(100))


def test_a_student_without_a_lab_is_a_row(tmp_path: Path) -> None:
    assert billed(reconciled(tmp_path, [charge("1", "ana")])) == {"ana x no lab": "1.00"}


def test_credits_are_negative_and_lower_what_they_are_for(tmp_path: Path) -> None:
    charges = [
        charge("3", "ana", "qlora"),
        charge("-1", "ana", "qlora", category="Credit"),
        charge("-10", resource=None, category="Credit"),
    ]
    found = reconciled(tmp_path, charges)
    assert billed(found) == {"ana x qlora": "2.00"}
    assert nobodys(found) == [(NO_TAG, "Credit", "-10.00")]
    assert found.bill_usd == Decimal("-8.00")


def test_a_price_that_is_not_known_is_not_zero(tmp_path: Path) -> None:
    found = reconciled(tmp_path, [charge("1")], [interval(hours=0.5), interval(hours=0.5, price=None)])
    (row,) = found.rows
    assert (row.metered.complete, row.error_usd, row.error_percent) == (False, None, None)
    assert row.as_json()["metered"] == {"usd": "0.263000", "num_unknown": 1, "complete": False}
    assert not found.agrees(Decimal(1000))


def test_only_what_lies_in_the_period_is_metered(tmp_path: Path) -> None:
    intervals = [
        interval(start=OCTOBER - timedelta(hours=2), hours=3, price="1"),
        interval(start=NOVEMBER - timedelta(hours=1), hours=None, price="1"),
        interval(start=NOVEMBER + timedelta(hours=1), hours=9, price="1"),
    ]
    (row,) = reconciled(tmp_path, [charge("2")], intervals).rows
    assert row.metered.usd == Decimal(2)


def test_what_was_metered_and_never_billed_is_a_row(tmp_path: Path) -> None:
    found = reconciled(tmp_path, [charge("1", "ana", "qlora")], [interval("ben", "fsdp", resource="i-0bbb")])
    ben = found.rows[1]
    assert (ben.unit, ben.billed_usd, ben.error_percent) == (BEN, Decimal(0), Decimal("-100.0"))
    assert not found.agrees(Decimal(5))


def test_hours_across_the_end_of_summer_time_are_hours(tmp_path: Path) -> None:
    """02:30 to 02:30 in Berlin on 25 October 2026 is one hour: the bill names its zone, our records are UTC."""
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    found = reconciled(tmp_path, [charge("0.526", start=start)], [interval(start=start)])
    assert found.rows[0].error_usd == Decimal("0.004")


@pytest.mark.parametrize(
    ("share", "wanted"),
    [
        (Share.EVEN, {"ana x qlora": "5.00", "ben x fsdp": "3.00"}),
        (Share.PROPORTIONAL, {"ana x qlora": "6.00", "ben x fsdp": "2.00"}),
    ],
)
def test_a_rule_shares_what_is_nobodys(share: Share, wanted: dict[str, str], tmp_path: Path) -> None:
    charges = [charge("3", "ana", "qlora"), charge("1", "ben", "fsdp"), charge("4", resource=None, service="Support")]
    rule = Rule(name="support", match={"ServiceName": ("Support",)}, share=share)
    found = reconciled(tmp_path, charges, rules=[rule])
    assert (billed(found), found.unallocated) == (wanted, ())


def test_the_first_rule_that_matches_takes_the_charge(tmp_path: Path) -> None:
    charges = [charge("3", "ana", "qlora"), charge("4", resource="i-0bbb"), charge("5", resource="i-0ccc")]
    to = Rule(
        name="own", match={"RegionId": ("us-east-1",)}, share=Share.TO, to=Unit(student="instructor", lab="shared")
    )
    assert billed(reconciled(tmp_path, charges, rules=[to, REST])) == {
        "ana x qlora": "3.00",
        "instructor x shared": "9.00",
    }


def test_a_rule_of_one_resource_takes_only_that(tmp_path: Path) -> None:
    arn = "arn:aws:ec2:us-east-1:000000000001:instance/i-0bbb"
    charges = [charge("3", "ana", "qlora"), charge("4", resource="i-0bbb"), charge("5", resource="i-0ccc")]
    found = reconciled(tmp_path, charges, rules=[Rule(name="own", match={"ResourceId": (arn,)}, share=Share.EVEN)])
    assert billed(found) == {"ana x qlora": "7.00"}
    assert nobodys(found) == [(NO_TAG, "Usage", "5.00")]


def test_where_nobody_can_share_it_stays_nobodys(tmp_path: Path) -> None:
    found = reconciled(tmp_path, [charge("4", resource=None)], rules=[REST])
    assert (found.rows, nobodys(found)) == ((), [(NO_TAG, "Usage", "4.00")])


def test_a_name_with_a_quote_is_a_name(tmp_path: Path) -> None:
    charges = [charge("1", "o'hara", "qlora"), charge("2", resource=None, service="Bob's")]
    found = reconciled(tmp_path, charges, rules=[Rule(name="bob", match={"ServiceName": ("Bob's",)}, share=Share.EVEN)])
    assert billed(found) == {"o'hara x qlora": "3.00"}


def test_two_providers_in_one_period(tmp_path: Path) -> None:
    store = Store(folder=tmp_path / "store")
    take_in([aws_focus(tmp_path / "aws.csv", [charge("1", "ana", "qlora")])], store)
    take_in([azure(tmp_path / "azure.csv", [charge("2", resource="vm-1")])], store)
    found = reconcile(store, [interval(resource="vm-1")], {}, now=NOVEMBER)
    assert billed(found) == {"ana x qlora": "3.00"}
    assert found.rows[0].metered.usd == Decimal("0.526")


def test_a_period_that_was_not_imported(tmp_path: Path) -> None:
    store = Store(folder=tmp_path / "store")
    take_in([aws_focus(tmp_path / "aws.csv", month(seed=1))], store)
    with pytest.raises(InputError, match=r"has no bill of 2026-09; `clusterlab bill import PATH` brings one"):
        reconcile(store, [], {}, now=NOVEMBER, period="2026-09")
    with pytest.raises(InputError, match=r"--period: 'october'; allowed: a month, such as 2026-10"):
        reconcile(store, [], {}, now=NOVEMBER, period="october")
    assert reconcile(store, [], {}, now=NOVEMBER, period="2026-10").rows


NAMES = st.sampled_from(["", "ana", "ben", "cleo"])
CHARGES = st.builds(
    lambda usd, student, lab, resource, minutes, category: charge(
        f"{usd:f}",
        student,
        lab,
        resource=resource,
        start=OCTOBER + timedelta(minutes=minutes),
        category=category,
    ),
    usd=st.decimals(min_value=-50, max_value=50, places=4),
    student=NAMES,
    lab=st.sampled_from(["", "qlora", "fsdp"]),
    resource=st.sampled_from(["i-0aaa", "i-0bbb", None]),
    minutes=st.integers(0, 44000),
    category=st.sampled_from(["Usage", "Credit", "Tax"]),
)
INTERVALS = st.builds(
    lambda student, lab, resource, minutes, hours, price: interval(
        student or None, lab, resource=resource, start=OCTOBER + timedelta(minutes=minutes), hours=hours, price=price
    ),
    student=NAMES,
    lab=st.sampled_from([None, "qlora", "fsdp"]),
    resource=st.sampled_from(["i-0aaa", "i-0ccc"]),
    minutes=st.integers(-3000, 44000),
    hours=st.sampled_from([0.01, 1, 30, None]),
    price=st.sampled_from(["0.526", "32.77", None]),
)
RULES = st.lists(
    st.builds(
        lambda match, share: Rule(name="any", match=match, share=share, to=ANA if share is Share.TO else None),
        match=st.sampled_from([{}, {"ChargeCategory": ("Credit", "Tax")}, {"ServiceName": ("None",)}]),
        share=st.sampled_from(list(Share)),
    ),
    max_size=3,
)


@settings(max_examples=40)
@given(
    charges=st.lists(CHARGES, min_size=1, max_size=12, unique=True),
    intervals=st.lists(INTERVALS, max_size=6),
    rules=RULES,
)
def test_the_rows_and_what_is_nobodys_are_the_bill_to_the_cent(
    charges: list[Charge], intervals: list[Interval], rules: list[Rule], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = reconciled(tmp_path_factory.mktemp("bill"), charges, intervals, rules)
    shown = found.as_json()
    rows = sum((Decimal(row["billed_usd"]) for row in shown["rows"]), Decimal(0))
    lines = sum((Decimal(line["usd"]) for line in shown["unallocated"]), Decimal(0))
    assert rows + lines == Decimal(shown["bill_usd"])
    assert Decimal(shown["bill_usd"]) == Decimal(shown["bill_usd"]).quantize(Decimal("0.01"))
