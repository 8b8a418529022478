"""Pack examples of unequal length into rows, so that no step is spent on padding.

Examples of one row do not see each other: attention is causal within an example, and positions begin anew with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jobs.llm.alpaca import Tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedBatch:
    """Tensors of one optimizer step."""

    input_ids: Any
    """(rows, length), int64; 0 where there is no example."""
    position_ids: Any
    """(rows, length), int64."""
    attention_mask: Any
    """(rows, 1, length, length), bool: True where a token may look."""
    predict_at: Any
    """(n,), int64: the flat places from which a token of a response is predicted."""
    targets: Any
    """(n,), int64: the tokens to predict there."""
    num_tokens: int
    """Tokens of examples, without padding."""

    def to(self, device: Any) -> PackedBatch:
        """The same batch on a device."""
        names = ("input_ids", "position_ids", "attention_mask", "predict_at", "targets")
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in names}
        return PackedBatch(**moved, num_tokens=self.num_tokens)


def fill_rows(lengths: Sequence[int], row_length: int) -> list[list[int]]:
    """First fit, longest first: indices of `lengths` by row, the sum in each at most `row_length`.

    Raises:
        ValueError: one is longer than a row.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if lengths[index] > row_length:
            raise ValueError(f"an example of {lengths[index]} tokens does not fit a row of {row_length}")
        row = next((row for row, left in enumerate(room) if left >= lengths[index]), None)
        if row is None:
            rows.append([])
            room.append(row_length)
            row = len(rows) - 1
        rows[row].append(index)
        room[row] -= lengths[index]
    return rows


def pack(examples: Sequence[Tokens], row_length: int) -> PackedBatch:
    """Make one batch of all `examples`; rows are as long as the fullest of them."""
    import torch

    rows = fill_rows([len(example) for example in examples], row_length)
    length = max(sum(len(examples[index]) for index in row) for row in rows)
    input_ids, position_ids, segments = (torch.zeros(len(rows), length, dtype=torch.long) for _ in range(3))
    predict_at: list[int] = []
    targets: list[int] = []
    for number, row in enumerate(rows):
        start = 0
        for segment, index in enumerate(row, 1):
            example = examples[index]
            end = start + len(example)
            input_ids[number, start:end] = torch.tensor(example.prompt + example.response)
            position_ids[number, start:end] = torch.arange(len(example))
            segments[number, start:end] = segment
            first = number * length + start + len(example.prompt) - 1
            predict_at += range(first, first + len(example.response))
            targets += example.response
            start = end
    same = segments.unsqueeze(2) == segments.unsqueeze(1)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    return PackedBatch(
        input_ids=input_ids,
        position_ids=position_ids,
        attention_mask=(same & causal).unsqueeze(1),
        predict_at=torch.tensor(predict_at),
        targets=torch.tensor(targets),
        num_tokens=sum(len(example) for example in examples),
    )


def response_loss(model: Any, batch: PackedBatch) -> Any:
    """Mean cross-entropy over the tokens of the responses.

    The head is applied where a response token is predicted and nowhere else: with a large vocabulary it is the dearest
    layer, and three quarters of an instruction data set are prompts.
    """
    from torch.nn import functional

    causal_lm = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = causal_lm.model(
        input_ids=batch.input_ids,
        position_ids=batch.position_ids,
        attention_mask=batch.attention_mask,
        use_cache=False,
    ).last_hidden_state
    logits = causal_lm.lm_head(hidden.flatten(0, 1)[batch.predict_at])
    return functional.cross_entropy(logits.float(), batch.targets)
