from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from clusterlab.errors import InputError
from jobs.versus.asked import Answer, Asked, check_lengths
from jobs.versus.model import Pair
from jobs.versus.offline import Offline, offline_metrics
from jobs.versus.offline_transformers import complete, load, measure, share_of_first_choices

PROMPTS = [[5, 6, 7], [9], [11, 12], [20, 21, 22, 23], [30]]
LENGTHS = [3, 6, 1, 2, 4]


@pytest.fixture
def asked(llama: Any, tmp_path: Path) -> Asked:
    """Five prompts of different lengths to a small model with random weights."""
    llama.save_pretrained(tmp_path)
    return Asked(
        checkpoint=str(tmp_path),
        dtype="float32",
        prompts=PROMPTS,
        workloads={"mixed": LENGTHS, "uniform": [4] * 5},
        num_slots=2,
        num_rounds=2,
        compiled=False,
        seed=0,
    )


def _greedy(model: Any, prompt: list[int], length: int) -> list[int]:
    """Token by token, each from all that stands before it."""
    row = list(prompt)
    for _ in range(length):
        with torch.inference_mode():
            row.append(int(model(input_ids=torch.tensor([row])).logits[0, -1].argmax()))
    return row[len(prompt) :]


@pytest.mark.parametrize("num_slots", [1, 2, 8])
def test_a_batch_of_prompts_that_differ_in_length_says_what_each_says_alone(asked: Asked, num_slots: int) -> None:
    model = load(asked)
    answers = complete(model, PROMPTS, LENGTHS, num_slots)
    assert answers == [_greedy(model, prompt, length) for prompt, length in zip(PROMPTS, LENGTHS, strict=True)]


def test_no_answer_ends_before_its_length(asked: Asked) -> None:
    model = load(asked)
    (first,) = complete(model, PROMPTS[:1], [1], 1)
    model.config.eos_token_id = first[0]
    assert len(complete(model, PROMPTS[:1], [5], 1)[0]) == 5


def test_every_workload_is_measured_in_both_ways(asked: Asked) -> None:
    model = load(asked)
    right = [_greedy(model, prompt, length) for prompt, length in zip(PROMPTS, LENGTHS, strict=True)]
    answer = measure(dataclasses.replace(asked, said=right), model)
    assert {name: len(seconds) for name, seconds in answer.seconds.items()} == {
        "mixed static": 2,
        "mixed one_by_one": 1,
        "uniform static": 2,
        "uniform one_by_one": 1,
    }
    assert answer.tokens == right
    assert answer.agreement == 1


def test_a_token_that_another_engine_chose_otherwise_is_counted_alone(asked: Asked) -> None:
    model = load(asked)
    beginning = _greedy(model, PROMPTS[0], 2)
    other = (beginning[-1] + 1) % 96
    said = [*beginning[:1], other, *_greedy(model, [*PROMPTS[0], beginning[0], other], 2)]
    assert share_of_first_choices(model, PROMPTS[:1], [said]) == 3 / 4


def test_metrics_are_of_medians_and_of_tokens_that_were_asked_for() -> None:
    workloads = {"mixed": [1, 3], "uniform": [2, 2]}
    vllm = Answer(seconds={"mixed": [1.0, 9.0, 2.0], "uniform": [1.0]}, tokens=[])
    seconds = {"mixed static": [4.0], "uniform static": [1.0], "mixed one_by_one": [8.0], "uniform one_by_one": [2.0]}
    metrics = offline_metrics(workloads, 1, vllm, Answer(seconds=seconds, tokens=[], agreement=0.9))
    assert metrics["offline_mixed_vllm"] == 2
    assert metrics["gain_mixed_static"] == 2
    assert metrics["gain_mixed_one_by_one"] == 4
    assert metrics["gain_uniform_static"] == 1
    assert metrics["gain_steps"] == 1
    assert metrics["agreement"] == 0.9


def test_lengths_are_drawn_by_the_seed() -> None:
    values: dict[str, Any] = {"num_prompts": 64, "num_words": 4, "lengths": (4, 8, 16, 256), "uniform": 64}
    values |= {"num_slots": 8, "num_rounds": 1, "threads": 1, "compiled": False, "limit_seconds": 60.0}
    pair = Pair(quantized="", unpacked="", metrics={})
    first, again, other = (Offline(pair=pair, seed=seed, **values).workloads() for seed in (0, 0, 1))
    assert first == again
    assert first[1]["mixed"] != other[1]["mixed"]
    assert set(first[1]["mixed"]) == {4, 8, 16, 256}
    assert first[1]["uniform"] == [64] * 64


def test_an_answer_of_another_length_is_told() -> None:
    check_lengths([1, 2], [[5], [6, 7]])
    with pytest.raises(ValueError, match=r"^answer 1 has 1 tokens; 2 were asked for$"):
        check_lengths([1, 2], [[5], [6]])


def test_more_tokens_than_the_model_has_places_for_are_refused(asked: Asked) -> None:
    pair = Pair(quantized="", unpacked=asked.checkpoint, metrics={})
    assert pair.longest(128) == 128
    with pytest.raises(
        InputError, match=r"^LENGTHS, UNIFORM, NUM_WORDS: .* takes 129 tokens; allowed with this model: 128"
    ):
        pair.longest(129)
