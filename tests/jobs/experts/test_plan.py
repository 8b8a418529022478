from __future__ import annotations

import json
import re
from typing import Any

import pytest

from jobs.experts.plan import Plan, PlanError, Step, checked, parse_json, parse_lines, to_json, to_lines
from jobs.experts.tasks import Kind

GIVEN = {"image-1": Kind.IMAGE, "image-2": Kind.IMAGE, "text-3": Kind.TEXT}
READ = {"task": "image-to-text", "id": 0, "dep": [-1], "args": {"image": "image-1"}}
MOOD = {"task": "text-classification", "id": 1, "dep": [0], "args": {"text": "<resource>-0"}}
CHAIN = "0 image-to-text image=image-1\n1 text-classification text=#0\n"
GRAPH = "0 image-to-text image=image-1\n1 translation text=text-3\n2 sentence-similarity text=#0 text2=#1\n"


def planned(text: str) -> Plan:
    return checked(parse_lines(text), GIVEN, 8)


def test_both_forms_say_the_same() -> None:
    plan = planned(GRAPH)
    assert to_lines(plan) == GRAPH
    assert parse_json(to_json(plan)) == list(plan.steps)
    assert parse_json(f"Here it is: {json.dumps([READ, MOOD])} - that is all.") == list(planned(CHAIN).steps)
    assert parse_json(json.dumps([READ, MOOD | {"args": {"text": "<GENERATED>-0"}}])) == list(planned(CHAIN).steps)


def test_plans_mean_the_same_whatever_their_numbers_and_the_order_of_what_is_compared() -> None:
    other = "7 sentence-similarity text=#3 text2=#5\n3 translation text=text-3\n5 image-to-text image=image-1\n"
    assert planned(other).meaning == planned(GRAPH).meaning
    assert planned(other).last == [7]
    swapped = GRAPH.replace("image-1", "image-2")
    assert planned(swapped).meaning != planned(GRAPH).meaning
    assert planned(CHAIN).meaning != planned(CHAIN.splitlines()[0]).meaning


def test_what_no_step_takes_is_answered_in_the_order_of_the_plan() -> None:
    plan = planned("0 translation text=text-3\n1 image-to-text image=image-1\n2 text-classification text=#1\n")
    assert plan.last == [0, 2]
    assert plan.meaning == [("translation", "text-3"), ("text-classification", ("image-to-text", "image-1"))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "plan: 0 steps; allowed: 1 to 8"),
        ("".join(f"{number} translation text=text-3\n" for number in range(9)), "plan: 9 steps; allowed: 1 to 8"),
        ("0 translation text=text-3\n0 translation text=text-3", "plan: ids [0, 0]; allowed: each once"),
        ("0 summarization text=text-3", "plan: step 0: task 'summarization'; allowed: image-classification, "),
        ("0 translation image=text-3", "plan: step 0: translation with image; allowed: text"),
        ("0 sentence-similarity text=text-3", "sentence-similarity with text; allowed: text, text2"),
        ("0 translation text=text-9", "text: 'text-9' is not given; allowed: image-1, image-2, text-3, or a step"),
        (f"0 translation text=#{'4' * 9000}", "plan: step 0: text: '#4444"),
        ("0 translation text=#4", "plan: step 0: text: there is no step 4; allowed: [0]"),
        ("0 translation text=image-1", "plan: step 0: text: is of kind image; allowed: text"),
        ("0 translation text=text-3\n1 image-to-text image=#0", "image: is of kind text; allowed: image"),
        ("0 translation text=#1\n1 translation text=#0", "each waits for the other; allowed: no cycle"),
        ("0 translation text=#0", "plan: steps 0, 0: each waits for the other; allowed: no cycle"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_with_its_step(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=re.escape(message)):
        planned(text)


@pytest.mark.parametrize(
    "text", ["first translate it", "0 translation", "0 translation text = text-3", "a b c=d", f"{'9' * 9000} a b=c"]
)
def test_a_line_that_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match=r"is no step; allowed: such as `1 translation text=#0`$"):
        parse_lines(text)


def test_an_argument_that_is_given_twice_is_refused() -> None:
    with pytest.raises(PlanError, match=r"gives an argument twice; allowed: once$"):
        parse_lines("0 translation text=text-3 text=text-3")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("no list at all", "has no list; allowed: a JSON list of steps"),
        ("[{", "plan: no JSON: "),
        ("[" * 100_000, "plan: no JSON: "),
        ([3], "plan: 3 is no step; allowed: task, id, dep and args"),
        ([{"task": "translation"}], "is no step; allowed: task, id, dep and args"),
        ([READ | {"id": "0"}], "allowed: a name as task, a number as id, and names or references as args"),
        ([READ | {"id": True}], "allowed: a name as task, a number as id, and names or references as args"),
        ([READ | {"args": {"image": 1}}], "allowed: a name as task, a number as id"),
        ([READ | {"args": ["image-1"]}], "allowed: a name as task, a number as id"),
        ([READ, MOOD | {"dep": [-1]}], "plan: step 1: dep [-1]; allowed: [0], as in args"),
        ([READ | {"dep": [5]}], "plan: step 0: dep [5]; allowed: [-1], as in args"),
    ],
)
def test_json_that_is_no_plan_is_refused(values: Any, message: str) -> None:
    with pytest.raises(PlanError, match=re.escape(message)):
        parse_json(values if isinstance(values, str) else json.dumps(values))


def test_a_step_knows_what_it_waits_for() -> None:
    assert Step(id=2, task="sentence-similarity", args={"text": 1, "text2": 0}).dep == [0, 1]
