"""The ways to quantize a model that the sweep knows, by name.

A method's module has two functions, imported only in a process of the method's environment:

    quantize(method: Method, inputs: Inputs, folder: Path) -> None
        Quantize the model in `inputs.base`, and save into `folder` what people's tools load.
    load(method: Method, inputs: Inputs, folder: Path) -> Loaded
        Load what `quantize` saved, with the tool that people use.

An environment is `images/<name>.lock`; it has torch and numpy, and `make env-<name>` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.compress.size import Shapes, bits_per_parameter, group_problems, memory_bytes

TRANSFORMERS = ("transformers.models.llama.modeling_llama",)
"""What most methods load models with; it imports its parts when they are first asked for."""
UNQUANTIZED = "unquantized"
"""The method that leaves the model as it is: what all others are compared with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One way to quantize, at one bit width."""

    name: str
    """Ends the names of its metrics: `perplexity_rtn_4`."""
    family: str
    """What it is called in tables and pictures; methods of one family differ in bits."""
    bits: float
    """Bits of a weight by name, without constants."""
    module: str
    """Where its `quantize` and `load` are."""
    environment: str = "train"
    """The environment whose Python runs it; `train` is that of the jobs."""
    on_gpu: bool = True
    """Whether it computes on a GPU where there is one."""
    grouped: bool = False
    """Whether GROUP_SIZE input features of a row share their constants."""
    input_multiple: int = 1
    """What the input features of every layer must be a multiple of, GROUP_SIZE apart."""
    output_multiple: int = 1
    """What the output features of every layer must be a multiple of."""
    libraries: tuple[str, ...] = TRANSFORMERS
    """What it imports; imported before its time is taken."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the module needs to know besides."""

    def problems(self, shapes: Shapes, group_size: int) -> list[str]:
        """Why the method cannot quantize layers of these shapes; each names the layer."""
        found = group_problems(shapes, group_size) if self.grouped else []
        for layer, (outputs, inputs) in shapes.items():
            for kind, size, multiple in (
                ("input", inputs, self.input_multiple),
                ("output", outputs, self.output_multiple),
            ):
                if size % multiple:
                    found.append(f"{layer}: {size} {kind} features; {self.name} takes multiples of {multiple}")
        return found


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Inputs:
    """What every method is given."""

    base: Path
    """A folder with the unquantized model and its tokenizer."""
    shapes: Shapes
    """Its linear layers, the head apart."""
    calibration: Any
    """(rows, length), int64: what a method may look at."""
    group_size: int
    context_length: int
    """Tokens that the loaded model is given at most, those included that it writes."""
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Loaded:
    """A quantized model that can be asked, and what it takes; counted before its first forward pass."""

    model: Any
    """Is called as models of transformers are (`model(input_ids=rows).logits`), and has their greedy `generate`."""
    memory_bytes: int
    """Of all weights."""
    bits_per_parameter: float
    """Of the linear layers, constants included."""

    @classmethod
    def of(cls, model: Any, shapes: Shapes) -> Loaded:
        """Count a model of torch."""
        return cls(
            model=model.eval(), memory_bytes=memory_bytes(model), bits_per_parameter=bits_per_parameter(model, shapes)
        )


def _by_bits(family: str, stem: str, widths: tuple[int, ...], **values: Any) -> list[Method]:
    return [Method(name=f"{stem}_{bits}", family=family, bits=bits, **values) for bits in widths]


# What packs 3 bits into words of 32 does so in periods of 32 values.
_RTN: dict[str, Any] = {"module": "jobs.compress.rtn", "grouped": True, "input_multiple": 32, "output_multiple": 32}
# Where it is installed, transformers imports deepspeed to save a model.
_SAVING = (*TRANSFORMERS, "deepspeed")
_BNB: dict[str, Any] = {"module": "jobs.compress.bnb", "libraries": (*_SAVING, "bitsandbytes")}
_GPTQMODEL: dict[str, Any] = {
    "module": "jobs.compress.gptqmodel",
    "environment": "quant",
    "grouped": True,
    "input_multiple": 32,
    "output_multiple": 32,
    "libraries": (*TRANSFORMERS, "gptqmodel"),
}
# It looks for AWQ's clipping in batches of 64 outputs, and asserts that they are whole.
_AWQ: dict[str, Any] = _GPTQMODEL | {"output_multiple": 64, "settings": {"awq": True, "symmetric": False}}
_SMOOTHQUANT: dict[str, Any] = {
    "module": "jobs.compress.smoothquant",
    "environment": "compressor",
    "libraries": (*TRANSFORMERS, "datasets", "llmcompressor"),
    # As its authors take it for LLaMA-2.
    "settings": {"strength": 0.85},
}


def _gguf(file_type: str, bits: int) -> Method:
    return Method(
        name=f"gguf_{file_type.lower()}",
        family=f"GGUF {file_type}",
        bits=bits,
        module="jobs.compress.llamacpp",
        environment="gguf",
        on_gpu=False,
        input_multiple=32,
        libraries=(*TRANSFORMERS, "gguf", "llama_cpp"),
        settings={"file_type": file_type},
    )


METHODS = {
    method.name: method
    for method in (
        Method(name=UNQUANTIZED, family="unquantized", bits=16, module="jobs.compress.unquantized", libraries=_SAVING),
        *_by_bits("RTN", "rtn", (8, 4, 3), **_RTN),
        Method(name="llm_int8", family="LLM.int8()", bits=8, **_BNB),
        Method(name="nf4", family="NF4", bits=4, settings={"double_quantization": False}, **_BNB),
        Method(name="nf4_dq", family="NF4 + DQ", bits=4, settings={"double_quantization": True}, **_BNB),
        *_by_bits("GPTQ", "gptq", (4, 3), settings={"awq": False, "symmetric": False}, **_GPTQMODEL),
        # The one of GPTQ's that vLLM loads: its kernels know no zeros.
        *_by_bits("GPTQ, symmetric", "gptq_sym", (4,), settings={"awq": False, "symmetric": True}, **_GPTQMODEL),
        *_by_bits("AWQ", "awq", (4, 3), **_AWQ),
        Method(name="smoothquant", family="SmoothQuant W8A8", bits=8, **_SMOOTHQUANT),
        *(_gguf(file_type, bits) for file_type, bits in (("Q8_0", 8), ("Q4_K_M", 4), ("Q2_K", 2))),
    )
}


def chosen(names: str, known: Mapping[str, Method] = METHODS) -> list[Method]:
    """The methods of a comma-separated list, `all`, or those that compute on a `gpu`, with the unquantized model first.

    Raises:
        ValueError: one is not known, or is there twice.
    """
    groups = {"all": list(known), "gpu": [name for name, method in known.items() if method.on_gpu]}
    wanted = groups.get(names) or [name.strip() for name in names.split(",")]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ValueError(
            f"METHODS={','.join(unknown)}: unknown; allowed: {', '.join(groups)}, or of {', '.join(known)}"
        )
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"METHODS={names}: each may be there once")
    return [known[name] for name in dict.fromkeys((UNQUANTIZED, *wanted))]
