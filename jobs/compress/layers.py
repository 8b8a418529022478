"""What a Llama is made of, as quantization sees it: linear layers, and norms with the layers that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from clusterlab.errors import InputError, Problem

MODEL_TYPES = ("llama", "mistral")
"""Decoders of this build: a norm whose weight multiplies, then linear layers that read nothing else."""


def decoder_linears(model: Any) -> dict[str, Any]:
    """The linear layers of the decoder by name; the head is not one of them, and stays unquantized."""
    import torch

    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class NormGroup:
    """A norm and all the linear layers that read what it gives."""

    name: str
    """Of the norm within the model."""
    norm: Any
    linears: tuple[Any, ...]

    @property
    def weights(self) -> tuple[Any, ...]:
        """The layers' weights, each (out, hidden)."""
        return tuple(linear.weight.data for linear in self.linears)

    def scale(self, factors: Any) -> None:
        """Multiply the norm's channels by `factors` (hidden,) and divide the weights' columns by them.

        The model computes the same as before; where the factors are powers of two, to the bit.
        """
        self.norm.weight.data = (self.norm.weight.data.float() * factors).to(self.norm.weight.dtype)
        for linear in self.linears:
            linear.weight.data = (linear.weight.data.float() / factors).to(linear.weight.dtype)


def norm_groups(model: Any) -> list[NormGroup]:
    """Two for each layer of the decoder: before attention, and before the feed-forward part.

    Raises:
        InputError: the model is of another build.
    """
    model_type = model.config.model_type
    if model_type not in MODEL_TYPES:
        message = f"a {model_type} model; allowed: {', '.join(MODEL_TYPES)}"
        raise InputError(Problem(path="MODEL", message=message))
    groups = []
    for number, layer in enumerate(model.model.layers):
        attention, mlp = layer.self_attn, layer.mlp
        readers = {
            "input_layernorm": (attention.q_proj, attention.k_proj, attention.v_proj),
            "post_attention_layernorm": (mlp.gate_proj, mlp.up_proj),
        }
        groups += [
            NormGroup(name=f"model.layers.{number}.{name}", norm=getattr(layer, name), linears=linears)
            for name, linears in readers.items()
        ]
    return groups


def watch(model: Any, modules: Mapping[str, Any], look: Callable[[str, Any, Any], None], rows: Any) -> None:
    """Run the model over rows of token ids (rows, length), one at a time.

    `look` is called with the name of a module, its input and its output, for each module and row.
    """
    import torch

    def hook(name: str, _: Any, inputs: tuple[Any, ...], output: Any) -> None:
        look(name, inputs[0], output)

    with ExitStack() as hooks, torch.inference_mode():
        for name, module in modules.items():
            hooks.callback(module.register_forward_hook(partial(hook, name)).remove)
        for row in rows:
            model(input_ids=row[None].to(model.device))
