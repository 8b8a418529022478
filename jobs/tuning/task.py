"""A task: what a model is trained on and what it is asked afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clusterlab.errors import InputError, Problem
from jobs.llm.alpaca import Tokens, load_examples, tokenize
from jobs.llm.bases import Base
from jobs.llm.instructions import Example
from jobs.tuning.settings import InstructionTuning


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Examples by the tokens of one base."""

    tokenizer: Any
    train: list[Tokens]
    held_out: list[Tokens]
    held_out_texts: list[Example]
    """Of the same order as `held_out`."""
    row_length: int
    """Tokens in a packed row."""
    max_new_tokens: int
    """Longest answer."""

    @classmethod
    def of(
        cls,
        tokenizer: Any,
        train: Sequence[Example],
        held_out: Sequence[Example],
        *,
        row_length: int,
        max_new_tokens: int,
    ) -> Task:
        """Tokenize both parts; what does not fit a row is left out.

        Raises:
            InputError: nothing of a part fits.
        """
        parts = [tokenize(part, tokenizer, row_length) for part in (train, held_out)]
        if not all(parts):
            raise InputError(Problem(path=f"ROW_LENGTH={row_length}", message="no example fits in so few tokens"))
        return cls(
            tokenizer=tokenizer,
            train=list(parts[0].values()),
            held_out=list(parts[1].values()),
            held_out_texts=list(parts[1]),
            row_length=row_length,
            max_new_tokens=max_new_tokens,
        )

    @classmethod
    def load(cls, settings: InstructionTuning, base: Base) -> Task:
        """The instructions that a lab asks for.

        Raises:
            InputError: there are fewer than asked for, a file cannot be read, or none fits a row.
        """
        train, held_out = load_examples(settings.data, settings.num_train, settings.num_eval, seed=settings.seed)
        return cls.of(
            base.tokenizer(), train, held_out, row_length=settings.row_length, max_new_tokens=settings.max_new_tokens
        )

    def examine(self, model: Any) -> tuple[dict[str, float], list[str]]:
        """`eval_loss` in nats a response token and the share `exact_match` on what was held out, and the answers."""
        from jobs.llm.evaluate import answers, eval_loss, exact_match

        given = answers(model, self.tokenizer, self.held_out, self.max_new_tokens)
        measured = {
            "eval_loss": eval_loss(model, self.held_out, self.row_length),
            "exact_match": exact_match(given, self.held_out_texts),
        }
        return measured, given
