from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from jobs.llm.alpaca import Tokens
from jobs.llm.packing import fill_rows, pack, response_loss


def test_rows_hold_every_example_once_and_no_row_overflows() -> None:
    lengths = [5, 9, 3, 8, 1, 7, 2, 10]
    rows = fill_rows(lengths, 10)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in row) <= 10 for row in rows)
    assert len(rows) == 5  # 45 tokens cannot lie in fewer


def test_an_example_longer_than_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match="an example of 11 tokens does not fit a row of 10"):
        fill_rows([11], 10)


def test_the_packed_loss_is_the_loss_of_each_example_alone(llama: Any, examples: list[Tokens]) -> None:
    llama.eval()
    with torch.no_grad():
        packed = response_loss(llama, pack(examples, 64))
        losses = [_loss_alone(llama, example) for example in examples]
    torch.testing.assert_close(packed, torch.cat(losses).mean(), rtol=1e-5, atol=1e-6)


def test_examples_of_one_row_do_not_see_each_other(llama: Any, examples: list[Tokens]) -> None:
    other = Tokens(prompt=[token ^ 1 for token in examples[0].prompt], response=examples[0].response)
    first, second = (pack([changed, *examples[1:3]], 128) for changed in (examples[0], other))
    assert len(first.input_ids) == 1
    with torch.no_grad():
        before, after = (
            llama(input_ids=b.input_ids, position_ids=b.position_ids, attention_mask=b.attention_mask).logits
            for b in (first, second)
        )
    changed = first.input_ids != second.input_ids
    same = torch.isclose(before, after).all(-1)
    assert not same[changed].any()
    assert int(same.sum()) == len(examples[1]) + len(examples[2])


def test_padding_is_not_counted_as_tokens(examples: list[Tokens]) -> None:
    assert pack(examples, 64).num_tokens == sum(len(example) for example in examples)


def _loss_alone(llama: Any, example: Tokens) -> Any:
    tokens = torch.tensor([example.prompt + example.response])
    logits = llama(input_ids=tokens).logits[0, len(example.prompt) - 1 : -1]
    return functional.cross_entropy(logits, torch.tensor(example.response), reduction="none")
