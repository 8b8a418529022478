"""A GGUF file as a model that is asked as those of transformers are, run on the CPU by llama.cpp."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jobs.llamacpp.serve import KEPT_WHOLE


class LlamaCpp:
    """A model of llama.cpp; to be closed."""

    device = "cpu"

    def __init__(self, path: Path, *, context_length: int, num_threads: int | None = None, mapped: bool = True) -> None:
        from llama_cpp import Llama

        threads = num_threads or usable_cpus()
        self._llama = Llama(
            str(path),
            n_ctx=context_length,
            n_batch=context_length,
            n_threads=threads,
            n_threads_batch=threads,
            type_k=KEPT_WHOLE,
            type_v=KEPT_WHOLE,
            use_mmap=mapped,
            logits_all=True,
            verbose=False,
        )

    def __call__(self, input_ids: Any) -> SimpleNamespace:
        """The `logits` after each token: (rows, length, vocabulary), float32, for (rows, length) ids."""
        import torch

        return SimpleNamespace(logits=torch.stack([self._logits(row.tolist()) for row in input_ids]))

    def generate(self, input_ids: Any, *, max_new_tokens: int, **_: Any) -> Any:
        """Each row with exactly `max_new_tokens` more, the likeliest each time."""
        import torch

        rows = []
        for row in input_ids.tolist():
            logits = self._logits(row)
            for _step in range(max_new_tokens):
                row.append(int(logits[-1].argmax()))
                logits = self._logits(row[-1:], keep=True)
            rows.append(row)
        return torch.tensor(rows)

    def tokenize(self, text: str) -> list[int]:
        """Ids of a text, special tokens where the tokenizer puts them or the text spells them."""
        return list(self._llama.tokenize(text.encode(), add_bos=True, special=True))

    def complete(self, prompt: str, max_new_tokens: int) -> str:
        """The likeliest continuation of a text."""
        answer = self._llama.create_completion(prompt, max_tokens=max_new_tokens, temperature=0.0)
        return str(answer["choices"][0]["text"])

    def close(self) -> None:
        """Free the weights."""
        self._llama.close()

    def _logits(self, ids: list[int], *, keep: bool = False) -> Any:
        """After each of the ids, which follow what was read before if that is to be kept."""
        import torch

        if not keep:
            self._llama.reset()
        self._llama.eval(ids)
        end = self._llama.n_tokens
        return torch.from_numpy(self._llama.scores[end - len(ids) : end].copy())


def usable_cpus() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
