from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from jobs.thinking import game24
from jobs.thinking.chains import Chains
from jobs.thinking.game24 import State
from jobs.thinking.journal import Attempt
from jobs.thinking.lessons import plain_steps
from jobs.thinking.tree import BREADTH_FIRST, DEPTH_FIRST, Search, Shape
from jobs.thinking.wording import Wording, Words, worth
from tests.jobs.thinking.conftest import Answer, StandIn, client_of

Serve = Callable[[Answer], StandIn]
PUZZLE = (2, 5, 8, 11)
SHAPE = Shape(breadth=2, num_proposals=40, num_judgements=2, temperature=1, threshold=0.5, max_states=20)


def _state(prompt: str) -> State:
    words = prompt.replace(":", " ").replace("?", " ").split()
    return tuple(map(Fraction, itertools.takewhile(lambda word: word[0].isdigit(), words[1:])))


def _expert(body: dict[str, Any]) -> list[str]:
    """Proposes every plain step, and judges exactly."""
    state = _state(body["prompt"])
    if body["prompt"].startswith("Can"):
        return [" sure" if game24.solvable(state) else " impossible"] * body["n"]
    steps = [f" {step}" for step in plain_steps(state)]
    return [steps[place % len(steps)] for place in range(body["n"])]


def _search(stand_in: StandIn, method: str, shape: Shape = SHAPE) -> tuple[Attempt, Search]:
    search = Search(client=client_of(stand_in), words=Words(wording=Wording.TRAINED), shape=shape, seed=0)
    return asyncio.run(search.attempt(method, 7, PUZZLE)), search


@pytest.mark.parametrize("method", [BREADTH_FIRST, DEPTH_FIRST])
def test_a_judge_that_is_right_leads_to_24(serve: Serve, method: str) -> None:
    stand_in = serve(_expert)
    attempt, search = _search(stand_in, method)
    assert attempt.right
    assert (attempt.method, attempt.problem, len(attempt.said)) == (method, 7, 3)
    assert attempt.requests == len(stand_in.bodies)
    assert attempt.new_tokens == sum(3 * body["n"] for body in stand_in.bodies)
    assert search.opened <= (1 + 2 + 2 if method == BREADTH_FIRST else 3)


def test_a_state_is_judged_once(serve: Serve) -> None:
    stand_in = serve(_expert)
    _search(stand_in, BREADTH_FIRST)
    judged = Counter(body["prompt"] for body in stand_in.bodies if body["prompt"].startswith("Can"))
    assert set(judged.values()) == {1}


@pytest.mark.parametrize("method", [BREADTH_FIRST, DEPTH_FIRST])
def test_a_model_that_reckons_wrongly_is_found_out_by_the_referee_only(serve: Serve, method: str) -> None:
    def liar(body: dict[str, Any]) -> list[str]:
        state = _state(body["prompt"])
        if body["prompt"].startswith("Can"):
            return [" sure"] * body["n"]
        return [f" {state[0]} + {state[1]} = 24" if len(state) == 2 else f" {state[0]} + {state[1]} = 1"] * body["n"]

    attempt, _ = _search(serve(liar), method)
    assert attempt.parsed
    assert not attempt.right


@pytest.mark.parametrize("method", [BREADTH_FIRST, DEPTH_FIRST])
def test_of_steps_that_seem_as_good_the_one_that_is_drawn_more_often_is_gone_on_with(serve: Serve, method: str) -> None:
    """Here every last step claims 24, and one that is drawn once is a slip."""

    def slips(body: dict[str, Any]) -> list[str]:
        state = _state(body["prompt"])
        if body["prompt"].startswith("Can") or len(state) > 2:
            return _expert(body)
        slip = f" {state[0]} + {state[1]} = 24"
        return [slip, *[text for text in _expert(body) if text.endswith("= 24")][: body["n"] - 1]]

    attempt, _ = _search(serve(lambda body: (slips(body) * body["n"])[: body["n"]]), method)
    assert attempt.right


@pytest.mark.parametrize("said", ["", "I do not know", " 99 + 1 = 100", " 1 + = 3", "\n\n"])
def test_what_is_no_step_from_the_state_is_passed_over(serve: Serve, said: str) -> None:
    attempt, search = _search(serve(lambda body: [said] * body["n"]), DEPTH_FIRST)
    assert not attempt.parsed
    assert search.opened == 1


@pytest.mark.parametrize("method", [BREADTH_FIRST, DEPTH_FIRST])
def test_a_tree_opens_no_more_states_than_it_may(serve: Serve, method: str) -> None:
    """Nothing leads to 24 here, and everything seems to."""

    def hopeful(body: dict[str, Any]) -> list[str]:
        if body["prompt"].startswith("Can"):
            return [" sure"] * body["n"]
        return [text.rpartition("=")[0] + "= 1000" if "= 24" in text else text for text in _expert(body)]

    shape = Shape(breadth=9, num_proposals=40, num_judgements=1, temperature=1, threshold=0.5, max_states=6)
    attempt, search = _search(serve(hopeful), method, shape)
    assert not attempt.parsed
    assert search.opened == 6


def test_depth_first_turns_back_from_what_seems_impossible(serve: Serve) -> None:
    stand_in = serve(lambda body: [" impossible"] * body["n"] if body["prompt"].startswith("Can") else _expert(body))
    _, search = _search(stand_in, DEPTH_FIRST)
    assert search.opened == 1


def test_a_chain_is_judged_by_its_first_three_steps(serve: Serve) -> None:
    way = " 11 - 5 = 6\nLeft 2 6 8: 2 + 6 = 8\nLeft 8 8: 8 + 8 = 16\n"
    texts = [way, " 8 - 5 = 3\nLeft 2 3 11: 11 - 3 = 8\nLeft 2 8: 2 * 8 = 16\n", "no idea"]
    attempts = []
    for text in texts:
        client = client_of(serve(_sayer(text)))
        words = Words(wording=Wording.TRAINED)
        chains = Chains(client=client, words=words, num_samples=2, temperature=1, seed=0)
        attempts.append(asyncio.run(chains.chain_24(0, PUZZLE)))
    assert [attempt.right for attempt in attempts] == [False, False, False]
    assert [attempt.parsed for attempt in attempts] == [True, True, False]
    assert attempts[0].said == ["11 - 5 = 6", "2 + 6 = 8", "8 + 8 = 16"]


def _sayer(text: str) -> Answer:
    return lambda _: [text]


@pytest.mark.parametrize(
    ("text", "value"), [(" sure", 1), ("Impossible.", 0), ("It is **likely**", 0.5), ("who knows", None), ("", None)]
)
def test_a_judgement_is_worth_what_its_word_is(text: str, value: float | None) -> None:
    assert worth(text) == value
