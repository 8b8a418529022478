"""In the jobs' environment: read a case whose model is a checkpoint of transformers.

python -m jobs.device.by_pytorch FOLDER      with FOLDER/asked.json, as jobs.device.case writes it
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jobs.compress.pretrained import from_pretrained
from jobs.device.case import Case
from jobs.device.reading import main
from jobs.llm.process import quiet


def load(case: Case) -> Any:
    """The model on the CPU in the case's dtype, which ends no answer before it has its length."""
    import torch
    from transformers import GenerationConfig

    quiet()
    torch.set_num_threads(case.num_threads)
    model = from_pretrained(Path(case.model), dtype=getattr(torch, case.form), device_map={"": "cpu"}).eval()
    # Any id pads: one row needs none, and without one transformers says so each time.
    model.generation_config = GenerationConfig(pad_token_id=0, eos_token_id=None)
    return model


if __name__ == "__main__":
    sys.exit(main(load, ["transformers.models.llama.modeling_llama", "accelerate"]))
