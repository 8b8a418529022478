from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from clusterlab.errors import UnreachableError
from jobs.launch.folder import VARIABLE
from jobs.thinking.chains import DIRECT, THOUGHT, VOTE, Chains, sizes
from jobs.thinking.findings import gains, methods_of, metrics_of
from jobs.thinking.journal import Attempt, Journal
from jobs.thinking.picture import draw
from jobs.thinking.questions import Question
from jobs.thinking.session import Session
from jobs.thinking.table import markdown
from jobs.thinking.wording import Wording, Words
from tests.jobs.thinking.conftest import Answer, StandIn, client_of

Serve = Callable[[Answer], StandIn]
QUESTIONS = [Question(text=f"What is {number}?", answer=Fraction(number)) for number in range(6)]


@pytest.fixture(autouse=True)
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))


def _attempt(method: str, problem: int, *, right: bool, tokens: int = 10, votes: list[bool] | None = None) -> Attempt:
    same = {"said": [""] * max(1, len(votes or [])), "prompt_tokens": 5, "requests": 1, "seconds": 2.0}
    return Attempt(method=method, problem=problem, right=right, new_tokens=tokens, votes=votes or [], **same)  # type: ignore[arg-type]


def test_what_was_answered_before_an_error_is_kept_and_not_asked_again(tmp_path: Path) -> None:
    session = Session(journal=Journal(path=tmp_path / "attempts.jsonl", kind=Attempt), concurrency=1)
    asked = []

    async def flaky(number: int, _: Question) -> Attempt:
        asked.append(number)
        if number == 3 and asked.count(3) == 1:
            raise UnreachableError("the endpoint is gone")
        return _attempt(DIRECT, number, right=number % 2 == 0)

    with pytest.raises(UnreachableError, match=r"the endpoint is gone"):
        asyncio.run(session.attempts(DIRECT, QUESTIONS, flaky))
    with (tmp_path / "attempts.jsonl").open("a") as file:
        file.write('{"method": "direct", "prob')  # Killed while it wrote.
    found = asyncio.run(session.attempts(DIRECT, QUESTIONS, flaky))
    assert [attempt.problem for attempt in found] == list(range(6))
    assert asked == [0, 1, 2, 3, 3, 4, 5]
    assert list(session.journal.of(DIRECT)) == list(range(6))
    assert asyncio.run(session.attempts(DIRECT, QUESTIONS, flaky)) == found
    assert len(asked) == 7


def test_no_more_problems_are_at_work_than_may_be(tmp_path: Path) -> None:
    session = Session(journal=Journal(path=tmp_path / "attempts.jsonl", kind=Attempt), concurrency=2)
    at_work, most = 0, 0

    async def busy(number: int, _: Question) -> Attempt:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.01)
        at_work -= 1
        return _attempt(DIRECT, number, right=True)

    asyncio.run(session.attempts(DIRECT, QUESTIONS, busy))
    assert most == 2


def test_the_vote_is_right_where_one_answer_is_not_and_counts_its_prefixes(serve: Serve) -> None:
    said = ["Answer: 9", "Answer: 4", "I give up", "so 4", "Answer: 4"]
    stand_in = serve(lambda body: said[: body["n"]])
    words = Words(wording=Wording.TRAINED)
    chains = Chains(client=client_of(stand_in), words=words, num_samples=5, temperature=1, seed=3)
    vote = asyncio.run(chains.vote(4, QUESTIONS[4]))
    one = asyncio.run(chains.thought(4, QUESTIONS[4]))
    assert (vote.right, one.right) == (True, False)
    assert sizes(5) == [1, 2, 4, 5]
    assert vote.votes == [False, False, True, True]
    assert [body["temperature"] for body in stand_in.bodies] == [1, 0]
    assert stand_in.bodies[0]["seed"] == 3 + 4 * 5
    assert stand_in.bodies[0]["prompt"].endswith("\nThink:")


