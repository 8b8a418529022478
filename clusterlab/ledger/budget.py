"""A budget: what a student, a team or a course may hold, and what of it they do."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from clusterlab.errors import ClusterlabError
from clusterlab.ledger.entry import Entry, Kind


class Scope(StrEnum):
    """For whom a cap is."""

    STUDENT = "student"
    TEAM = "team"
    COURSE = "course"


class BudgetError(ClusterlabError):
    """The budget does not cover what is asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Of one student, team or course."""

    scope: Scope
    name: str
    cap_usd: Decimal | None = None
    """None where nobody set one."""
    held_usd: Decimal = Decimal(0)
    """Reserved and not free again, or used."""

    @property
    def free_usd(self) -> Decimal | None:
        """What is left, below 0 where more was used than the cap; None without a cap."""
        return None if self.cap_usd is None else self.cap_usd - self.held_usd

    def after(self, entry: Entry) -> Budget:
        """The budget after one more row of its student, team or course."""
        if entry.kind is Kind.CAP:
            return replace(self, cap_usd=Decimal(json.loads(entry.detail)["usd"]))
        if entry.kind is Kind.CLOSE:
            return replace(self, cap_usd=Decimal(0))
        return replace(self, held_usd=self.held_usd + entry.usd)

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        amounts = {"cap_usd": self.cap_usd, "held_usd": self.held_usd, "free_usd": self.free_usd}
        shown = {key: None if usd is None else f"{usd:f}" for key, usd in amounts.items()}
        return {"scope": self.scope, "name": self.name, **shown}


def changes(entry: Entry) -> dict[Scope, str]:
    """Whose budgets a row changes, by name."""
    changed = entry.micro_usd or entry.kind in (Kind.CAP, Kind.CLOSE)
    names = {scope: getattr(entry, scope.value) for scope in Scope} if changed else {}
    return {scope: name for scope, name in names.items() if name is not None}
