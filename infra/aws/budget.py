"""A class's budget: mail at half, at most and at all of it, and at all of it nobody launches any more.

AWS Budgets sees the bill, which lags a day; `clusterlab enforce` (docs/money.md) acts on its own metering, and this is
the net below it. A budget, cost-allocation tags and anomalies are the payer's: in an organisation they are made with
the credentials of its management account, and a tag can be activated a day after something carried it first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import pulumi
import pulumi_aws as aws

from clusterlab.errors import InputError, Problem
from infra.aws.statements import fitting, path_of, trust_service
from infra.aws.statements_launch import KEYS
from infra.aws.statements_service import budget_action
from infra.naming import Naming

COST_TAGS = tuple(key for key in KEYS if key != "lease-until")
"""By which the bill is divided."""
SPENT_PERCENT = (50, 80, 100)
FORECAST_PERCENT = 100
MAX_ROLES = 100
"""That one action of AWS Budgets takes."""
MAX_EMAILS = 10
"""That one of its notifications takes."""
LONGEST = timedelta(days=365)
"""Of a class: after a year AWS Budgets begins to count anew."""
LAG = timedelta(days=31)
"""Leases and the bill go on after a class's last day."""
TOLD_ANOMALY = Decimal("0.02")
"""Of the budget; what is out of the ordinary but costs less is not told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetArgs:
    """What a budget is made of.

    Raises:
        InputError: nobody is told, or too many, there is nothing to spend, or the class is longer than a year.
    """

    naming: Naming
    limit_usd: Decimal
    starts: date
    ends: date
    emails: tuple[str, ...]
    deny_policy_arn: pulumi.Input[str]
    """What denies launches."""
    role_names: Sequence[pulumi.Input[str]]
    """Whose launches it denies; all of the class's own path in IAM."""

    def __post_init__(self) -> None:
        problems = [
            Problem(path="budget", key=key, message=message)
            for wrong, key, message in (
                (self.limit_usd <= 0, "limit_usd", f"{self.limit_usd}; allowed: above 0"),
                (
                    not 1 <= len(self.emails) <= MAX_EMAILS,
                    "emails",
                    f"{len(self.emails)} addresses; allowed: 1 to {MAX_EMAILS}",
                ),
                (
                    not timedelta(0) <= self.ends - self.starts <= LONGEST,
                    "ends",
                    f"{self.ends}, with a start on {self.starts}; allowed: later, by a year at most",
                ),
            )
            if wrong
        ]
        if problems:
            raise InputError(problems)


