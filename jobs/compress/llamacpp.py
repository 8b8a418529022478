"""GGUF files of llama.cpp (ggml-org/llama.cpp): weights in blocks of 32, or of 256 in the K types."""

from __future__ import annotations

from pathlib import Path

from jobs.compress.methods import Inputs, Loaded, Method

FILE = "model.gguf"


def quantize(method: Method, inputs: Inputs, folder: Path) -> None:
    """Export to F32 and quantize that; nothing is calibrated."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from jobs.llamacpp.export import export
    from jobs.llamacpp.quantize import quantize as quantize_file

    exact = folder / "exact.gguf"
    # In the type that the weights have: of 7 billion in float32 one machine in two has no room for.
    model = AutoModelForCausalLM.from_pretrained(inputs.base, dtype="auto", local_files_only=True)
    export(model, AutoTokenizer.from_pretrained(inputs.base, local_files_only=True), exact, "F32")
    quantize_file(exact, folder / FILE, method.settings["file_type"], num_threads=torch.get_num_threads())
    exact.unlink()


def load(method: Method, inputs: Inputs, folder: Path) -> Loaded:
    """Load it with llama.cpp, on the CPU always."""
    import torch

    from jobs.llamacpp.contents import Contents
    from jobs.llamacpp.model import LlamaCpp

    del method
    contents = Contents.of(folder / FILE)
    return Loaded(
        model=LlamaCpp(folder / FILE, context_length=inputs.context_length, num_threads=torch.get_num_threads()),
        memory_bytes=contents.num_bytes,
        bits_per_parameter=contents.bits_per_parameter,
    )
