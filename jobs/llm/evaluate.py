"""What a model has learned: loss on held-out responses, and answers that match to the letter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from jobs.llm.alpaca import Tokens
from jobs.llm.instructions import Example
from jobs.llm.packing import pack, response_loss

T = TypeVar("T")


def eval_loss(model: Any, examples: Sequence[Tokens], row_length: int, *, batch_size: int = 16) -> float:
    """Mean cross-entropy by token over the responses of all examples, in nats."""
    import torch

    model.eval()
    device = next(model.parameters()).device
    total, count = 0.0, 0
    with torch.no_grad():
        for part in _parts(examples, batch_size):
            batch = pack(part, row_length).to(device)
            total += response_loss(model, batch).item() * len(batch.targets)
            count += len(batch.targets)
    return total / count


def answers(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Tokens],
    max_new_tokens: int,
    *,
    adapters: Sequence[str] | None = None,
    batch_size: int = 32,
) -> list[str]:
    """What the model answers to each prompt, greedily; `adapters` has the name of one for each, of several loaded."""
    import torch

    model.eval()
    fill = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    found: list[str] = []
    with torch.no_grad():
        for start, part in zip(range(0, len(examples), batch_size), _parts(examples, batch_size), strict=True):
            ids, mask = _padded(part, fill, next(model.parameters()).device)
            chosen = {} if adapters is None else {"adapter_names": list(adapters[start : start + batch_size])}
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                use_cache=True,
                pad_token_id=fill,
                eos_token_id=tokenizer.eos_token_id,
                **chosen,
            )
            answered = tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
            found += [text.strip() for text in answered]
    return found


def exact_match(given: Sequence[str], examples: Sequence[Example]) -> float:
    """Share of answers that are the wanted output to the letter, white space at the ends aside."""
    return sum(text == example.output.strip() for text, example in zip(given, examples, strict=True)) / len(examples)


def write_answers(path: Path, examples: Sequence[Example], before: Sequence[str], after: Sequence[str]) -> None:
    """Write each instruction with the wanted output and what was answered before and after training, for a reader."""
    lines = []
    for example, old, new in zip(examples, before, after, strict=True):
        lines.append(f"instruction  {example.instruction}")
        if example.input:
            lines.append(f"input        {example.input}")
        for name, text in (("wanted", example.output), ("before", old), ("after", new)):
            lines.append(f"{name:<13}{' '.join(text.split())}")
        lines.append("")
    path.write_text("\n".join(lines))


def _padded(examples: Sequence[Tokens], fill: int, device: Any) -> tuple[Any, Any]:
    """Prompts of shape (examples, longest), filled on the left, and where they are not filled."""
    import torch

    longest = max(len(example.prompt) for example in examples)
    pad = [longest - len(example.prompt) for example in examples]
    ids = torch.tensor([[fill] * n + example.prompt for n, example in zip(pad, examples, strict=True)], device=device)
    mask = torch.tensor([[0] * n + [1] * (longest - n) for n in pad], device=device)
    return ids, mask


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
