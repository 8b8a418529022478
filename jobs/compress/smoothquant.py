"""SmoothQuant (Xiao et al., 2022, arXiv:2211.10438): 8-bit weights and 8-bit activations, by llm-compressor.

Outliers of the activations are divided out channel by channel and multiplied into the weights, so that both fit 8 bits.
"""

from __future__ import annotations

from pathlib import Path

from jobs.compress.methods import Inputs, Loaded, Method
from jobs.compress.pretrained import from_pretrained


def quantize(method: Method, inputs: Inputs, folder: Path) -> None:
    """Smooth on the calibration rows, round the weights, and save in the format compressed-tensors.

    Weights have a scale for each output; activations get one for each token when they are there.
    """
    import torch
    from datasets import Dataset
    from llmcompressor import oneshot
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform.smoothquant import SmoothQuantModifier
    from transformers import AutoTokenizer

    _keep_activations_unpinned()
    rows = inputs.calibration
    model = from_pretrained(inputs.base)
    oneshot(
        model=model,
        dataset=Dataset.from_dict({"input_ids": rows.tolist(), "attention_mask": torch.ones_like(rows).tolist()}),
        recipe=[
            SmoothQuantModifier(smoothing_strength=method.settings["strength"]),
            QuantizationModifier(targets="Linear", scheme="W8A8", ignore=["lm_head"]),
        ],
        max_seq_length=rows.shape[1],
        num_calibration_samples=len(rows),
    )
    model.save_pretrained(folder, save_compressed=True)
    AutoTokenizer.from_pretrained(inputs.base, local_files_only=True).save_pretrained(folder)


def load(method: Method, inputs: Inputs, folder: Path) -> Loaded:
    """Load it with transformers."""
    del method
    return Loaded.of(from_pretrained(folder), inputs.shapes)


def _keep_activations_unpinned() -> None:
    """Without an accelerator there is no pinned memory, which llm-compressor asks for all the same."""
    import torch
    from llmcompressor.pipelines.cache import IntermediatesCache

    if not torch.accelerator.is_available():
        IntermediatesCache.pin_memory = lambda *_, **__: None
