"""The budget of a class on Google Cloud, as the billing account watches it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pulumi

from infra.naming import Naming


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetArgs:
    """How much, and who is told."""

    naming: Naming
    project: str
    project_number: pulumi.Input[str]
    billing_account: str
    """Its id, such as `000000-000000-000000`."""
    limit_usd: Decimal
    starts: date
    ends: date
    """The last day."""
    emails: tuple[str, ...]


class Budget(pulumi.ComponentResource):
    """A budget with thresholds at 50, 80 and 100 %, and of the forecast."""

    topic_id: pulumi.Output[str]
    """Of Pub/Sub, which every notice goes to."""
