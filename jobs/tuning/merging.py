"""Several adapters in one model: side by side, one a request, or merged into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MERGES = ("linear", "cat", "ties", "dare_linear", "dare_ties")
"""PEFT's names: the weighted sum of the factors, the weighted sum of the products (its rank is the sum of the ranks),
TIES (arXiv:2306.01708), and DARE (arXiv:2311.03099) before a weighted sum or before TIES."""


def load_adapters(model: Any, folders: Mapping[str, Path]) -> Any:
    """Adapters over one base, by name; `generate` takes one a row as `adapter_names`."""
    from peft import PeftModel

    (first, folder), *others = folders.items()
    adapted = PeftModel.from_pretrained(model, folder, adapter_name=first)
    for name, folder in others:
        adapted.load_adapter(folder, adapter_name=name)
    return adapted.eval()


@dataclass(frozen=True, kw_only=True, slots=True)
class Merging:
    """How adapters are merged into one."""

    ways: tuple[str, ...]
    """Some of `MERGES`."""
    weight: float
    """Of each adapter."""
    density: float
    """The share of their entries that TIES and DARE keep."""
    seed: int

    def merge(self, model: Any, names: Sequence[str], way: str) -> None:
        """Add an adapter called `way`, merged from those called `names`, all of one rank."""
        import torch

        # DARE drops entries at random.
        torch.manual_seed(self.seed)
        kept = {} if way in ("linear", "cat") else {"density": self.density}
        model.add_weighted_adapter(list(names), [self.weight] * len(names), way, combination_type=way, **kept)
