from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clusterlab.enforcement.memory import Memory
from clusterlab.enforcement.notice import Notice
from clusterlab.enforcement.tell import Case, Round
from clusterlab.errors import ClusterlabError, InputError, StorageError, UnreachableError
from clusterlab.ledger.spending import Spending
from tests.clusterlab.enforcement.conftest import COURSE, spending


@dataclass(kw_only=True)
class Ear:
    """A notifier that fails as often as it is told to."""

    name: str = "ear"
    errors: list[ClusterlabError] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    tries: int = 0

    @property
    def service(self) -> str:
        return self.name.partition(" ")[0]

    def notify(self, notice: Notice) -> None:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        self.heard.append(f"{notice.spending.budget.name} {notice.percent} {notice.follows}".strip())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "told.json"


def tell(path: Path, ears: list[Ear], *spendings: Spending, yes: bool = True) -> tuple[list[Case], list[str]]:
    """As one run of the command does."""
    memory, at = Memory.read(path, COURSE), datetime.now(UTC)
    each = Round(course=COURSE, at=at, follows="Refused.", notifiers=ears, memory=memory, yes=yes)
    return each.tell(spendings)


def test_each_threshold_is_told_once(path: Path) -> None:
    ear = Ear()
    for spent in (5, 10, 12, 16, 16, 20, 25):
        tell(path, [ear], spending(spent))
    assert ear.heard == ["ana 50", "ana 80", "ana 100 Refused."]


def test_two_that_are_passed_at_once_are_one_notice(path: Path) -> None:
    ear = Ear()
    tell(path, [ear], spending(21))
    tell(path, [ear], spending(21))
    assert ear.heard == ["ana 100 Refused."]


def test_another_cap_begins_anew(path: Path) -> None:
    ear = Ear()
    for spent, cap in ((16, 20), (16, 30), (16, 30), (16, 20)):
        tell(path, [ear], spending(spent, cap))
    assert ear.heard == ["ana 80", "ana 50", "ana 80"]


def test_what_one_does_not_take_the_others_get_and_it_is_tried_again(path: Path) -> None:
    deaf, ear = Ear(name="deaf", errors=[UnreachableError("no answer")]), Ear()
    cases, problems = tell(path, [deaf, ear], spending(10))
    assert problems == ["deaf: no answer; it is told again the next time"]
    assert cases[0].told == ("ear",)
    assert tell(path, [deaf, ear], spending(10))[1] == []
    assert (deaf.heard, ear.heard) == (["ana 50"], ["ana 50"])


def test_a_service_that_does_not_answer_is_asked_once_a_round(path: Path) -> None:
    ears = [Ear(name=f"smtp {each}", errors=[UnreachableError("no answer")] * 9) for each in "ab"]
    _, problems = tell(path, ears, spending(10), spending(10, name="ben"))
    assert problems == ["smtp a: no answer; it is told again the next time"]
    assert [each.tries for each in ears] == [1, 0]


def test_a_notice_that_is_refused_does_not_keep_back_the_next(path: Path) -> None:
    ear = Ear(errors=[ClusterlabError("no such user")])
    _, problems = tell(path, [ear], spending(10), spending(10, name="ben"))
    assert (len(problems), ear.heard) == (1, ["ben 50"])


def test_a_dry_run_tells_nobody_and_remembers_nothing(path: Path) -> None:
    ear = Ear()
    ((case,), _) = tell(path, [ear], spending(10), yes=False)
    assert (case.told, ear.tries, path.exists()) == (("ear",), 0, False)


def test_what_cannot_be_remembered_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ear = Ear()
    with pytest.raises(StorageError, match=r"file/told\.json: cannot be written"):
        tell(tmp_path / "file" / "told.json", [ear], spending(10))
    assert ear.tries == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": "clusterlab-enf', r"told\.json: no memory of `enforce`: JSONDecodeError; remove it"),
        ("", r"no memory of `enforce`"),
        ("[]", r"no memory of `enforce`: TypeError"),
        ('{"format": "x", "course": "y"}', r"no memory of `enforce`: KeyError"),
        ('{"format": "x", "course": "y", "told": {"student ana": {}}}', r"no memory of `enforce`: KeyError"),
        ('{"format": "x", "course": "y", "told": {}}', r"is of x, y; allowed: clusterlab-enforcement-1, llm-2026, or"),
    ],
)
def test_a_memory_that_is_torn_or_anothers_is_one_error(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        Memory.read(path, COURSE)


def test_the_memory_is_a_small_document(path: Path) -> None:
    tell(path, [Ear()], spending(10))
    document: dict[str, Any] = json.loads(path.read_text())
    assert document == {
        "format": "clusterlab-enforcement-1",
        "course": COURSE,
        "told": {"student ana": {"cap_usd": "20.000000", "to": {"ear": 50}}},
    }
