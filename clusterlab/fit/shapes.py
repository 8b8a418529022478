"""The shapes of Llama-type models: RMSNorm, SwiGLU, rotary positions, no biases."""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.closest import hint
from clusterlab.errors import InputError, Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The numbers of a model's config.json from which its parameters, FLOPs and bytes follow."""

    name: str
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    vocab_size: int
    tied: bool
    """Whether the head is the embedding's matrix."""

    @property
    def key_value_size(self) -> int:
        """Width of the keys, and of the values, of one token."""
        return self.hidden_size // self.num_attention_heads * self.num_key_value_heads

    @property
    def parameters_per_layer(self) -> int:
        """Query and output, key and value, the three matrices of SwiGLU, two norms."""
        hidden = self.hidden_size
        attention = 2 * hidden * hidden + 2 * hidden * self.key_value_size
        return attention + 3 * hidden * self.intermediate_size + 2 * hidden

    @property
    def embedding_parameters(self) -> int:
        """Of the embedding alone, or of the head alone: they have the same shape."""
        return self.vocab_size * self.hidden_size

    @property
    def num_parameters(self) -> int:
        """All of them, exactly: embedding, layers, last norm, and the head where it is not the embedding."""
        heads = 1 if self.tied else 2
        return heads * self.embedding_parameters + self.num_layers * self.parameters_per_layer + self.hidden_size

    def flops_per_token(self, seq_length: int) -> int:
        """FLOPs of one token, forward and backward: 6N + 12*L*h*s (PaLM, arXiv:2204.02311, appendix B).

        N leaves the embedding out, since looking a row up multiplies nothing; it has the head, which does multiply,
        so the one matrix of a tied model counts once. As there, attention counts the whole square although the mask
        hides half of it, and what is recomputed does not count.
        """
        num_multiplied = self.num_parameters - (0 if self.tied else self.embedding_parameters)
        return 6 * num_multiplied + 12 * self.num_layers * self.hidden_size * seq_length


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            name="tiny",
            hidden_size=128,
            intermediate_size=352,
            num_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=256,
            tied=False,
        ),
        Shape(
            name="micro",
            hidden_size=64,
            intermediate_size=64,
            num_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            vocab_size=256,
            tied=False,
        ),
        Shape(
            name="smollm2-135m",
            hidden_size=576,
            intermediate_size=1536,
            num_layers=30,
            num_attention_heads=9,
            num_key_value_heads=3,
            vocab_size=49152,
            tied=True,
        ),
        Shape(
            name="tinyllama-1.1b",
            hidden_size=2048,
            intermediate_size=5632,
            num_layers=22,
            num_attention_heads=32,
            num_key_value_heads=4,
            vocab_size=32000,
            tied=False,
        ),
        Shape(
            name="llama-2-7b",
            hidden_size=4096,
            intermediate_size=11008,
            num_layers=32,
            num_attention_heads=32,
            num_key_value_heads=32,
            vocab_size=32000,
            tied=False,
        ),
        Shape(
            name="llama-2-13b",
            hidden_size=5120,
            intermediate_size=13824,
            num_layers=40,
            num_attention_heads=40,
            num_key_value_heads=40,
            vocab_size=32000,
            tied=False,
        ),
        Shape(
            name="llama-2-70b",
            hidden_size=8192,
            intermediate_size=28672,
            num_layers=80,
            num_attention_heads=64,
            num_key_value_heads=8,
            vocab_size=32000,
            tied=False,
        ),
    )
}
"""By name. `tiny` and `micro` are ours, for a CPU; the others are the config.json of HuggingFaceTB/SmolLM2-135M
(arXiv:2502.02737), TinyLlama/TinyLlama-1.1B (arXiv:2401.02385) and meta-llama/Llama-2-{7b,13b,70b}-hf
(arXiv:2307.09288)."""


def shape_of(name: str, *, path: str = "model") -> Shape:
    """The shape of that name; `path` is named in the error.

    Raises:
        InputError: there is none.
    """
    if name not in SHAPES:
        message = f"no shape {name!r}; {hint(name, SHAPES)}allowed: {', '.join(SHAPES)}"
        raise InputError(Problem(path=path, message=message))
    return SHAPES[name]
