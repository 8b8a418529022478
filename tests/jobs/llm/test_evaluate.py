from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.llm.alpaca import Tokens
from jobs.llm.evaluate import answers, eval_loss, exact_match, write_answers
from jobs.llm.instructions import Example


class Numbers:
    """A tokenizer whose texts are the numbers of the tokens."""

    pad_token_id = None
    eos_token_id = 2

    def batch_decode(self, rows: Any, *, skip_special_tokens: bool) -> list[str]:
        assert skip_special_tokens
        return [" ".join(str(token) for token in row.tolist() if token != self.eos_token_id) for row in rows]


def test_the_loss_does_not_depend_on_how_the_examples_are_batched(llama: Any, examples: list[Tokens]) -> None:
    losses = [eval_loss(llama, examples, 64, batch_size=size) for size in (1, 5, 24)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


def test_answers_do_not_depend_on_the_padding_of_their_batch(llama: Any, examples: list[Tokens]) -> None:
    together = answers(llama, Numbers(), examples, 6)
    alone = answers(llama, Numbers(), examples, 6, batch_size=1)
    assert together == alone
    assert any(together)


def test_an_answer_matches_to_the_letter_or_not_at_all() -> None:
    wanted = [Example(instruction="?", output=text) for text in ("Paris", "Rome ", "Oslo")]
    assert exact_match(["Paris", "Rome", "oslo"], wanted) == pytest.approx(2 / 3)


def test_the_answers_before_and_after_stand_side_by_side(tmp_path: Path) -> None:
    example = Example(instruction="Repeat.", input="a, b", output="a, b")
    write_answers(tmp_path / "answers.txt", [example], ["well,\nthe list"], ["a, b"])
    assert (tmp_path / "answers.txt").read_text().splitlines() == [
        "instruction  Repeat.",
        "input        a, b",
        "wanted       a, b",
        "before       well, the list",
        "after        a, b",
    ]