def test_an_answer_without_a_number_is_wrong_and_said_to_be_none(serve: Serve) -> None:
    chains = Chains(
        client=client_of(serve(lambda _: ["no idea"])),
        words=Words(wording=Wording.TRAINED),
        num_samples=2,
        temperature=1,
        seed=0,
    )
    attempt = asyncio.run(chains.direct(0, QUESTIONS[0]))
    assert (attempt.right, attempt.parsed, attempt.said) == (False, False, ["no idea"])


@pytest.fixture
def attempts() -> list[Attempt]:
    """Of 40 problems 10 right at once, 20 by a chain, 36 by a vote."""
    found = [_attempt(DIRECT, number, right=number < 10, tokens=2) for number in range(40)]
    found += [_attempt(THOUGHT, number, right=number < 20) for number in range(40)]
    votes = [[number < 18, number < 36] for number in range(40)]
    return found + [
        _attempt(VOTE, number, right=votes[number][1], tokens=20, votes=votes[number]) for number in range(40)
    ]


def test_the_record_says_what_a_right_answer_took_and_what_is_certain_of_a_gain(attempts: list[Attempt]) -> None:
    metrics = metrics_of(methods_of(attempts, lambda seconds: seconds / 3600), seed=0)
    assert (metrics["accuracy_direct"], metrics["accuracy_cot"], metrics["accuracy_self_consistency"]) == (
        0.25,
        0.5,
        0.9,
    )
    assert metrics["tokens_per_right_cot"] == 20
    assert metrics["tokens_per_right_self_consistency"] == pytest.approx(800 / 36)
    assert metrics["usd_per_thousand_right_cot"] == pytest.approx(1000 * 80 / 3600 / 20)
    assert metrics["gain_self_consistency"] == pytest.approx(0.4)
    assert 0.2 < metrics["gain_self_consistency_low"] < 0.4 < metrics["gain_self_consistency_high"] < 0.6
    assert metrics["p_self_consistency"] == 2 / 2**16
    assert metrics["tokens_ratio_cot"] == 5
    assert (metrics["accuracy_self_consistency_at_1"], metrics["accuracy_self_consistency_at_2"]) == (0.45, 0.9)


def test_votes_are_told_by_how_many_answers_voted() -> None:
    attempt = dataclasses.replace(_attempt(VOTE, 0, right=True, tokens=160, votes=[True] * 5), said=["7"] * 16)
    [method] = methods_of([attempt], lambda seconds: seconds).values()
    assert [(count, tokens) for count, tokens, _ in method.votes()] == [(1, 10), (2, 20), (4, 40), (8, 80), (16, 160)]


def test_of_a_run_that_stopped_only_problems_of_both_ways_are_compared(attempts: list[Attempt]) -> None:
    some = [each for each in attempts if each.method != THOUGHT or each.problem < 5]
    found = gains(methods_of(some, lambda _: 0.0), seed=0)
    assert found[THOUGHT]["gain"] == 0
    assert found[VOTE]["gain"] == 0


def test_a_way_that_was_never_right_has_no_price_of_a_right_answer() -> None:
    methods = methods_of([_attempt(DIRECT, 0, right=False)], lambda _: 1.0)
    assert "tokens_per_right_direct" not in metrics_of(methods, seed=0)
    assert "| 0.0 % |" in markdown(methods, "", seed=0)


def test_the_table_and_the_picture_are_of_every_way(attempts: list[Attempt], tmp_path: Path) -> None:
    methods = methods_of(attempts, lambda seconds: seconds)
    lines = markdown(methods, "Dollars: 1.", seed=0).splitlines()
    assert lines[0] == "Tokens are a problem's. Dollars: 1."
    assert lines[4].startswith("| word problems: answer at once | 40 | 25.0 % | 14 to 40 | 5 | 2.0 | 8 |")
    assert lines[-1].startswith("| word problems: self-consistency | chain of thought | +40.0 points |")
    draw(methods, "title", tmp_path / "reasoning.png")
    assert (tmp_path / "reasoning.png").read_bytes().startswith(b"\x89PNG")
