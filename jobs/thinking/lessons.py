"""What the lab's own model is trained on: answers with and without scratchpads, ways to 24, judgements of states."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from jobs.llm.lessons import Lesson
from jobs.thinking import game24
from jobs.thinking.game24 import State, Step
from jobs.thinking.word_problems import WordProblem, make_problem, scratchpad

SHARES = {"thought": 0.35, "direct": 0.05, "solution": 0.2, "judgement": 0.4}
"""Of the lessons. Judgements are many because they are short: of the tokens they are a fifth."""
LARGEST_RESULT = 100
"""Of a step in a lesson."""
SURE, IMPOSSIBLE = " sure", " impossible"


def lessons(puzzles: Sequence[tuple[int, ...]], *, max_changes: int, seed: int) -> Iterator[Lesson]:
    """Lessons without end; of Game of 24 about these puzzles only. Word problems have all lengths: short ones help."""
    rng = random.Random(f"lessons {seed}")
    kinds, weights = list(SHARES), list(SHARES.values())
    while True:
        kind = rng.choices(kinds, weights)[0]
        if kind in ("thought", "direct"):
            problem = make_problem(rng, rng.randint(1, max_changes))
            yield _answer(problem, rng) if kind == "thought" else (direct_prompt(problem.text), f" {problem.answer}")
        else:
            state = game24.state_of(rng.choice(puzzles))
            yield solution(state, rng) if kind == "solution" else judgement(state, rng)


def direct_prompt(question: str) -> str:
    """What is written behind it is the answer, at once."""
    return f"{question}\nAnswer:"


def thought_prompt(question: str) -> str:
    """What is written behind it is a scratchpad, and then the answer."""
    return f"{question}\nThink:"


def step_prompt(state: State) -> str:
    """What is written behind it is a step; and, if nothing stops it, the next state with its step, to the end."""
    return f"Left {shown(state)}:"


def value_prompt(state: State) -> str:
    """What is written behind it is whether 24 can be reached."""
    return f"Can {shown(state)} make 24?"


def solution(state: State, rng: random.Random) -> Lesson:
    """A way from a state to 24. It begins at a puzzle or later: what comes next depends on the state alone."""
    skipped, lines = rng.randrange(3), []
    while len(state) > 1:
        step = rng.choice(good_steps(state))
        lines.append((step_prompt(state), f" {step}\n"))
        state = game24.after(state, step) or ()
    (given, written), *rest = lines[skipped:]
    return given, written + "".join(prompt + step for prompt, step in rest)


def judgement(state: State, rng: random.Random) -> Lesson:
    """Whether 24 can still be reached from where right steps lead; yes about as often as no."""
    wanted = rng.random() < 0.5
    for _ in range(20):
        later = state
        for _ in range(rng.choice((1, 2))):
            later = game24.after(later, rng.choice(plain_steps(later))) or ()
        if game24.solvable(later) is wanted:
            break
    return value_prompt(later), SURE if game24.solvable(later) else IMPOSSIBLE


@cache
def plain_steps(state: State) -> tuple[Step, ...]:
    """The right steps to whole numbers that are not below zero, and not too large."""
    steps = game24.legal_steps(state)
    return tuple(step for step in steps if step.result.denominator == 1 and 0 <= step.result <= LARGEST_RESULT)


@cache
def good_steps(state: State) -> tuple[Step, ...]:
    """Those after which 24 can still be reached; plain ones if there are any."""
    return _good(state, plain_steps(state)) or _good(state, game24.legal_steps(state))


def shown(state: State) -> str:
    """The numbers of a state as text."""
    return " ".join(map(str, state))


def _good(state: State, steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(step for step in steps if game24.solvable(game24.after(state, step) or ()))


def _answer(problem: WordProblem, rng: random.Random) -> Lesson:
    return thought_prompt(problem.text), f"{scratchpad(problem, rng)}\nAnswer: {problem.answer}"
