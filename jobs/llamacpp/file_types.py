"""The types of GGUF files, by llama.cpp's names: how the weights of a model are stored."""

from __future__ import annotations

UNQUANTIZED = ("F32", "F16")
"""What the exporter writes; the rest is quantized from one of these by llama.cpp."""
QUANTIZED = (
    *("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0"),
    *("Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0", "Q3_K_L", "Q3_K_M", "Q3_K_S", "Q2_K"),
)


def parse_types(text: str) -> tuple[str, ...]:
    """The types of a comma-separated list, at least one of them unquantized.

    Raises:
        ValueError: one is not known or there twice, or there is nothing to quantize from.
    """
    types = tuple(name.strip() for name in text.split(","))
    known = (*UNQUANTIZED, *QUANTIZED)
    unknown = [name for name in types if name not in known]
    if unknown:
        raise ValueError(f"{', '.join(map(repr, unknown))} unknown; allowed: {', '.join(known)}")
    if len(set(types)) < len(types):
        raise ValueError("each type may be there once")
    if not set(types) & set(UNQUANTIZED):
        raise ValueError(f"one of {', '.join(UNQUANTIZED)} must be there: the others are quantized from it")
    return types


def type_problems(text: str, **chosen: str) -> list[str]:
    """What is wrong with the list in an env TYPES, and with envs that name one of its types."""
    try:
        types = parse_types(text)
    except ValueError as error:
        return [f"TYPES={text}: {error}"]
    wrong = {env: name for env, name in chosen.items() if name not in types}
    return [f"{env}={name}: allowed: one of TYPES, {', '.join(types)}" for env, name in wrong.items()]


def source_type(types: tuple[str, ...]) -> str:
    """The type that the others are quantized from: the most exact that is there."""
    return next(name for name in UNQUANTIZED if name in types)


def is_super_blocked(name: str) -> bool:
    """Whether it is a K type, of a file or of a tensor, which stores 256 weights of a row together."""
    return "_K" in name
