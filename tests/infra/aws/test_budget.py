from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from clusterlab.errors import InputError
from infra.aws.budget import Budget, BudgetArgs
from infra.aws.statements_service import budget_action
from tests.infra.conftest import NAMING
from tests.infra.graph import ACCOUNT, Graph, run

POLICY = f"arn:aws:iam::{ACCOUNT}:policy/clusterlab/llm-2026/clusterlab-llm-2026-deny-launch"
ACTION = "aws:budgets/budgetAction:BudgetAction"
ARGS = BudgetArgs(
    naming=NAMING,
    limit_usd=Decimal(2500),
    starts=date(2026, 9, 14),
    ends=date(2026, 12, 18),
    emails=("prof@example.edu", "ta@example.edu"),
    deny_policy_arn=POLICY,
    role_names=["student-ana", "student-ben"],
)


def budget(**more: Any) -> Graph:
    args = replace(ARGS, **more)
    return run(lambda: Budget("budget", args))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return budget()


def test_it_counts_what_carries_the_courses_tag_from_the_classs_first_month_on(graph: Graph) -> None:
    made = graph.one("aws:budgets/budget:Budget").inputs
    assert (made["limitAmount"], made["limitUnit"], made["timeUnit"]) == ("2500", "USD", "ANNUALLY")
    assert made["costFilters"] == [{"name": "TagKeyValue", "values": ["user:course$llm-2026"]}]
    assert (made["timePeriodStart"], made["timePeriodEnd"]) == ("2026-09-01_00:00", "2027-01-18_00:00")


def test_everybody_is_told_at_half_at_most_at_all_and_when_all_is_foreseen(graph: Graph) -> None:
    told = graph.one("aws:budgets/budget:Budget").inputs["notifications"]
    shown = [(each["notificationType"], each["threshold"], each["thresholdType"]) for each in told]
    assert shown == [
        (kind, at, "PERCENTAGE") for kind, at in (("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
    ]
    assert all(each["subscriberEmailAddresses"] == list(ARGS.emails) for each in told)


def test_at_all_of_it_launches_are_denied_and_nobody_is_asked(graph: Graph) -> None:
    action = graph.one(ACTION).inputs
    assert action["approvalModel"] == "AUTOMATIC"
    assert (action["notificationType"], action["actionType"]) == ("ACTUAL", "APPLY_IAM_POLICY")
    assert action["actionThreshold"] == {"actionThresholdType": "PERCENTAGE", "actionThresholdValue": 100}
    assert action["definition"] == {
        "iamActionDefinition": {"policyArn": POLICY, "roles": ["student-ana", "student-ben"]}
    }


def test_a_hundred_roles_are_denied_in_one_action() -> None:
    roles = [f"student-{number:03}" for number in range(1, 202)]
    actions = budget(role_names=roles).of(ACTION)
    groups = [each.inputs["definition"]["iamActionDefinition"]["roles"] for each in actions]
    assert sorted(map(len, groups)) == [1, 100, 100]
    assert sorted(role for group in groups for role in group) == roles


def test_the_action_may_do_what_iam_was_asked_about_and_waits_for_that(graph: Graph) -> None:
    policy = graph.one("aws:iam/rolePolicy:RolePolicy")
    assert json.loads(policy.inputs["policy"]) == budget_action(ACCOUNT, "llm-2026", POLICY)
    assert policy.urn in graph.one(ACTION).needs
    (statement,) = json.loads(graph.one("aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": "budgets.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_the_bill_is_divided_by_the_cost_tags_also_after_the_class(graph: Graph) -> None:
    made = graph.of("aws:costexplorer/costAllocationTag:CostAllocationTag")
    assert {each.inputs["tagKey"] for each in made} == {"course", "lab", "student", "team", "run"}
    assert all(each.retain_on_delete and each.inputs["status"] == "Active" for each in made)


def test_what_is_out_of_the_ordinary_is_told_from_a_fiftieth_of_the_budget_on(graph: Graph) -> None:
    monitor = graph.one("aws:costexplorer/anomalyMonitor:AnomalyMonitor").inputs
    assert json.loads(monitor["monitorSpecification"]) == {"Tags": {"Key": "course", "Values": ["llm-2026"]}}
    told = graph.one("aws:costexplorer/anomalySubscription:AnomalySubscription").inputs
    assert told["thresholdExpression"]["dimension"]["values"] == ["50.00"]
    assert [each["address"] for each in told["subscribers"]] == list(ARGS.emails)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"limit_usd": Decimal(0)}, r"budget: limit_usd: 0; allowed: above 0"),
        ({"emails": ()}, r"budget: emails: 0 addresses; allowed: 1 to 10"),
        ({"emails": tuple("abcdefghijk")}, r"budget: emails: 11 addresses"),
        ({"ends": date(2026, 9, 13)}, r"budget: ends: 2026-09-13, with a start on 2026-09-14; allowed: later"),
        ({"ends": date(2027, 9, 15)}, r"budget: ends: 2027-09-15"),
    ],
)
def test_a_budget_that_tells_nobody_or_never_ends_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(ARGS, **more)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        replace(ARGS, limit_usd=Decimal(0), emails=())
    assert len(caught.value.problems) == 2
