from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs.experts.controllers import KEYWORDS, MODEL, RIGHT, Decision, LanguageModel
from jobs.experts.expert_server import Execution
from jobs.experts.requests import Request
from jobs.experts.response import lines_of, metrics_of, respond_all, tells
from jobs.experts.routing import Routed, judge
from jobs.experts.wording import Words
from jobs.launch.folder import VARIABLE
from jobs.thinking.journal import Attempt, Journal
from jobs.thinking.session import Session
from jobs.thinking.wording import Wording
from tests.jobs.experts.conftest import CARDS
from tests.jobs.thinking.conftest import Answer, StandIn, client_of, serve

__all__ = ["serve"]


@pytest.mark.parametrize(
    ("text", "answers", "told"),
    [
        ("It shows three circles.", ["three"], True),
        ("THREE, and it is positive", ["three", "positive"], True),
        ("It shows thirteen.", ["three"], False),
        ("It is unpositive.", ["positive"], False),
        ("three", ["three", "circle"], False),
        ("They say: food was good.", ["food was good"], True),
    ],
)
def test_a_response_tells_all_answers_or_not(text: str, answers: Sequence[str], told: bool) -> None:
    assert tells(text, answers) is told


def routed(request: Request, number: int, method: str, *, failed: bool = False) -> Routed:
    """With the right plan carried out, whose last step may have failed."""
    answers = dict(zip(request.plan.last, request.answers, strict=True))
    same = {"error": "", "replica": "r", "loaded": False, "begin": 0.0, "end": 1.0}
    steps = [
        {"id": step.id, "value": None if failed else answers.get(step.id, "x"), **same} for step in request.plan.steps
    ]
    decision = Decision(plan=request.plan, models=request.models)
    return judge(number, request, method, decision, Execution(steps=steps))


def test_answers_are_put_into_words_where_there_are_some_and_never_twice(
    serve: Callable[[Answer], StandIn], requests: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    request = requests[-1]
    texts = [f"It is so: {' and '.join(request.answers)}.", "I do not know."]
    stand_in = serve(lambda _: [texts[(len(stand_in.bodies) - 1) % 2]])
    attempts = [routed(request, len(requests) - 1, name) for name in (RIGHT, MODEL, KEYWORDS)]
    attempts.append(routed(requests[0], 0, RIGHT, failed=True))
    model = LanguageModel(
        client=client_of(stand_in, chat=True), words=Words(wording=Wording.CHAT), cards=CARDS, max_steps=8
    )
    journal = Journal(path=tmp_path / "responses.jsonl", kind=Attempt)
    for _ in range(2):
        asyncio.run(respond_all(Session(journal=journal, concurrency=1), requests, attempts, model))
    assert metrics_of(journal.all()) == {"told_right": 1, "told_model": 0}
    assert len(stand_in.bodies) == 2
    asked: Any = stand_in.bodies[0]["messages"][0]["content"]
    assert request.text in asked
    last = [step.task for step in request.plan.steps if step.id in request.plan.last]
    assert all(f"- {task}: {answer}\n" in asked for task, answer in zip(last, request.answers, strict=True))
    lines = lines_of(journal.all())
    assert "of 1 with the right plan's answers 100.0 %, of 1 with its own plan's answers 0.0 %" in lines


def test_where_nobody_was_asked_nothing_is_said() -> None:
    assert (metrics_of([]), lines_of([])) == ({}, "")
