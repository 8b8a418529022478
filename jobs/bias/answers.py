"""What a model answers: how likely it is to go on with each option."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jobs.bias.question import Question

BATCH_TOKENS = 4096
"""Of prompts in a forward pass, at least one."""


def probabilities(model: Any, tokenizer: Any, questions: Sequence[Question]) -> list[list[float]]:
    """Of each question's options, which sum to 1: the softmax of their mean log-likelihood a token.

    The mean, since an option of more words would else be the less likely for it. Prompts of one length are asked
    together, and read once for all of their options. The same questions make the same batches for every model.
    """
    import torch

    encoded = [_encoded(tokenizer, question) for question in questions]
    found: list[list[float]] = [[]] * len(encoded)
    for places in _batches([len(prompt) for prompt, _ in encoded]):
        with torch.inference_mode():
            scores = _scores(model, [encoded[place][0] for place in places], [encoded[place][1] for place in places])
        for place, shares in zip(places, scores.double().softmax(dim=1).tolist(), strict=True):
            found[place] = shares
    return found


def _encoded(tokenizer: Any, question: Question) -> tuple[list[int], list[list[int]]]:
    """Token ids of the prompt, and of each option as they are behind it."""
    prompt: list[int] = tokenizer(question.prompt)["input_ids"]
    whole = tokenizer([f"{question.prompt} {option}" for option in question.options])["input_ids"]
    return prompt, [ids[len(prompt) :] for ids in whole]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of prompts of one length, as many as a pass takes."""
    by_length: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        by_length.setdefault(length, []).append(place)
    for length, places in by_length.items():
        size = max(1, BATCH_TOKENS // length)
        yield from (places[start : start + size] for start in range(0, len(places), size))


def _scores(model: Any, prompts: Sequence[Sequence[int]], options: Sequence[Sequence[Sequence[int]]]) -> Any:
    """Mean log-likelihood a token of each option: (prompts, options), float32."""
    import torch

    flat = [ids for own in options for ids in own]
    width, times = max(map(len, flat)), len(options[0])
    device = next(model.parameters()).device
    # Padding is behind an option, where nothing before it looks.
    wanted = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in flat], device=device)
    lengths = torch.tensor([len(ids) for ids in flat], device=device)
    read = model(input_ids=torch.tensor(prompts, device=device), use_cache=True, logits_to_keep=1)
    logits = read.logits.repeat_interleave(times, dim=0)
    if width > 1:
        read.past_key_values.batch_repeat_interleave(times)
        later = model(input_ids=wanted[:, :-1], past_key_values=read.past_key_values, use_cache=True).logits
        logits = torch.cat([logits, later], dim=1)
    likely = logits.float().log_softmax(dim=-1).gather(2, wanted[:, :, None]).squeeze(2)
    inside = torch.arange(width, device=device) < lengths[:, None]
    return ((likely * inside).sum(dim=1) / lengths).view(-1, times)
