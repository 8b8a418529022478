from __future__ import annotations

from typing import Any

import pytest

from clusterlab.config import Source
from clusterlab.errors import InputError
from jobs.llm import bases
from jobs.llm.bases import Base
from jobs.tuning.targets import check_adapters, linear_layers
from tests.jobs.tuning.conftest import settings


def test_the_linear_layers_are_all_but_the_head(llama: Any) -> None:
    layers = linear_layers(llama)
    assert len(layers) == 14
    assert layers["model.layers.1.mlp.down_proj"] == (128, 64)
    assert "lm_head" not in layers


@pytest.mark.parametrize(
    "given",
    [{}, {"TARGETS": "q_proj,v_proj", "LORA_RANK": "21"}, {"TARGETS": "self_attn.q_proj"}, {"LORA_RANK": "21"}],
)
def test_what_can_be_is_accepted(llama: Any, given: dict[str, str]) -> None:
    check_adapters(llama, settings(**given), ["lora", "qlora", "dora", "adalora", "ia3", "full"])


@pytest.mark.parametrize(
    ("given", "methods", "message"),
    [
        (
            {"LORA_RANK": "33"},
            ["lora"],
            r"LORA_RANK=33: model\.layers\.0\.self_attn\.k_proj is 64 by 32; allowed: ranks to 32",
        ),
        ({"LORA_RANK": "22"}, ["lora", "adalora"], r"k_proj is 64 by 32, with which adalora begins at 33; allowed"),
        ({"LORA_RANK": "65", "TARGETS": "q_proj"}, ["dora"], r"q_proj is 64 by 64; allowed: ranks to 64"),
        (
            {"TARGETS": "q_prj"},
            ["lora"],
            r"TARGETS=q_prj: no layer for adapters is so called; allowed: all-linear, q_proj, k_",
        ),
        ({"TARGETS": "proj"}, ["lora"], r"TARGETS=proj: no layer for adapters is so called"),
        ({"TARGETS": "q_proj,lm_head"}, ["lora"], r"TARGETS=lm_head: no layer for adapters is so called"),
    ],
)
def test_what_cannot_be_is_refused_by_name(llama: Any, given: dict[str, str], methods: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_adapters(llama, settings(**given), methods)


def test_a_rank_does_not_matter_where_no_method_has_one(llama: Any) -> None:
    check_adapters(llama, settings(LORA_RANK="1000"), ["ia3", "full"])


def test_a_model_without_the_layers_of_ia3_is_refused(llama: Any) -> None:
    for layer in llama.model.layers:
        del layer.mlp
    with pytest.raises(
        InputError, match=r"METHODS=ia3: the model has no down_proj; allowed: models with k_proj, v_proj"
    ):
        check_adapters(llama, settings(), ["ia3"])


def test_the_shapes_of_the_tiny_base_are_known_before_it_is_pretrained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "tiny_llama", lambda _: pytest.fail("pretrained"))
    layers = linear_layers(Base.skeleton_of(Source("tiny-llama")))
    assert layers["model.layers.0.self_attn.k_proj"] == (192, 96)
    assert len(layers) == 14
