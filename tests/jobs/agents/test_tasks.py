from __future__ import annotations

import asyncio
import re
from collections import Counter

import pytest

from jobs.agents.goals import goal_of
from jobs.agents.library import Library
from jobs.agents.sandbox import Limits, Sandbox
from jobs.agents.scripted import Scripted
from jobs.agents.tasks import BOTH, CALCULATE, DOCUMENTED, KINDS, LOOK_UP, is_right, made_tasks, records
from tests.jobs.agents.conftest import agent, budget, needs_bwrap


def test_there_are_tasks_of_every_kind_and_the_same_each_time(documents: dict[str, str]) -> None:
    tasks, rules = made_tasks(documents, 27, seed=3)
    assert (tasks, rules) == made_tasks(documents, 27, seed=3)
    assert Counter(task.kind for task in tasks) == {LOOK_UP: 9, CALCULATE: 9, BOTH: 6, DOCUMENTED: 3}
    assert len(rules) == 3
    assert tasks != made_tasks(documents, 27, seed=4)[0]


def test_answers_are_those_of_the_documents(documents: dict[str, str]) -> None:
    tasks, rules = made_tasks(documents, 45, seed=0)
    by_id = {record.id: record for record in records(documents)}
    for task in tasks:
        if task.kind == LOOK_UP:
            record = by_id[task.document]
            assert task.answer in (record.place, str(record.number))
        if task.kind == DOCUMENTED:
            formula = re.search(r"`(.+)`", rules[task.document])
            number = re.search(r"record [A-Z]{2}-(\d{4})", task.question)
            assert formula
            assert number
            assert str(eval(formula[1], {"number": int(number[1])})) == task.answer


@pytest.mark.parametrize(
    ("said", "answer", "right"),
    [
        ("Answer: 12", "12", True),
        ("Answer: 0012.", "12", True),
        ("I looked. Answer: near the Harbour.", "harbour", True),
        ("harbour", "harbour", True),
        ("Answer: 12 or 13", "12", False),
        ("Answer: 13", "12", False),
        ("Answer: unknown", "12", False),
        ("", "12", False),
    ],
)
def test_an_answer_is_graded_exactly(said: str, answer: str, right: bool) -> None:
    assert is_right(said, answer) is right


@needs_bwrap
@pytest.mark.parametrize("guarded", [True, False])
def test_the_script_solves_what_the_guard_lets_it(documents: dict[str, str], library: Library, guarded: bool) -> None:
    tasks, rules = made_tasks(documents, 18, seed=0)
    policy = Scripted(plans=guarded, budget=budget())
    with_rules = agent(policy, library.changed(rules), guarded=guarded, sandbox=Sandbox(limits=Limits()))
    wrong = set()
    for task in tasks:
        assert goal_of(task.question) is not None
        said = asyncio.run(with_rules.solve(task))["said"]
        assert said is not None
        wrong |= set() if is_right(said.text, task.answer) else {task.kind}
    assert wrong == ({DOCUMENTED} if guarded else set())
    assert set(KINDS) == {task.kind for task in tasks}


def test_the_script_says_that_it_does_not_know_other_questions(library: Library) -> None:
    policy = Scripted(plans=True, budget=budget())
    tasks, _ = made_tasks(dict(library.documents), 1, seed=0)
    asked = type(tasks[0])(name="x", kind=LOOK_UP, question="Why?", answer="")
    said = asyncio.run(agent(policy, library).solve(asked))["said"]
    assert said is not None
    assert said.text == "Answer: unknown"
