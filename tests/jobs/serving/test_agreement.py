from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from jobs.serving.agreement import Said, agreement
from tests.jobs.conftest import VOCABULARY

PROMPT = (3, 14, 15, 92, 65)
TOLERANCE = 1e-4


class _Tokenizer:
    """Two digits a token."""

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [int(text[begin : begin + 2]) for begin in range(0, len(text), 2)]}


def _text(tokens: tuple[int, ...]) -> str:
    return "".join(f"{token:02}" for token in tokens)


@pytest.fixture
def said(llama: Any) -> Said:
    """What a server says that serves the model: token after token, with a forward pass for each."""
    row, logprobs = list(PROMPT), []
    with torch.inference_mode():
        for _ in range(12):
            distribution = llama(torch.tensor([row])).logits[0, -1].log_softmax(-1)
            row.append(int(distribution.argmax()))
            logprobs.append(float(distribution.max()))
    tokens = tuple(row[len(PROMPT) :])
    texts = {"prompt": _text(PROMPT), "text": _text(tokens)}
    return Said(**texts, prompt_tokens=PROMPT, tokens=tokens, logprobs=tuple(logprobs))


def test_a_server_of_the_same_weights_agrees(llama: Any, said: Said) -> None:
    found = agreement([said, said], llama, _Tokenizer())
    assert found["token_agreement"] == 1
    assert found["logprob_error"] < TOLERANCE


def test_a_server_that_says_texts_alone_agrees_too(llama: Any, said: Said) -> None:
    bare = dataclasses.replace(said, prompt_tokens=None, tokens=None, logprobs=None)
    assert agreement([bare], llama, _Tokenizer()) == {"token_agreement": 1}


def test_a_server_of_other_weights_does_not(llama: Any, said: Said) -> None:
    with torch.no_grad():
        llama.lm_head.weight.copy_(torch.randn(VOCABULARY, 64))
    found = agreement([said], llama, _Tokenizer())
    assert found["token_agreement"] < 0.5
    assert found["logprob_error"] > 1


def test_one_log_probability_that_is_off_shows(llama: Any, said: Said) -> None:
    assert said.logprobs is not None
    off = dataclasses.replace(said, logprobs=(*said.logprobs[:-1], said.logprobs[-1] - 0.25))
    assert agreement([off], llama, _Tokenizer())["logprob_error"] == pytest.approx(0.25, abs=TOLERANCE)
