"""Tell who is to be told: each notice to each place once, and what one place does not take the others still get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clusterlab.enforcement.memory import Memory
from clusterlab.enforcement.notice import Notice, Notifier
from clusterlab.enforcement.threshold import SPENT, passed
from clusterlab.errors import ClusterlabError, StorageError, UnreachableError
from clusterlab.ledger.spending import Spending


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A budget, the threshold that it passed, and where that was told now, or in a dry run would be."""

    spending: Spending
    percent: int
    told: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As JSON values, dollars as texts."""
        return self.spending.as_json() | {"percent": self.percent, "told": list(self.told)}


@dataclass(kw_only=True, slots=True)
class Round:
    """One round of notices."""

    course: str
    at: datetime
    follows: str
    """What happens once a budget is spent."""
    notifiers: Sequence[Notifier]
    memory: Memory
    yes: bool

    def tell(self, spendings: Sequence[Spending]) -> tuple[list[Case], list[str]]:
        """Every budget with what was told of it, and what could not be told; that is tried again the next time.

        A service that does not answer is asked once, and not again for each of its notices.

        Raises:
            StorageError: what was told cannot be kept; this is tried before anything is told.
        """
        if self.yes:
            self.memory.write()
        cases, problems = [], []
        silent: set[str] = set()
        for spending in spendings:
            percent, told = passed(spending), []
            for notifier in self.notifiers:
                if notifier.service in silent or percent <= self.memory.percent(spending, notifier.name):
                    continue
                try:
                    self._notify(notifier, spending, percent)
                except ClusterlabError as error:
                    problems.append(f"{notifier.name}: {error}; it is told again the next time")
                    if isinstance(error, UnreachableError | StorageError):
                        silent.add(notifier.service)
                    continue
                told.append(notifier.name)
                if self.yes:
                    self.memory.remember(spending, notifier.name, percent)
            cases.append(Case(spending=spending, percent=percent, told=tuple(told)))
        return cases, problems

    def _notify(self, notifier: Notifier, spending: Spending, percent: int) -> None:
        follows = self.follows if percent >= SPENT else ""
        if self.yes:
            notifier.notify(Notice(course=self.course, spending=spending, percent=percent, at=self.at, follows=follows))
