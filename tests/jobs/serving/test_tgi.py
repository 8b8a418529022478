"""TGI's clients at this project's TGI protocol, without Ray and as the engine `tgi`; curl, and OpenAI's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.serving.endpoint import Endpoint
from jobs.serving.generator import Generator
from jobs.serving.server import serving
from jobs.serving.settings import ServerSettings
from jobs.serving.tgi import Tgi
from jobs.serving.tgi_protocol import ROUTER
from jobs.serving.transformers import Transformers
from tests.jobs.serving.asking import ask, curl, hang_up, openai_client
from tests.jobs.serving.conftest import MAX_MODEL_LEN, settings_of

INPUTS = "the cluster"


class _WithTgi(Transformers):
    """The protocol without Ray, which takes long to start."""

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        return [*Transformers.command(self, settings, port), "--protocol=tgi"]


@pytest.fixture(scope="module", params=[_WithTgi(), Tgi()], ids=lambda engine: engine.name)
def endpoint(
    request: pytest.FixtureRequest, folder: Path, mark_of_module: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoint]:
    assert mark_of_module
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(request.param, settings_of(folder), log=log, limit_seconds=400) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[int]:
    """Token ids that `generate` gives."""
    generator = Generator(str(folder), dtype="float32")
    ids = torch.tensor([generator.vocabulary.tokens_of(INPUTS)])
    answer = generator.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False
    )
    return [int(token) for token in answer[0, len(INPUTS) :]]


def test_tgi_s_client_gets_what_generate_gives(endpoint: Endpoint, expected: list[int]) -> None:
    from text_generation import Client

    client = Client(endpoint.url, headers=endpoint.headers, timeout=120)
    answer = client.generate(INPUTS, max_new_tokens=8, decoder_input_details=True, top_n_tokens=2)
    assert [token.id for token in answer.details.tokens] == expected
    assert answer.details.generated_tokens == 8
    assert answer.details.finish_reason == "length"
    assert len(answer.details.prefill) == len(INPUTS)
    assert [tops[0].id for tops in answer.details.top_tokens] == expected
    stream = list(client.generate_stream(INPUTS, max_new_tokens=8))
    assert [each.token.id for each in stream] == expected
    assert "".join(each.token.text for each in stream) == stream[-1].generated_text == answer.generated_text
    assert stream[-1].details.finish_reason == "length"
    drawn = [client.generate(INPUTS, max_new_tokens=8, do_sample=True, seed=seed).generated_text for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_tgi_s_asynchronous_client_asks_at_once(endpoint: Endpoint, expected: list[int]) -> None:
    from text_generation import AsyncClient

    async def everything() -> list[list[int]]:
        client = AsyncClient(endpoint.url, headers=endpoint.headers, timeout=120)

        async def one() -> list[int]:
            return [each.token.id async for each in client.generate_stream(INPUTS, max_new_tokens=8)]

        return await asyncio.gather(*[one() for _ in range(6)])

    assert asyncio.run(everything()) == [expected] * 6


def test_tgi_s_client_raises_what_it_raises_of_tgi(endpoint: Endpoint) -> None:
    from text_generation import Client, errors

    client = Client(endpoint.url, headers=endpoint.headers, timeout=120)
    with pytest.raises(errors.ValidationError, match=r"`inputs` tokens \+ `max_new_tokens` must be <= 128"):
        client.generate("a" * MAX_MODEL_LEN, max_new_tokens=8)


def test_curl_gets_an_object_and_a_stream(endpoint: Endpoint) -> None:
    asked = {"inputs": INPUTS, "parameters": {"max_new_tokens": 4, "return_full_text": True}}
    text = json.loads(curl(endpoint, "/generate", asked))["generated_text"]
    assert text.startswith(INPUTS)
    *events, _ = curl(endpoint, "/generate_stream", asked).split("\n\n")
    assert [json.loads(each.removeprefix("data:"))["index"] for each in events] == [1, 2, 3, 4]
    assert json.loads(events[-1].removeprefix("data:"))["generated_text"] == text


def test_a_stop_sequence_ends_the_text_and_is_part_of_it(endpoint: Endpoint) -> None:
    asked: dict[str, Any] = {"inputs": INPUTS, "parameters": {"max_new_tokens": 40, "details": True}}
    text = ask(endpoint, "/generate", asked)[1]["generated_text"]
    asked["parameters"]["stop"] = [text[3:5]]
    answer = ask(endpoint, "/generate", asked)[1]
    assert answer["generated_text"] == text[: text.index(text[3:5]) + 2]
    assert answer["details"]["finish_reason"] == "stop_sequence"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 422, "the body is no JSON"),
        ({"inputs": ""}, 422, 'inputs: ""; allowed: a string that is not empty'),
        (
            {"inputs": "a", "parameters": {"max_new_tokens": 0}},
            422,
            "max_new_tokens: 0; allowed: a whole number from 1",
        ),
        ({"inputs": "a", "parameters": {"temperature": 0}}, 422, "temperature: 0; allowed: a number above 0"),
        ({"inputs": "a", "parameters": {"grammar": {}}}, 422, "grammar: {}; allowed: no value"),
        ({"inputs": "a", "parameters": {"best_of": 2}}, 422, "best_of: 2; allowed: 1"),
    ],
)
def test_a_bad_request_gets_tgi_s_error(endpoint: Endpoint, body: Any, status: int, told: str) -> None:
    for path in ("/generate", "/generate_stream"):
        answer = ask(endpoint, path, body)
        assert answer[0] == status
        assert told in answer[1]["error"]
        assert answer[1]["error_type"] == "validation"


def test_it_says_that_it_is_not_tgi(endpoint: Endpoint) -> None:
    info = ask(endpoint, "/info")[1]
    assert info["router"] == ROUTER == "clusterlab-tgi-protocol"
    assert info["max_total_tokens"] == MAX_MODEL_LEN
    assert ask(endpoint, "/info", key=False)[0] == 401
    assert ask(endpoint, "/health", key=False) == (200, None)


def test_openai_s_client_chats_as_tgi_let_it(endpoint: Endpoint) -> None:
    answer = openai_client(endpoint).chat.completions.create(
        model="small", messages=[{"role": "user", "content": "hi"}], max_tokens=4, temperature=0
    )
    assert answer.choices[0].message.role == "assistant"


def test_a_client_that_hangs_up_harms_no_other(endpoint: Endpoint) -> None:
    asked = {"inputs": INPUTS, "parameters": {"max_new_tokens": 100}}
    hang_up(endpoint, "/generate_stream", asked, after=b"data:")
    hang_up(endpoint, "/generate", asked)
    assert ask(endpoint, "/generate", {"inputs": INPUTS})[0] == 200
