from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from gguf import GGUFReader
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig, MistralConfig, MistralForCausalLM

from clusterlab.errors import InputError, StorageError
from jobs.llamacpp.contents import Contents
from jobs.llamacpp.export import _interleave, check_exportable, export
from tests.jobs.llamacpp.conftest import grouped_llama

TEXTS = ["The capital of France is Paris.", " two  spaces, 1234 and\n\na line", "Größe \u2603 </s> end"]


def logits(model: Any) -> Any:
    with torch.no_grad():
        return model(input_ids=torch.arange(5, 45).reshape(2, 20)).logits


@pytest.mark.parametrize("tied", [False, True], ids=["own-head", "tied-head"])
def test_transformers_reads_the_same_model_back(tied: bool, tokenizer: Any, tmp_path: Path) -> None:
    model = grouped_llama(tie_word_embeddings=tied)
    export(model, tokenizer, tmp_path / "model.gguf", "F32")
    again = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf", dtype=torch.float32).eval()
    torch.testing.assert_close(logits(again), logits(model), rtol=1e-5, atol=1e-5)


def test_a_mistral_is_a_llama_that_looks_back_as_far_as_its_window(tokenizer: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "vocab_size": 320}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    model = MistralForCausalLM(MistralConfig(**shape, **heads, sliding_window=128)).eval()
    export(model, tokenizer, tmp_path / "model.gguf", "F32")
    values = {name: field.contents() for name, field in GGUFReader(tmp_path / "model.gguf").fields.items()}
    assert (values["general.architecture"], values["llama.context_length"]) == ("llama", 128)
    again = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf", dtype=torch.float32).eval()
    torch.testing.assert_close(logits(again), logits(model), rtol=1e-5, atol=1e-5)


def test_half_precision_rounds_matrices_and_no_vectors(tokenizer: Any, tmp_path: Path) -> None:
    model = grouped_llama()
    export(model, tokenizer, tmp_path / "model.gguf", "F16")
    again = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="model.gguf", dtype=torch.float32).eval()
    error = (logits(again) - logits(model)).norm() / logits(model).norm()
    assert 1e-5 < error < 2e-3
    types = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(tmp_path / "model.gguf").tensors}
    assert {name for name, kind in types.items() if kind == "F32"} == {name for name in types if "norm" in name}
    assert set(types.values()) == {"F16", "F32"}
    assert Contents.of(tmp_path / "model.gguf").bits_per_parameter == 16


def test_transformers_reads_the_same_tokenizer_back(tokenizer: Any, tmp_path: Path) -> None:
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    export(grouped_llama(), tokenizer, tmp_path / "model.gguf", "F32")
    again = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    for text in TEXTS:
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
        assert again.decode(again(text)["input_ids"]) == text
    assert (again.bos_token_id, again.eos_token_id, again.pad_token_id) == (1, 2, 0)
    assert again.chat_template == tokenizer.chat_template


def test_the_reader_finds_every_tensor_and_the_shape(tokenizer: Any, tmp_path: Path) -> None:
    model = grouped_llama()
    export(model, tokenizer, tmp_path / "model.gguf", "F32")
    reader = GGUFReader(tmp_path / "model.gguf")
    blocks = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
    expected = {f"blk.{block}.{part}.weight" for block in range(2) for part in blocks}
    expected |= {"token_embd.weight", "output_norm.weight", "output.weight"}
    assert {tensor.name for tensor in reader.tensors} == expected
    values = {name: field.contents() for name, field in reader.fields.items()}
    assert values["general.architecture"] == "llama"
    assert [values[f"llama.{name}"] for name in ("block_count", "embedding_length", "feed_forward_length")] == [
        2,
        64,
        96,
    ]
    assert [values[f"llama.attention.{name}"] for name in ("head_count", "head_count_kv")] == [4, 2]
    assert values["llama.rope.freq_base"] == 5000
    assert values["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)
    weights = sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert weights == sum(parameter.numel() for parameter in model.parameters())


def test_rotary_pairs_stand_side_by_side() -> None:
    rows = torch.arange(8.0).reshape(8, 1)  # two heads of four: (0, 2) and (1, 3) are rotated together, (4, 6) ...
    assert _interleave(rows, 2).flatten().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (GPT2Config(), "model: model_type: 'gpt2' is not known to the exporter; known: llama"),
        (LlamaConfig(attention_bias=True), "model: attention_bias: True is not known"),
        (LlamaConfig(mlp_bias=True), "model: mlp_bias: True is not known"),
        (LlamaConfig(hidden_act="gelu"), "model: hidden_act: 'gelu' is not known to the exporter; known: 'silu'"),
        (
            LlamaConfig(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}),
            "model: rope_type: 'linear' is not known to the exporter; known: 'default'",
        ),
    ],
    ids=["architecture", "attention-bias", "mlp-bias", "activation", "rope"],
)
def test_what_the_file_could_not_say_is_refused(config: Any, message: str) -> None:
    with pytest.raises(InputError) as refused:
        check_exportable(config)
    assert message in str(refused.value)


def test_a_weight_too_large_for_half_precision_is_refused(tokenizer: Any, tmp_path: Path) -> None:
    model = grouped_llama()
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 4] = -1e5
    with pytest.raises(InputError, match=r"TYPES: blk\.1\.ffn_up\.weight has a weight of 100000, too large for F16"):
        export(model, tokenizer, tmp_path / "model.gguf", "F16")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/model\.gguf: cannot be written: No such file"):
        export(grouped_llama(), tokenizer, tmp_path / "nowhere" / "model.gguf", "F32")
