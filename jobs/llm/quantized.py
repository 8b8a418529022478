"""4-bit NormalFloat with double quantization (QLoRA, section 3), by bitsandbytes."""

from __future__ import annotations

from typing import Any


def nf4_config(compute_dtype: Any) -> Any:
    """What `from_pretrained` takes as `quantization_config`."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
    )


def keep_layout(model: Any) -> Any:
    """Keep the 4-bit weights as they were quantized, and return the model.

    On CPUs with AVX512-BF16, bitsandbytes packs the weights anew at the first forward pass in evaluation mode. The
    packed layout has no backward pass: whoever evaluates before training would train on gradients that end there.
    """
    import bitsandbytes

    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False
    return model
