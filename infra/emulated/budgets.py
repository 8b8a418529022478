"""Budgets of AWS, and what Cost Explorer watches; moto has no budget actions, allocation tags or anomaly monitors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made

PERIOD_FORMAT = "%Y-%m-%d_%H:%M"
"""In which the provider writes an instant, in UTC."""


def budget(account: Account, asked: Asked) -> Made:
    """`aws.budgets.Budget`."""
    name, notices, tags = asked.take("name", asked.name), asked.take("notifications", []), asked.take("tags", {})
    limit = {"amount": asked.take("limitAmount"), "unit": asked.take("limitUnit")}
    period = {"start": _instant(asked.take("timePeriodStart")), "end": _instant(asked.take("timePeriodEnd"))}
    number, filters = asked.take("accountId", account.number), asked.take("costFilters", [])
    given = asked.inputs | {
        "budgetName": name,
        "budgetLimit": limit,
        "timePeriod": period,
        "costFilters": {each["name"]: each["values"] for each in filters},
    }
    arguments = {
        "accountId": number,
        "budget": given,
        "notificationsWithSubscribers": [_notice(each) for each in notices],
        "resourceTags": tags,
    }
    account.call("budgets", "create_budget", arguments)
    arn = f"arn:aws:budgets::{number}:budget/{name}"
    return Made(id=f"{number}:{name}", outputs={"arn": arn, "name": name, "accountId": number})


def _notice(given: dict[str, Any]) -> dict[str, Any]:
    rest = dict(given)
    mails, topics = rest.pop("subscriberEmailAddresses", None), rest.pop("subscriberSnsTopicArns", None)
    told = [{"subscriptionType": "EMAIL", "address": each} for each in mails or []]
    told += [{"subscriptionType": "SNS", "address": each} for each in topics or []]
    return {"notification": rest, "subscribers": told}


def action(account: Account, asked: Asked) -> Made:
    """`aws.budgets.BudgetAction`."""
    number, tags = asked.take("accountId", account.number), asked.take("tags", {})
    inputs = asked.inputs | {"accountId": number, "resourceTags": tags}
    account.check("budgets", "create_budget_action", inputs, what=str(asked))
    outputs = {
        "actionId": asked.name,
        "arn": f"arn:aws:budgets::{number}:budget/{inputs['budgetName']}/action/{asked.name}",
    }
    return Made(id=f"{number}:{asked.name}:{inputs['budgetName']}", outputs=outputs | {"status": "STANDBY"})


def allocation_tag(account: Account, asked: Asked) -> Made:
    """`aws.costexplorer.CostAllocationTag`."""
    account.check(
        "ce", "update_cost_allocation_tags_status", {"costAllocationTagsStatus": [asked.inputs]}, what=str(asked)
    )
    return Made(id=asked.inputs["tagKey"], outputs={"type": "UserDefined"})


def anomaly_monitor(account: Account, asked: Asked) -> Made:
    """`aws.costexplorer.AnomalyMonitor`."""
    name, tags = asked.take("name", asked.name), asked.take("tags", {})
    specification = asked.take("monitorSpecification")
    more = {"monitorSpecification": json.loads(specification)} if specification else {}
    arguments = {"anomalyMonitor": asked.inputs | {"monitorName": name} | more, "resourceTags": tags}
    account.check("ce", "create_anomaly_monitor", arguments, what=str(asked))
    arn = f"arn:aws:ce::{account.number}:anomalymonitor/{asked.name}"
    return Made(id=arn, outputs={"arn": arn, "name": name})


def anomaly_subscription(account: Account, asked: Asked) -> Made:
    """`aws.costexplorer.AnomalySubscription`."""
    name, tags = asked.take("name", asked.name), asked.take("tags", {})
    given = asked.rename(monitorArnLists="monitorArnList") | {"subscriptionName": name}
    arguments = {"anomalySubscription": given, "resourceTags": tags}
    account.check("ce", "create_anomaly_subscription", arguments, what=str(asked))
    arn = f"arn:aws:ce::{account.number}:anomalysubscription/{asked.name}"
    return Made(id=arn, outputs={"arn": arn, "name": name})


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.strptime(text, PERIOD_FORMAT).replace(tzinfo=UTC)


MAKERS = {
    "aws:budgets/budget:Budget": budget,
    "aws:budgets/budgetAction:BudgetAction": action,
    "aws:costexplorer/costAllocationTag:CostAllocationTag": allocation_tag,
    "aws:costexplorer/anomalyMonitor:AnomalyMonitor": anomaly_monitor,
    "aws:costexplorer/anomalySubscription:AnomalySubscription": anomaly_subscription,
}
