"""In the jobs' environment: answers by `generate` of transformers, in static batches and one by one.

python -m jobs.versus.offline_transformers FOLDER      with FOLDER/asked.json, as jobs.versus.asked writes it
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.compress.pretrained import from_pretrained
from jobs.versus.asked import Answer, Asked, answer, check_lengths
from jobs.versus.batching import batches

MODES = ("static", "one_by_one")
"""How it batches: so many prompts at a time, until the longest answer is written; or each prompt alone."""
WARM_UP_TOKENS = 4
PAD = 0
"""What fills a shorter prompt up from the left; it is masked, so any id will do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every workload in both ways.

    Returns 0, or the code of `clusterlab.errors`.
    """
    from jobs.llm.process import quiet

    quiet()
    return answer(lambda asked: measure(asked, load(asked)), arguments)


def load(asked: Asked) -> Any:
    """The model, which ends no answer before it has its length."""
    import torch
    from transformers import GenerationConfig

    torch.manual_seed(asked.seed)
    model = from_pretrained(Path(asked.checkpoint), dtype=getattr(torch, asked.dtype)).eval()
    model.generation_config = GenerationConfig(do_sample=False, pad_token_id=PAD, eos_token_id=None, use_cache=True)
    return model


def measure(asked: Asked, model: Any) -> Answer:
    """Static batches as often as is asked for, in turn, and once one by one, which takes long.

    As with vLLM, each workload is answered in static batches once before that counts.
    """
    slots = {"static": asked.num_slots, "one_by_one": 1}
    for lengths in asked.workloads.values():
        complete(model, asked.prompts, lengths, slots["static"])
    complete(model, asked.prompts[:1], [WARM_UP_TOKENS], 1)
    seconds: dict[str, list[float]] = {f"{name} {mode}": [] for name in asked.workloads for mode in MODES}
    said: dict[str, list[list[int]]] = {}
    for number, (name, lengths) in itertools.product(range(asked.num_rounds), asked.workloads.items()):
        for mode in MODES if number == 0 else MODES[:1]:
            began = time.perf_counter()
            answers = complete(model, asked.prompts, lengths, slots[mode])
            seconds[f"{name} {mode}"].append(time.perf_counter() - began)
            check_lengths(lengths, answers)
            said.setdefault(name, answers)
    agreement = share_of_first_choices(model, asked.prompts, asked.said) if asked.said else None
    return Answer(seconds=seconds, tokens=next(iter(said.values())), agreement=agreement)


def complete(model: Any, prompts: Sequence[Sequence[int]], lengths: Sequence[int], num_slots: int) -> list[list[int]]:
    """The greedy answers, batch by batch; each batch is computed to its longest answer, and cut."""
    import torch

    answers: list[list[int]] = []
    for chosen, wanted in zip(batches(prompts, num_slots), batches(lengths, num_slots), strict=True):
        rows, mask = _left_padded(chosen, model.device)
        with torch.inference_mode():
            written = model.generate(input_ids=rows, attention_mask=mask, max_new_tokens=max(wanted))
        new = written[:, rows.shape[1] :].tolist()
        answers += [row[:length] for row, length in zip(new, wanted, strict=True)]
    return answers


def share_of_first_choices(model: Any, prompts: Sequence[Sequence[int]], said: Sequence[Sequence[int]]) -> float:
    """How many of the tokens that somebody said this model would have said too, after the same tokens before.

    Two engines that compute the same model part where two tokens are as good as equally likely, and then write
    different answers; so each token is looked at after what really stood before it.
    """
    import torch

    same = total = 0
    for prompt, tokens in zip(prompts, said, strict=True):
        row = torch.tensor([[*prompt, *tokens]], device=model.device)
        with torch.inference_mode():
            choices = model(input_ids=row).logits[0, len(prompt) - 1 : -1].argmax(dim=-1)
        same += int((choices == row[0, len(prompt) :]).sum())
        total += len(tokens)
    return same / total


def _left_padded(prompts: Sequence[Sequence[int]], device: Any) -> tuple[Any, Any]:
    """Token ids and attention mask, (prompts, longest) int64, so that all answers begin in one column."""
    import torch

    longest = max(map(len, prompts))
    rows = torch.tensor([[PAD] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    return rows, mask


if __name__ == "__main__":
    sys.exit(main())
