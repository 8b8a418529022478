"""A tokenizer in the words of GGUF (ggml-org/ggml, docs/gguf.md, `tokenizer.ggml`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clusterlab.errors import InputError, Problem

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""`gguf.TokenType`."""
BYTE_LEVEL, SENTENCE_PIECE = "gpt2", "llama"
"""`tokenizer.ggml.model`: BPE over bytes spelled as letters, and BPE over characters that falls back to bytes."""

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPACE = "\u2581"


@dataclass(frozen=True, kw_only=True, slots=True)
class Vocabulary:
    """What llama.cpp needs to know to cut a text as the tokenizer does.

    ByteLevel's `add_prefix_space` is not among it: llama.cpp puts no space before a byte-level text. Who wants the ids
    of such a tokenizer writes the space.
    """

    model: str
    """`gpt2` or `llama`."""
    split: str
    """The name under which llama.cpp knows the expression that cuts a text into words."""
    tokens: list[str]
    """By id, as many as the model has rows."""
    types: list[int]
    merges: list[str]
    """Best first; empty for `llama`, whose scores say the same."""
    scores: list[float]
    """The higher, the earlier a token is merged; empty for `gpt2`."""
    special_ids: dict[str, int]
    """`bos`, `eos`, `unk`, `pad`, as far as the tokenizer has them."""
    add_bos: bool
    """Whether a text begins with `bos`."""
    add_eos: bool
    add_space_prefix: bool
    chat_template: str | None

    @classmethod
    def of(cls, tokenizer: Any, num_rows: int) -> Vocabulary:
        """Read a tokenizer of transformers; `num_rows` are those of the model's embedding.

        Raises:
            InputError: llama.cpp has no such tokenizer, or it has more tokens than the model has rows.
        """
        parts = json.loads(tokenizer.backend_tokenizer.to_str())
        by_id = {token: text for text, token in tokenizer.get_vocab().items()}
        if max(by_id) >= num_rows:
            raise _refused(f"has the token id {max(by_id)}; the model has {num_rows} rows")
        if parts["model"]["type"] != "BPE":
            raise _refused(f"is {parts['model']['type']!r}; known: BPE")
        sentence_piece = bool(parts["model"]["byte_fallback"])
        merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in parts["model"]["merges"]]
        first, last = _around(tokenizer)
        return cls(
            model=SENTENCE_PIECE if sentence_piece else BYTE_LEVEL,
            split="default" if sentence_piece else _split(parts),
            tokens=[by_id.get(token, f"[PAD{token}]") for token in range(num_rows)],
            types=_types(parts, by_id, num_rows, sentence_piece=sentence_piece),
            merges=[] if sentence_piece else merges,
            scores=_scores(merges, by_id, num_rows) if sentence_piece else [],
            special_ids=_special_ids(tokenizer),
            add_bos=first is not None and first == tokenizer.bos_token_id,
            add_eos=last is not None and last == tokenizer.eos_token_id,
            add_space_prefix=sentence_piece and _prepends_space(parts),
            chat_template=tokenizer.chat_template,
        )


def _refused(message: str) -> InputError:
    return InputError(Problem(path="model", key="tokenizer", message=message))


def _special_ids(tokenizer: Any) -> dict[str, int]:
    found = {name: getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "unk", "pad")}
    return {name: token for name, token in found.items() if token is not None}


def _around(tokenizer: Any) -> tuple[int | None, int | None]:
    """What the tokenizer puts before and after a text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    before = whole[0] if whole[: len(bare)] != bare else None
    after = whole[-1] if whole[-len(bare) :] != bare else None
    return before, after


def _split(parts: Mapping[str, Any]) -> str:
    """llama.cpp's name (`tokenizer.ggml.pre`) for what the tokenizer does before it merges."""
    if parts["normalizer"] is not None:
        raise _refused(f"normalizes by {parts['normalizer']['type']!r}; known: byte-level BPE without a normalizer")
    spec = parts["pre_tokenizer"] or {"type": None}
    steps = spec["pretokenizers"] if spec["type"] == "Sequence" else [spec]
    match steps:
        case [{"type": "ByteLevel", "use_regex": True}]:
            return "gpt-2"
        case [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "use_regex": True}]:
            return "smollm"
        case [{"type": "Split", "pattern": {"Regex": pattern}}, {"type": "ByteLevel", "use_regex": False}] if (
            pattern == _LLAMA_3
        ):
            return "llama-bpe"
    raise _refused(f"splits by {[step['type'] for step in steps]}; known: those of GPT-2, SmolLM and Llama 3")


def _types(parts: Mapping[str, Any], by_id: Mapping[int, str], num_rows: int, *, sentence_piece: bool) -> list[int]:
    types = [NORMAL if token in by_id else UNUSED for token in range(num_rows)]
    for token, text in by_id.items() if sentence_piece else ():
        if len(text) == len("<0x00>") and text.startswith("<0x"):
            types[token] = BYTE
    for added in parts["added_tokens"]:
        types[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    unknown = parts["model"]["unk_token"]
    if sentence_piece and unknown is not None:
        types[next(token for token, text in by_id.items() if text == unknown)] = UNKNOWN
    return types


def _scores(merges: list[str], by_id: Mapping[int, str], num_rows: int) -> list[float]:
    """What SentencePiece would have written: a token's score is minus the rank of the first merge that makes it."""
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(merges):
        ranks.setdefault(merge.replace(" ", ""), rank)
    return [-float(ranks.get(by_id.get(token, ""), 0)) for token in range(num_rows)]


def _prepends_space(parts: Mapping[str, Any]) -> bool:
    normalizer = parts["normalizer"] or {}
    steps = [*normalizer.get("normalizers", [normalizer]), parts["pre_tokenizer"] or {}]
    return any(step.get("prepend") == _SPACE or step.get("prepend_scheme") in ("first", "always") for step in steps)