class Budget(pulumi.ComponentResource):
    """A budget of what the course's tag costs, its action, and an eye on what is out of the ordinary."""

    budget_name: pulumi.Output[str]

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:Budget", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._activate()
        self.budget_name = self._budget()
        self._deny()
        self._watch()
        self.register_outputs({"budget_name": self.budget_name})

    def _activate(self) -> None:
        """The account's, not the class's: the end of one class must not take a tag from the bill of another."""
        for tag in COST_TAGS:
            kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
            aws.costexplorer.CostAllocationTag(f"{self._name}-{tag}", tag_key=tag, status="Active", opts=kept)

    def _budget(self) -> pulumi.Output[str]:
        args = self._args
        budget = aws.budgets.Budget(
            f"{self._name}-budget",
            name=args.naming.name,
            budget_type="COST",
            limit_amount=str(args.limit_usd),
            limit_unit="USD",
            # For a whole class, which a month is not; it begins with a month, as bills do.
            time_unit="ANNUALLY",
            time_period_start=f"{args.starts.replace(day=1)}_00:00",
            time_period_end=f"{args.ends + LAG}_00:00",
            cost_filters=[
                aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:course${args.naming.course}"])
            ],
            notifications=list(_notifications(args.emails)),
            tags=args.naming.tags("budget"),
            opts=self._child,
        )
        budget_name: pulumi.Output[str] = budget.name
        return budget_name

    def _deny(self) -> None:
        """At all of the budget launches are denied, without asking anybody; an instructor resets the action."""
        args = self._args
        role, granted = self._execution_role()
        after = pulumi.ResourceOptions(parent=self, depends_on=[granted])
        for number, start in enumerate(range(0, len(args.role_names), MAX_ROLES)):
            denied = aws.budgets.BudgetActionDefinitionIamActionDefinitionArgs(
                policy_arn=args.deny_policy_arn, roles=list(args.role_names[start : start + MAX_ROLES])
            )
            aws.budgets.BudgetAction(
                f"{self._name}-deny-{number}",
                budget_name=self.budget_name,
                action_type="APPLY_IAM_POLICY",
                approval_model="AUTOMATIC",
                notification_type="ACTUAL",
                action_threshold=aws.budgets.BudgetActionActionThresholdArgs(
                    action_threshold_type="PERCENTAGE", action_threshold_value=100
                ),
                definition=aws.budgets.BudgetActionDefinitionArgs(iam_action_definition=denied),
                execution_role_arn=role.arn,
                subscribers=[
                    aws.budgets.BudgetActionSubscriberArgs(address=email, subscription_type="EMAIL")
                    for email in args.emails
                ],
                tags=args.naming.tags("budget"),
                opts=after,
            )

    def _execution_role(self) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        naming = self._args.naming
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(parent=self)).account_id
        known = pulumi.Output.all(account, self._args.deny_policy_arn)
        role = aws.iam.Role(
            f"{self._name}-role",
            name=fitting(naming.of("budget")),
            path=path_of(naming.course),
            assume_role_policy=account.apply(
                lambda number: json.dumps(trust_service("budgets", StringEquals={"aws:SourceAccount": number}))
            ),
            tags=naming.tags("budget"),
            opts=self._child,
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-role",
            role=role.id,
            policy=known.apply(lambda pair: json.dumps(budget_action(pair[0], naming.course, pair[1]))),
            opts=self._child,
        )
        return role, policy

    def _watch(self) -> None:
        args = self._args
        monitor = aws.costexplorer.AnomalyMonitor(
            f"{self._name}-monitor",
            name=args.naming.name,
            monitor_type="CUSTOM",
            monitor_specification=json.dumps({"Tags": {"Key": "course", "Values": [args.naming.course]}}),
            tags=args.naming.tags("anomalies"),
            opts=self._child,
        )
        self._tell(monitor.arn)

    def _tell(self, monitor_arn: pulumi.Output[str]) -> None:
        args = self._args
        least = aws.costexplorer.AnomalySubscriptionThresholdExpressionDimensionArgs(
            key="ANOMALY_TOTAL_IMPACT_ABSOLUTE",
            match_options=["GREATER_THAN_OR_EQUAL"],
            values=[f"{args.limit_usd * TOLD_ANOMALY:.2f}"],
        )
        aws.costexplorer.AnomalySubscription(
            f"{self._name}-anomalies",
            name=args.naming.name,
            # What is told at once goes to a topic only; mail is once a day.
            frequency="DAILY",
            monitor_arn_lists=[monitor_arn],
            subscribers=[
                aws.costexplorer.AnomalySubscriptionSubscriberArgs(type="EMAIL", address=email) for email in args.emails
            ],
            threshold_expression=aws.costexplorer.AnomalySubscriptionThresholdExpressionArgs(dimension=least),
            tags=args.naming.tags("anomalies"),
            opts=self._child,
        )


def _notifications(emails: Sequence[str]) -> Iterator[aws.budgets.BudgetNotificationArgs]:
    of = [("ACTUAL", percent) for percent in SPENT_PERCENT] + [("FORECASTED", FORECAST_PERCENT)]
    for kind, percent in of:
        yield aws.budgets.BudgetNotificationArgs(
            comparison_operator="GREATER_THAN",
            notification_type=kind,
            threshold=percent,
            threshold_type="PERCENTAGE",
            subscriber_email_addresses=list(emails),
        )
