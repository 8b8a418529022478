"""X-LoRA: a gate on the base's hidden states mixes all adapters, token by token (Buehler and Buehler, 2024).

arXiv:2402.07148. PEFT has the layers; it runs the base once for the gate and once more with what the gate says, and
keeps no cache of keys and values between the tokens of an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.llm.packing import PackedBatch

GATE = "internal_xlora_classifier"


def numbered(folders: Mapping[str, Path]) -> dict[str, str]:
    """The adapters as X-LoRA calls them, by number: PEFT finds them by no other name."""
    return {str(number): str(folder) for number, folder in enumerate(folders.values())}


def with_gate(model: Any, folders: Mapping[str, Path], *, seed: int) -> Any:
    """The frozen adapters over a base, and a gate of two layers that is trained."""
    import torch
    from peft import XLoraConfig, get_peft_model

    torch.manual_seed(seed)
    model.config.use_cache = False
    gate = XLoraConfig(
        task_type="CAUSAL_LM",
        hidden_size=model.config.hidden_size,
        xlora_depth=2,
        xlora_size=min(2048, model.config.hidden_size),
        layerwise_scalings=True,
        adapters=numbered(folders),
    )
    return get_peft_model(model, gate)


def save_gate(model: Any, folder: Path) -> None:
    """Save what `PeftModel.from_pretrained` loads, given the adapters as `numbered` has them."""
    from safetensors.torch import save_file

    model.save_pretrained(folder)
    # PEFT 0.21 leaves out layers of the gate whose number is the name of an adapter.
    gate = {name: weight.contiguous() for name, weight in model.state_dict().items() if GATE in name}
    save_file(gate, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def gated_loss(model: Any, batch: PackedBatch) -> Any:
    """As `response_loss`, by the model's own forward pass: the gate hangs on it."""
    from torch.nn import functional

    logits = model(
        input_ids=batch.input_ids, position_ids=batch.position_ids, attention_mask=batch.attention_mask
    ).logits
    return functional.cross_entropy(logits.flatten(0, 1)[batch.predict_at].float(), batch.targets)
