"""The budget of a class on Google Cloud, as the billing account watches it: it tells, and stops nothing.

Costs come to the billing account hours late, and Google Cloud has no action of a budget that refuses launches: the
ledger and the course's policy do. Each notice goes to a topic too, which a program may act on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pulumi
import pulumi_gcp as gcp

from infra.gcp.labels import labels
from infra.naming import Naming

THRESHOLDS = (0.5, 0.8, 1.0)
"""Of what is spent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetArgs:
    """How much, and who is told.

    Raises:
        ValueError: the budget is not above 0 or has cents, or it ends before it begins.
    """

    naming: Naming
    project: str
    project_number: pulumi.Input[str]
    billing_account: str
    """Its id, such as `000000-000000-000000`."""
    limit_usd: Decimal
    """Whole dollars."""
    starts: date
    ends: date
    """The last day."""
    emails: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.limit_usd <= 0 or self.limit_usd != int(self.limit_usd):
            raise ValueError(f"limit_usd: {self.limit_usd}; allowed: whole dollars above 0")
        if self.ends < self.starts:
            raise ValueError(f"ends: {self.ends} is before {self.starts}")


class Budget(pulumi.ComponentResource):
    """A budget with thresholds at 50, 80 and 100 %, and one of what a month is expected to cost."""

    topic_id: pulumi.Output[str]
    """Of Pub/Sub, which every notice goes to."""

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:gcp:Budget", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        topic = gcp.pubsub.Topic(
            f"{name}-topic",
            name=args.naming.of("budget"),
            project=args.project,
            labels=labels(args.naming, "budget"),
            opts=self._child,
        )
        self.topic_id = topic.id
        channels = [self._channel(number, email).name for number, email in enumerate(args.emails)]
        rule, period = gcp.billing.BudgetThresholdRuleArgs, _period(args.starts, args.ends)
        spent = [rule(threshold_percent=each, spend_basis="CURRENT_SPEND") for each in THRESHOLDS]
        self._budget("budget", channels, spent, custom_period=period)
        # Google Cloud forecasts calendar periods only: a month that alone would spend the whole budget.
        forecast = [rule(threshold_percent=1.0, spend_basis="FORECASTED_SPEND")]
        self._budget("forecast", channels, forecast, calendar_period="MONTH")
        self.register_outputs({"topic_id": self.topic_id})

    def _channel(self, number: int, email: str) -> gcp.monitoring.NotificationChannel:
        return gcp.monitoring.NotificationChannel(
            f"{self._name}-email-{number}",
            display_name=f"{self._args.naming.course}: {email}",
            project=self._args.project,
            type="email",
            labels={"email_address": email},
            user_labels=labels(self._args.naming, "budget"),
            opts=self._child,
        )

    def _budget(
        self,
        part: str,
        channels: list[pulumi.Output[str]],
        thresholds: list[gcp.billing.BudgetThresholdRuleArgs],
        **period: Any,
    ) -> None:
        args = self._args
        gcp.billing.Budget(
            f"{self._name}-{part}",
            billing_account=args.billing_account,
            display_name=args.naming.of(part),
            amount=_usd(args.limit_usd),
            budget_filter=gcp.billing.BudgetBudgetFilterArgs(
                projects=[pulumi.Output.format("projects/{0}", args.project_number)],
                # A budget counts what has one value of one label.
                labels={"course": args.naming.course},
                credit_types_treatment="EXCLUDE_ALL_CREDITS",
                **period,
            ),
            threshold_rules=thresholds,
            all_updates_rule=gcp.billing.BudgetAllUpdatesRuleArgs(
                pubsub_topic=self.topic_id,
                schema_version="1.0",
                monitoring_notification_channels=channels,
                disable_default_iam_recipients=bool(channels),
            ),
            opts=self._child,
        )


def _usd(limit: Decimal) -> gcp.billing.BudgetAmountArgs:
    amount = gcp.billing.BudgetAmountSpecifiedAmountArgs(currency_code="USD", units=str(int(limit)))
    return gcp.billing.BudgetAmountArgs(specified_amount=amount)


def _period(starts: date, ends: date) -> gcp.billing.BudgetBudgetFilterCustomPeriodArgs:
    first, last = (
        kind(year=day.year, month=day.month, day=day.day)
        for kind, day in (
            (gcp.billing.BudgetBudgetFilterCustomPeriodStartDateArgs, starts),
            (gcp.billing.BudgetBudgetFilterCustomPeriodEndDateArgs, ends),
        )
    )
    return gcp.billing.BudgetBudgetFilterCustomPeriodArgs(start_date=first, end_date=last)
