"""In an environment of its own: the logits of a checkpoint as transformers loads it, for a test in another.

python -m tests.quant.logits CHECKPOINT ROWS.npy LOGITS.npy
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main() -> None:
    """Load, ask once, and write; the last word printed is the type that a layer's weights are stored in."""
    import torch
    from transformers import AutoModelForCausalLM

    checkpoint, rows, out = map(Path, sys.argv[1:])
    model = AutoModelForCausalLM.from_pretrained(checkpoint, device_map="cpu", local_files_only=True).eval()
    layer = model.get_submodule("model.layers.0.mlp.up_proj")
    # Of compressed-tensors the weights are unpacked in the first forward pass.
    names = ("qweight", "weight_packed", "weight")
    stored = next(getattr(layer, name).dtype for name in names if hasattr(layer, name))
    with torch.inference_mode():
        logits = model(input_ids=torch.from_numpy(np.load(rows))).logits.float()
    np.save(out, logits.numpy())
    print(stored)


if __name__ == "__main__":
    main()
