"""Requests of several tasks in one queue, as a server sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.llm.alpaca import Tokens
from jobs.llm.evaluate import exact_match
from jobs.llm.instructions import Example
from jobs.tuning.task import Task

ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """What was held out of all tasks, one task after the other in turn, so that every batch has several."""

    prompts: list[Tokens]
    texts: list[Example]
    tasks: list[str]
    """The name of the task of each."""

    @classmethod
    def of(cls, tasks: Mapping[str, Task]) -> Requests:
        """The held-out examples of all."""
        turns = sorted(
            (number, name, prompt, text)
            for name, task in tasks.items()
            for number, (prompt, text) in enumerate(zip(task.held_out, task.held_out_texts, strict=True))
        )
        return cls(
            prompts=[prompt for _, _, prompt, _ in turns],
            texts=[text for *_, text in turns],
            tasks=[name for _, name, _, _ in turns],
        )

    def places(self, task: str) -> list[int]:
        """Where the requests of a task stand."""
        return [place for place, name in enumerate(self.tasks) if name == task]

    def exact_match(self, given: Sequence[str]) -> dict[str, float]:
        """The share of answers that are right, by task and of all."""
        shares = {
            task: exact_match([given[place] for place in places], [self.texts[place] for place in places])
            for task in dict.fromkeys(self.tasks)
            if (places := self.places(task))
        }
        return shares | {ALL: exact_match(given, self.texts)}
