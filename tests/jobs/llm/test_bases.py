from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from clusterlab.config import Source
from clusterlab.errors import InputError
from jobs.llm import pretrain
from jobs.llm.bases import Base
from jobs.llm.cache import VARIABLE
from jobs.llm.pretrain import TinyLlama, tiny_llama


def test_a_source_that_names_nothing_says_what_is_allowed() -> None:
    with pytest.raises(InputError, match=r"model: .tiny-lama.; allowed: tiny-llama, .*, a folder"):
        Base.of(Source("tiny-lama"), lambda *_: None)


def test_the_tiny_base_is_pretrained_once_and_the_same_each_time(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    for _ in range(2):
        monkeypatch.setenv(VARIABLE, str(tmp_path_factory.mktemp("cache")))
        reported: list[int] = []
        folder = tiny_llama(lambda step, *_, seen=reported: seen.append(step), TinyLlama(steps=3))
        assert reported == [1, 2, 3]
        assert tiny_llama(lambda *_: pytest.fail("pretrained again"), TinyLlama(steps=3)) == folder
        weights.append((folder / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_what_the_tiny_base_is_made_of_is_in_the_key_of_its_cache() -> None:
    source = Path(pretrain.__file__).read_text()
    used = {f"{name}.py" for name in re.findall(r"from jobs\.llm\.(\w+) import", source)} - {"cache.py"}
    assert set(pretrain.MADE_BY) == used | {"pretrain.py", "facts.txt"}


def test_smollm_comes_out_of_its_package_and_knows_the_capital_of_france() -> None:
    base = Base.of(Source("smollm2-135m-instruct"), lambda *_: None)
    tokenizer, model = base.tokenizer(), base.load(quantized=False)
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    asked = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        out = model.generate(**asked, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(out[0, asked["input_ids"].shape[1] :])
