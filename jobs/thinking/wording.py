"""How a model is asked to answer at once, to think, to take a step, and to judge: in words that it knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from jobs.thinking import lessons
from jobs.thinking.client import Asked
from jobs.thinking.game24 import State


class Wording(StrEnum):
    """For which kind of model."""

    TRAINED = "trained"
    """The lab's own, in the words of its lessons."""
    CHAT = "chat"
    """One that follows instructions, asked by messages."""
    BASE = "base"
    """One that goes on with a text: two worked examples stand before each question."""


STEP_RULE = "Each line combines two of the numbers that are left into one with + - * or /."
VALUES = {"sure": 1.0, "likely": 0.5, "maybe": 0.5, "impossible": 0.0}
"""What words of a judgement are worth."""
STAGE = {"direct": 24, "thought": 400, "solution": 160, "step": 24, "value": 24}
"""Tokens of an answer at most; the lab's own model needs fewer."""
SHORT = {"direct": 4, "thought": 64, "solution": 48, "step": 10, "value": 3}

_EXAMPLES = {
    "direct": (
        "Q: A box has 3 red and 4 blue balls. Two are taken out. How many are left?\nAnswer: 5\n\n"
        "Q: Pia reads 12 pages a day for 5 days of a book with 90 pages. How many pages are left?\nAnswer: 30\n\n"
    ),
    "thought": (
        "Q: A box has 3 red and 4 blue balls. Two are taken out. How many are left?\n"
        "Think: There are 3 + 4 = 7 balls. 7 - 2 = 5 are left.\nAnswer: 5\n\n"
        "Q: Pia reads 12 pages a day for 5 days of a book with 90 pages. How many pages are left?\n"
        "Think: She reads 12 * 5 = 60 pages. 90 - 60 = 30 are left.\nAnswer: 30\n\n"
    ),
    "solution": "Left 4 4 6 8: 4 + 8 = 12\nLeft 4 6 12: 6 - 4 = 2\nLeft 2 12: 2 * 12 = 24\n\n",
    "step": "Left 4 4 6 8: 4 + 8 = 12\nLeft 4 6 12: 6 - 4 = 2\nLeft 2 12: 2 * 12 = 24\nLeft 1 3 8: 1 * 3 = 3\n",
    "value": (
        "Can 4 6 make 24? sure\nCan 1 2 make 24? impossible\nCan 2 2 6 make 24? sure\nCan 11 12 make 24? impossible\n"
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """The prompts of one wording, and where their answers end."""

    wording: Wording

    @property
    def chat(self) -> bool:
        """Whether the model's own template is wanted."""
        return self.wording is Wording.CHAT

    def max_tokens(self, stage: str) -> int:
        """Of an answer to one of the prompts below."""
        return (SHORT if self.wording is Wording.TRAINED else STAGE)[stage]

    def stop(self, stage: str) -> tuple[str, ...]:
        """Texts that end it; an example's end in a text that goes on."""
        if stage == "step" and not self.chat:
            return ("\n",)
        return () if self.wording is not Wording.BASE else ("\n\n",) if stage in ("thought", "solution") else ("\n",)

    def asked(self, stage: str, prompt: str, *, num_answers: int = 1, temperature: float = 0.0, seed: int = 0) -> Asked:
        """One of the prompts below, with where its answers end."""
        return Asked(
            prompt=prompt,
            max_tokens=self.max_tokens(stage),
            num_answers=num_answers,
            temperature=temperature,
            stop=self.stop(stage),
            seed=seed,
        )

    def direct(self, question: str) -> str:
        """For an answer at once."""
        if self.chat:
            return f"{question}\nGive only the answer, as a number, without any other word."
        return self._behind("direct", lessons.direct_prompt(question), asked=True)

    def thought(self, question: str) -> str:
        """For a chain of thought with an answer at its end (Kojima et al., 2022)."""
        if self.chat:
            return f"{question}\nLet's think step by step, and end with a line `Answer: ` and the number."
        return self._behind("thought", lessons.thought_prompt(question), asked=True)

    def solution(self, state: State) -> str:
        """For all steps from a state to 24."""
        if self.chat:
            example = "For 4 4 6 8:\n4 + 8 = 12\n6 - 4 = 2\n2 * 12 = 24"
            return f"Make 24 from the numbers {lessons.shown(state)}. {STEP_RULE}\n{example}\nWrite only the lines."
        return self._behind("solution", lessons.step_prompt(state))

    def step(self, state: State) -> str:
        """For one step that may lead to 24."""
        if self.chat:
            given = f"The numbers {lessons.shown(state)} are left, and 24 is to be made of them."
            return f"{given} {STEP_RULE} Write only the next line, such as `4 + 8 = 12`."
        return self._behind("step", lessons.step_prompt(state))

    def value(self, state: State) -> str:
        """For whether 24 can be reached."""
        if self.chat:
            return (
                f"Can the numbers {lessons.shown(state)}, each used once, make 24 with + - * and /? "
                "Answer with one word: sure, likely or impossible."
            )
        return self._behind("value", lessons.value_prompt(state))

    def _behind(self, stage: str, prompt: str, *, asked: bool = False) -> str:
        if self.wording is Wording.TRAINED:
            return prompt
        return _EXAMPLES[stage] + ("Q: " if asked else "") + prompt


def worth(text: str) -> float | None:
    """What a judgement is worth, by its last word that is one; None where it has none."""
    words = [word.strip(".,:;!*`'\"").lower() for word in text.split()]
    return next((VALUES[word] for word in reversed(words) if word in VALUES), None)
