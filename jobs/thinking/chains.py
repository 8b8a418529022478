"""Answers without a tree: at once, by a chain of thought (Wei et al., 2022), by the vote of many (Wang et al.)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.thinking import game24
from jobs.thinking.answers import majority, parse_answer
from jobs.thinking.client import Client, Reply
from jobs.thinking.game24 import Step
from jobs.thinking.journal import Attempt
from jobs.thinking.questions import Question
from jobs.thinking.wording import Words

DIRECT, THOUGHT, VOTE = "direct", "cot", "self_consistency"
CHAIN_24 = "game24_cot"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chains:
    """Ways to ask for one chain of thought or many."""

    client: Client
    words: Words
    num_samples: int
    """Answers that vote."""
    temperature: float
    """Of answers that vote; one answer alone is greedy, as in the paper."""
    seed: int

    async def direct(self, number: int, question: Question) -> Attempt:
        """The answer at once."""
        reply = await self.client.ask(self.words.asked("direct", self.words.direct(question.text)))
        return _judged(DIRECT, number, question, reply)

    async def thought(self, number: int, question: Question) -> Attempt:
        """The answer at the end of a greedy chain of thought."""
        reply = await self.client.ask(self.words.asked("thought", self.words.thought(question.text)))
        return _judged(THOUGHT, number, question, reply)

    async def vote(self, number: int, question: Question) -> Attempt:
        """The answer of most chains that were drawn; all in one request."""
        asked = self.words.asked(
            "thought",
            self.words.thought(question.text),
            num_answers=self.num_samples,
            temperature=self.temperature,
            seed=self.seed + number * self.num_samples,
        )
        return _judged(VOTE, number, question, await self.client.ask(asked))

    async def chain_24(self, number: int, numbers: Sequence[int]) -> Attempt:
        """All steps of a Game of 24 in one greedy chain."""
        prompt = self.words.solution(game24.state_of(numbers))
        reply = await self.client.ask(self.words.asked("solution", prompt))
        steps = steps_of(reply.texts[0])[: len(numbers) - 1]
        return Attempt(
            method=CHAIN_24,
            problem=number,
            right=game24.judge(numbers, steps),
            said=list(map(str, steps)),
            prompt_tokens=reply.prompt_tokens,
            new_tokens=reply.new_tokens,
            requests=1,
            parsed=len(steps) == len(numbers) - 1,
        )


def sizes(num_samples: int) -> list[int]:
    """1, 2, 4, ... answers, and all of them: votes that the same answers are counted for."""
    return [*(2**power for power in range(num_samples.bit_length()) if 2**power < num_samples), num_samples]


def steps_of(text: str) -> list[Step]:
    """The steps in the lines of a text, each with or without the state that it begins from."""
    lines = (line.rpartition(":")[2].strip(" `-*") for line in text.splitlines())
    return [step for step in map(Step.parse, lines) if step is not None]


def _judged(method: str, number: int, question: Question, reply: Reply) -> Attempt:
    answers = [parse_answer(text) for text in reply.texts]
    votes = [majority(answers[:size]) == question.answer for size in sizes(len(answers))]
    return Attempt(
        method=method,
        problem=number,
        right=votes[-1],
        said=list(reply.texts),
        prompt_tokens=reply.prompt_tokens,
        new_tokens=reply.new_tokens,
        requests=1,
        votes=votes if len(answers) > 1 else [],
        parsed=any(answer is not None for answer in answers),
    )
