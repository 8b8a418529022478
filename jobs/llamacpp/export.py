"""Write a Llama of transformers as a GGUF file (ggml-org/ggml, docs/gguf.md), which llama.cpp runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem, StorageError
from jobs.llamacpp.file_types import UNQUANTIZED
from jobs.llamacpp.vocabulary import Vocabulary

KNOWN = ("llama", "mistral")
"""`model_type`s that the exporter knows."""
ARCHITECTURE = "llama"
"""Of all of them in GGUF: a Mistral is a Llama, whose window ends the context here (see `_context_length`)."""

_TENSORS = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_BLOCK_TENSORS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def check_exportable(config: Any) -> None:
    """Refuse a model that the file could not say everything about, by its config of transformers.

    Raises:
        InputError: its architecture is another, or it has a part that the exporter does not write.
    """
    if config.model_type not in KNOWN:
        message = f"{config.model_type!r} is not known to the exporter; known: {', '.join(KNOWN)}"
        raise InputError(Problem(path="model", key="model_type", message=message))
    rope = (config.rope_parameters or {}).get("rope_type", "default")
    written: dict[str, tuple[Any, Any]] = {"hidden_act": (config.hidden_act, "silu"), "rope_type": (rope, "default")}
    written |= {name: (getattr(config, name, False), False) for name in ("attention_bias", "mlp_bias")}
    problems = [
        Problem(path="model", key=name, message=f"{value!r} is not known to the exporter; known: {known!r}")
        for name, (value, known) in written.items()
        if value != known
    ]
    if problems:
        raise InputError(problems)


def export(model: Any, tokenizer: Any, path: Path, file_type: str) -> None:
    """Write a model with its tokenizer; matrices in `file_type`, F32 or F16, vectors in F32.

    One tensor at a time is converted, so this takes no more memory than the model and its largest matrix.

    Raises:
        InputError: the exporter does not know such a model, or a weight is too large for F16.
        StorageError: the file cannot be written.
    """
    from gguf import GGUFWriter

    if file_type not in UNQUANTIZED:
        raise ValueError(f"{file_type}: allowed: {', '.join(UNQUANTIZED)}")
    check_exportable(model.config)
    vocabulary = Vocabulary.of(tokenizer, model.config.vocab_size)
    partial = path.with_suffix(".partial")
    writer = GGUFWriter(partial, ARCHITECTURE)
    try:
        _add_shape(writer, model.config, file_type)
        _add_vocabulary(writer, vocabulary)
        _write(writer, model, file_type)
        writer.close()
        partial.rename(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        writer.close()
        partial.unlink(missing_ok=True)


def _add_shape(writer: Any, config: Any, file_type: str) -> None:
    from gguf import LlamaFileType

    writer.add_file_type(LlamaFileType.ALL_F32 if file_type == "F32" else LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(_context_length(config))
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(float(config.rope_parameters["rope_theta"]))


def _context_length(config: Any) -> int:
    """Tokens that a Llama may look back; in one of Mistral's windows it looks back no further either."""
    window = getattr(config, "sliding_window", None)
    return int(min(config.max_position_embeddings, window or config.max_position_embeddings))


def _add_vocabulary(writer: Any, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model(vocabulary.model)
    writer.add_tokenizer_pre(vocabulary.split)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    if vocabulary.scores:
        writer.add_token_scores(vocabulary.scores)
    for name, token in vocabulary.special_ids.items():
        getattr(writer, f"add_{name}_token_id")(token)
    writer.add_add_bos_token(vocabulary.add_bos)
    writer.add_add_eos_token(vocabulary.add_eos)
    writer.add_add_space_prefix(vocabulary.add_space_prefix)
    if vocabulary.chat_template is not None:
        writer.add_chat_template(vocabulary.chat_template)


def _write(writer: Any, model: Any, file_type: str) -> None:
    import numpy as np

    dtypes = {}
    for name, tensor in _named_tensors(model):
        dtypes[name] = np.dtype(np.float16 if file_type == "F16" and tensor.dim() > 1 else np.float32)
        size = tensor.numel() * dtypes[name].itemsize
        writer.add_tensor_info(name, tuple(tensor.shape), dtypes[name], size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, tensor in _named_tensors(model):
        values = tensor.float().cpu().numpy()
        if dtypes[name] == np.float16 and np.abs(values).max() > np.finfo(np.float16).max:
            message = f"{name} has a weight of {np.abs(values).max():.0f}, too large for F16; allowed: F32"
            raise InputError(Problem(path="TYPES", message=message))
        writer.write_tensor_data(np.ascontiguousarray(values, dtype=dtypes[name]))


def _named_tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """Every weight under the name that llama.cpp looks for, in its order of rotary dimensions; a tied head once."""
    config = model.config
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for name, tensor in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        found = _gguf_name(name)
        part = found.split(".")[-2]
        yield found, _interleave(tensor, heads[part]) if part in heads else tensor


def _gguf_name(name: str) -> str:
    """`model.layers.3.self_attn.q_proj.weight` is `blk.3.attn_q.weight`."""
    stem, _, kind = name.rpartition(".")
    if stem in _TENSORS:
        return f"{_TENSORS[stem]}.{kind}"
    block, _, part = stem.removeprefix("model.layers.").partition(".")
    if part not in _BLOCK_TENSORS:
        message = f"{name} is not known to the exporter"
        raise InputError(Problem(path="model", message=message))
    return f"blk.{block}.{_BLOCK_TENSORS[part]}.{kind}"


def _interleave(weight: Any, num_heads: int) -> Any:
    """Rows of each head from transformers' order of rotary pairs to llama.cpp's.

    transformers rotates dimension i with i + d/2, llama.cpp 2i with 2i + 1.
    """
    rows, columns = weight.shape
    pairs = weight.reshape(num_heads, 2, rows // num_heads // 2, columns)
    return pairs.transpose(1, 2).reshape(rows, columns)
