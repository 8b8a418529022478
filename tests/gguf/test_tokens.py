from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, pre_tokenizers

from jobs.llamacpp.export import export
from tests.gguf.conftest import run
from tests.jobs.llamacpp.conftest import grouped_llama, trained
from tests.jobs.llamacpp.test_vocabulary import LLAMA_3, of_sentence_piece

TEXTS = [" The capital of France is Paris.", " two  spaces, 1234 and\n\na line", " Größe \u2603 it's </s> end", " "]
SCRIPT = """
import json, sys
from pathlib import Path
from jobs.llamacpp.model import LlamaCpp
model = LlamaCpp(Path(sys.argv[1]), context_length=64, num_threads=1)
print(json.dumps([model.tokenize(text) for text in json.loads(sys.argv[2])]))
"""
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
SPLITS = {
    "gpt-2": pre_tokenizers.ByteLevel(add_prefix_space=True),
    "smollm": pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    ),
    "llama-bpe": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA_3), behavior="isolated"), BYTES]),
}


def _same(python: str, tokenizer: Any, texts: list[str], path: Path, vocab_size: int) -> None:
    export(grouped_llama(vocab_size=vocab_size), tokenizer, path, "F32")
    assert run(python, SCRIPT, path, json.dumps(texts)) == [tokenizer(text)["input_ids"] for text in texts]


@pytest.mark.parametrize("name", SPLITS)
def test_llama_cpp_cuts_a_text_into_the_same_bytes(python: str, name: str, tmp_path: Path) -> None:
    _same(python, trained(SPLITS[name], vocab_size=400), TEXTS, tmp_path / "model.gguf", 400)


def test_llama_cpp_merges_by_scores_as_transformers_does_by_ranks(python: str, tmp_path: Path) -> None:
    texts = ["the tea the a", "heat a the", "thé \u2603"]
    _same(python, of_sentence_piece(), texts, tmp_path / "model.gguf", 268)
