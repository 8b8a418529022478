"""Base models by source: pinned on the hub, in a folder, pretrained here, or out of a package."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import PINNED, Source
from clusterlab.errors import InputError, Problem
from jobs.llm.hub import folder_of
from jobs.llm.pretrain import TinyLlama, tiny_llama, untrained
from jobs.llm.quantized import keep_layout, nf4_config
from jobs.llm.smollm import smollm2_135m_instruct

TINY_RECIPES = {
    "tiny-llama": TinyLlama(),
    # As small, in the multiples of 64 and 256 that the kernels and formats of quantized weights ask for.
    "tiny-llama-256": TinyLlama(hidden_size=256, intermediate_size=512, num_attention_heads=8, num_key_value_heads=4),
}
MADE = (*TINY_RECIPES, "smollm2-135m-instruct")


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """Where `from_pretrained` finds a model."""

    name: str
    """A folder or a hub id."""
    revision: str | None = None

    @classmethod
    def of(cls, source: Source, report: Callable[[int, int, float], None]) -> Base:
        """Find or make the base; `report` follows a pretraining with step, steps and loss.

        Raises:
            InputError: the source names nothing that is known.
        """
        if source in TINY_RECIPES:
            return cls(name=str(tiny_llama(report, TINY_RECIPES[source])))
        if source == "smollm2-135m-instruct":
            return cls(name=str(smollm2_135m_instruct()))
        if PINNED.fullmatch(source):
            name, _, revision = source.partition("@")
            return cls(name=name, revision=revision)
        if Path(source).is_dir():
            return cls(name=source)
        message = f"{source!r}; allowed: {', '.join(MADE)}, a folder, or org/name@<40-hex revision>"
        raise InputError(Problem(path="model", message=message))

    @classmethod
    def skeleton_of(cls, source: Source) -> Any:
        """The skeleton of a base that need not have been made yet: nothing is pretrained for it."""
        import torch

        if source not in TINY_RECIPES:
            return cls.of(source, lambda *_: None).skeleton()
        with torch.device("meta"):
            return untrained(TINY_RECIPES[source])

    def folder(self) -> Path:
        """Where its files are, downloaded now if it is on the hub."""
        if self.revision is None:
            return Path(self.name).resolve()
        return folder_of(Source(f"{self.name}@{self.revision}"), "model", without=["*.bin", "*.pth"])

    def tokenizer(self) -> Any:
        """The tokenizer that came with the model."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.name, **self._where())

    def load(self, *, quantized: bool) -> Any:
        """The model, frozen, on the GPU where there is one; its linear layers in NF4, or all as they are.

        It computes in bfloat16 on a GPU and in float32 on a CPU.
        """
        import torch
        from transformers import AutoModelForCausalLM

        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = compute_dtype()
        quantization = {"quantization_config": nf4_config(dtype)} if quantized else {}
        model = AutoModelForCausalLM.from_pretrained(
            self.name, dtype=dtype, device_map={"": device}, **quantization, **self._where()
        )
        model.requires_grad_(requires_grad=False)
        return keep_layout(model) if quantized else model

    def skeleton(self) -> Any:
        """The unquantized model on tensors that hold no data: its shapes, for counting."""
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.from_pretrained(self.name, **self._where())
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, dtype=compute_dtype())

    def _where(self) -> dict[str, Any]:
        if self.revision is None:
            return {"local_files_only": True}
        return {"revision": self.revision, "token": os.environ.get("HF_TOKEN") or None}


def compute_dtype() -> Any:
    """bfloat16 on a GPU, float32 on a CPU."""
    import torch

    return torch.bfloat16 if torch.cuda.is_available() else torch.float32
