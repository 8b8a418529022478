"""A line of language models: each is trained on text that the one before wrote."""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jobs.collapse.regime import Regime, num_kept
from jobs.compress.corpus import Corpus
from jobs.launch.folder import report
from jobs.llm.bases import Base

FIRST = "first"
"""The name of the generation that learns from real data, of which every regime goes on."""
GRAM = 4
"""Tokens in a row that are counted as one."""
SHOWN = 3
"""Texts of each generation that are kept for readers."""
PROMPTS = 128
"""Rows that are gone on with at a time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upbringing:
    """How each generation is trained, and how it writes."""

    epochs: int
    """Passes over as many rows as are real, whatever there are: every generation takes as many steps."""
    batch_size: int
    learning_rate: float
    beams: int
    """With 1 each token is drawn from what the model says, else a search finds a likely text."""
    keep: float
    """Share of real rows where some are kept."""
    seed: int


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What all generations share; `corpus.calibration` has the real rows to train on, `corpus.evaluation` others."""

    base: Base
    corpus: Corpus
    upbringing: Upbringing
    folder: Path
    """Where what the generations wrote is kept, and the first of them."""

    def generation(self, regime: Regime, number: int) -> dict[str, Any]:
        """Train one, and have it write the text for the next; those before it have been.

        Returns its perplexity on real text, the perplexity to the first generation of each row that it wrote, how many
        of the runs of `GRAM` tokens in these rows differ, and some of them in letters.
        """
        import numpy as np

        from jobs.compress.quality import perplexity, row_losses

        name = _name(regime, number)
        model = self._trained(self._data(regime, number), name)
        self.folder.mkdir(parents=True, exist_ok=True)
        if number == 0:
            model.save_pretrained(self.folder / FIRST)
        written = self._written(model, name)
        np.save(self._file(name), written.numpy())
        tokenizer = self.base.tokenizer()
        return {
            "perplexity": perplexity(model, self.corpus.evaluation),
            "generated": [math.exp(loss) for loss in row_losses(self._first, written)],
            "distinct": distinct(written),
            "texts": tokenizer.batch_decode(written[:SHOWN]),
        }

    def real(self) -> dict[str, Any]:
        """The base's perplexity on real text, and what is measured of a generation's text, of the real rows."""
        from jobs.compress.quality import perplexity, row_losses

        return {
            "perplexity": perplexity(self._loaded(self.base).eval(), self.corpus.evaluation),
            "generated": [math.exp(loss) for loss in row_losses(self._first, self.corpus.evaluation)],
            "distinct": distinct(self.corpus.calibration),
            "texts": self.base.tokenizer().batch_decode(self.corpus.calibration[:SHOWN]),
        }

    def _data(self, regime: Regime, number: int) -> Any:
        """The rows that a generation learns from."""
        import numpy as np
        import torch

        real = self.corpus.calibration
        if number == 0:
            return real
        before = range(0 if regime is Regime.ACCUMULATE else number - 1, number)
        written = [torch.from_numpy(np.load(self._file(_name(regime, one)))) for one in before]
        if regime is Regime.ACCUMULATE:
            return torch.cat([real, *written])
        kept = num_kept(len(real), self.upbringing.keep) if regime is Regime.KEEP else 0
        order = _order(len(real), self._rng(f"data {number}"))
        # A real row takes the place of the one that was written after it.
        return torch.cat([real[order[:kept]], written[0][order[kept:]]])

    def _trained(self, rows: Any, name: str) -> Any:
        import torch

        from jobs.llm.pretrain import fit

        torch.manual_seed(self._rng(f"train {name}").getrandbits(63))
        model = self._loaded(self.base).requires_grad_().train()
        fit(
            model,
            self._batches(rows, name, model.device),
            steps=self._steps,
            learning_rate=self.upbringing.learning_rate,
            report=lambda step, steps, loss: report(name, step, steps, loss=loss),
        )
        return model.eval()

    def _batches(self, rows: Any, name: str, device: Any) -> Iterator[dict[str, Any]]:
        """Passes over all rows without end, each in an order of its own."""
        rng = self._rng(f"order {name}")
        while True:
            for part in rows[_order(len(rows), rng)].split(self.upbringing.batch_size):
                yield {"input_ids": part.to(device), "labels": part.to(device)}

    def _written(self, model: Any, name: str) -> Any:
        """As many rows as are real: after each of these, the model writes the next."""
        import torch
        from transformers import GenerationConfig

        real, beams = self.corpus.calibration, self.upbringing.beams
        length = real.shape[1]
        # A text may end in a row, where the next begins: the token for that ends no row.
        model.generation_config = GenerationConfig(
            do_sample=beams == 1, num_beams=beams, top_k=0, max_new_tokens=length, eos_token_id=None, pad_token_id=0
        )
        torch.manual_seed(self._rng(f"write {name}").getrandbits(63))
        with torch.inference_mode():
            rows = [
                model.generate(part, attention_mask=torch.ones_like(part), use_cache=True)
                for part in real.to(model.device).split(PROMPTS)
            ]
        return torch.cat(rows)[:, length:].cpu()

    @cached_property
    def _first(self) -> Any:
        return self._loaded(Base(name=str(self.folder / FIRST))).eval()

    @property
    def _steps(self) -> int:
        return self.upbringing.epochs * math.ceil(len(self.corpus.calibration) / self.upbringing.batch_size)

    def _loaded(self, base: Base) -> Any:
        """In float32, since the steps of a fine-tuning are below what bfloat16 resolves of a weight."""
        gc.collect()
        return base.load(quantized=False).float()

    def _rng(self, use: str) -> random.Random:
        return random.Random(f"{self.upbringing.seed}/{use}")

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.npy"


def distinct(rows: Any) -> float:
    """Of all runs of `GRAM` tokens in rows of (count, length), how many differ, as a share."""
    grams = rows.unfold(1, GRAM, 1).flatten(0, 1)
    return len(grams.unique(dim=0)) / len(grams)


def _order(count: int, rng: random.Random) -> list[int]:
    return rng.sample(range(count), count)


def _name(regime: Regime, number: int) -> str:
    return f"{regime}-{number}" if number else FIRST
