from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from infra.gcp.budget import Budget, BudgetArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, run

GIVEN: dict[str, Any] = {
    "naming": NAMING,
    "project": "llm",
    "project_number": "1234",
    "billing_account": "000000-000000-000000",
    "limit_usd": Decimal(2500),
    "starts": date(2026, 9, 1),
    "ends": date(2026, 12, 18),
    "emails": ("eva@example.org",),
}


def budget(**changes: Any) -> Graph:
    args = BudgetArgs(**(GIVEN | changes))

    def program() -> None:
        Budget("budget", args)

    return run(program)


def budgets(**changes: Any) -> dict[str, dict[str, Any]]:
    return {each.name: each.inputs for each in budget(**changes).of("gcp:billing/budget:Budget")}


def test_it_counts_the_course_for_as_long_as_it_lasts() -> None:
    given = budgets()["budget-budget"]
    assert given["amount"]["specifiedAmount"] == {"currencyCode": "USD", "units": "2500"}
    counted = given["budgetFilter"]
    assert (counted["projects"], counted["labels"]) == (["projects/1234"], {"course": "llm-2026"})
    assert counted["customPeriod"] == {
        "startDate": {"year": 2026, "month": 9, "day": 1},
        "endDate": {"year": 2026, "month": 12, "day": 18},
    }


def test_it_tells_at_each_threshold_of_what_is_spent() -> None:
    given = budgets()["budget-budget"]
    assert [each["thresholdPercent"] for each in given["thresholdRules"]] == [0.5, 0.8, 1.0]
    assert {each["spendBasis"] for each in given["thresholdRules"]} == {"CURRENT_SPEND"}
    assert given["allUpdatesRule"]["pubsubTopic"] == "${Topic.budget-topic.id}"


def test_a_month_that_is_expected_to_spend_it_all_is_told_of() -> None:
    given = budgets()["budget-forecast"]
    # Google Cloud forecasts calendar periods only, and refuses it of another.
    assert (given["budgetFilter"]["calendarPeriod"], "customPeriod" in given["budgetFilter"]) == ("MONTH", False)
    assert given["thresholdRules"] == [{"thresholdPercent": 1.0, "spendBasis": "FORECASTED_SPEND"}]


def test_whoever_teaches_is_told_by_mail() -> None:
    channel = budget().one("gcp:monitoring/notificationChannel:NotificationChannel").inputs
    assert (channel["type"], channel["labels"]) == ("email", {"email_address": "eva@example.org"})
    assert budgets(emails=())["budget-budget"]["allUpdatesRule"]["disableDefaultIamRecipients"] is False


@pytest.mark.parametrize(
    "changes", [{"limit_usd": Decimal(0)}, {"limit_usd": Decimal("10.50")}, {"ends": date(2026, 8, 31)}]
)
def test_what_is_no_budget_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"allowed|before"):
        BudgetArgs(**(GIVEN | changes))
