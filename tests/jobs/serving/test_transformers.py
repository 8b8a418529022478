from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clusterlab.errors import InputError
from jobs.load.loops import closed
from jobs.load.outcome import Ending
from jobs.load.prompts import Prompt
from jobs.serving.endpoint import Endpoint
from jobs.serving.generator import Generator
from jobs.serving.server import serving
from jobs.serving.transformers import Batching, Transformers
from tests.jobs.serving.asking import ask, curl, hang_up, idle_connections, openai_client, resident_mib
from tests.jobs.serving.conftest import MAX_MODEL_LEN, NUM_TOKENS, settings_of
from tests.repository import wait_until

PROMPT = [70, 80, 90]
FIXED = {"model": "small", "prompt": PROMPT, "temperature": 0, "ignore_eos": True, "max_tokens": 12}


@pytest.fixture(scope="module")
def endpoint(folder: Path, mark_of_module: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    assert mark_of_module
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(Transformers(), settings_of(folder), log=log, limit_seconds=240) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    """What `FIXED` is answered."""
    from transformers import AutoTokenizer

    return str(AutoTokenizer.from_pretrained(folder).decode(_generated(folder), skip_special_tokens=True))


def _generated(folder: Path) -> list[int]:
    import torch

    model = Generator(str(folder), dtype="float32").model
    ids = torch.tensor([PROMPT])
    answer = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
    return [int(token) for token in answer[0, len(PROMPT) :]]


def test_openai_s_client_gets_what_generate_gives(endpoint: Endpoint, text: str) -> None:
    client = openai_client(endpoint)
    assert [model.id for model in client.models.list()] == ["small"]
    answer = client.completions.create(
        model="small", prompt=PROMPT, max_tokens=12, temperature=0, extra_body={"ignore_eos": True}
    )
    assert answer.choices[0].text == text
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.model_dump(exclude_none=True) == {
        "prompt_tokens": 3,
        "completion_tokens": 12,
        "total_tokens": 15,
    }


def test_openai_s_client_streams(endpoint: Endpoint, text: str) -> None:
    stream = openai_client(endpoint).completions.create(
        model="small",
        prompt=PROMPT,
        max_tokens=12,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"ignore_eos": True},
    )
    *chunks, last = stream
    assert "".join(chunk.choices[0].text for chunk in chunks) == text
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 11 + ["length"]
    assert last.choices == []
    assert last.usage.completion_tokens == 12


def test_openai_s_client_chats(endpoint: Endpoint) -> None:
    client = openai_client(endpoint)
    asked: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
    asked |= {"max_completion_tokens": 8, "extra_body": {"ignore_eos": True}}
    whole = client.chat.completions.create(**asked)
    assert whole.choices[0].message.role == "assistant"
    assert whole.usage.prompt_tokens == len(b"user: hi\nassistant: ")
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].delta.content for chunk in chunks) == whole.choices[0].message.content
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant"] + [None] * 7


def test_text_and_its_token_ids_are_the_same_prompt(endpoint: Endpoint, folder: Path) -> None:
    from transformers import AutoTokenizer

    ids = AutoTokenizer.from_pretrained(folder)("the cluster")["input_ids"]
    answers = [
        ask(endpoint, "/v1/completions", FIXED | {"prompt": prompt})[1] for prompt in ("the cluster", ids, [ids])
    ]
    assert answers[0]["choices"] == answers[1]["choices"] == answers[2]["choices"]
    assert answers[0]["usage"]["prompt_tokens"] == len("the cluster")


def test_token_ids_and_their_logprobs_are_said_where_they_are_asked_for(endpoint: Endpoint, folder: Path) -> None:
    choice = ask(endpoint, "/v1/completions", FIXED | {"logprobs": 1, "return_token_ids": True})[1]["choices"][0]
    assert choice["token_ids"] == _generated(folder)
    assert choice["prompt_token_ids"] == PROMPT
    logprobs = choice["logprobs"]
    assert [max(top.values()) for top in logprobs["top_logprobs"]] == logprobs["token_logprobs"]
    assert len(logprobs["token_logprobs"]) == 12


def test_a_stop_sequence_is_told_and_not_said(endpoint: Endpoint, text: str) -> None:
    stop = text[3:5]
    answer = openai_client(endpoint).completions.create(
        model="small", prompt=PROMPT, max_tokens=12, temperature=0, stop=[stop], extra_body={"ignore_eos": True}
    )
    assert answer.choices[0].text == text[: text.index(stop)]
    assert answer.choices[0].finish_reason == "stop"


def test_several_answers_to_one_prompt_differ_as_their_seeds_do(endpoint: Endpoint) -> None:
    drawn = FIXED | {"temperature": 1, "seed": 5}
    _, answer = ask(endpoint, "/v1/completions", drawn | {"n": 4})
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 48, "total_tokens": 51}
    texts = [choice["text"] for choice in answer["choices"]]
    assert len(set(texts)) == 4
    _, alone = ask(endpoint, "/v1/completions", drawn | {"seed": 6})
    assert texts[1] == alone["choices"][0]["text"]


def test_curl_gets_the_answer_and_the_stream(endpoint: Endpoint, text: str) -> None:
    assert json.loads(curl(endpoint, "/v1/completions", FIXED))["choices"][0]["text"] == text
    *events, end, _ = curl(endpoint, "/v1/completions", FIXED | {"stream": True}).split("\n\n")
    assert end == "data: [DONE]"
    assert "".join(json.loads(line.removeprefix("data: "))["choices"][0]["text"] for line in events) == text


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/v1/completions", b'{"model": ', 400, "the body is no JSON: "),
        ("/v1/completions", [1], 400, "the body is no JSON object"),
        ("/v1/completions", FIXED | {"model": "gpt"}, 404, "model: 'gpt' is not served; allowed: small"),
        ("/v1/completions", {"prompt": "a"}, 400, "model: null; allowed: a string"),
        (
            "/v1/completions",
            FIXED | {"prompt": PROMPT * 50},
            400,
            "150 tokens of the prompt and 1 of the answer; allowed",
        ),
        (
            "/v1/completions",
            FIXED | {"max_tokens": 126},
            400,
            "3 tokens of the prompt and 126 of the answer; allowed: 128",
        ),
        ("/v1/completions", FIXED | {"max_tokens": 0}, 400, "max_tokens: 0; allowed: a whole number from 1"),
        ("/v1/completions", FIXED | {"max_tokens": True}, 400, "max_tokens: true; allowed: a whole number from 1"),
        ("/v1/completions", FIXED | {"min_tokens": 13}, 400, "min_tokens: 13; allowed: a whole number from 0 to 12"),
        ("/v1/completions", FIXED | {"prompt": []}, 400, "prompt: []; allowed: one string, or one list of token ids"),
        ("/v1/completions", FIXED | {"prompt": [NUM_TOKENS]}, 400, "token ids from 0 to 258"),
        ("/v1/completions", FIXED | {"prompt": ["a", "b"]}, 400, 'prompt: ["a", "b"]; allowed: one string'),
        ("/v1/completions", FIXED | {"temperature": -1}, 400, "temperature: -1; allowed: a number from 0 to 2"),
        ("/v1/completions", FIXED | {"top_p": 0}, 400, "top_p: 0; allowed: a number above 0 to 1"),
        ("/v1/completions", FIXED | {"stream": "yes"}, 400, 'stream: "yes"; allowed: true or false'),
        ("/v1/completions", FIXED | {"stop": ["a"] * 5}, 400, "allowed: a string, or a list of at most 4, none empty"),
        ("/v1/completions", FIXED | {"logprobs": 6}, 400, "logprobs: 6; allowed: a whole number from 0 to 5"),
        ("/v1/completions", FIXED | {"n": 0}, 400, "n: 0; allowed: a whole number from 1 to 128"),
        ("/v1/completions", FIXED | {"n": 2, "stream": True}, 400, "n: 2; allowed: 1 in a stream"),
        (
            "/v1/completions",
            FIXED | {"suffix": "x"},
            400,
            'suffix: "x"; allowed: no value: this server does not have it',
        ),
        ("/v1/chat/completions", {"model": "small", "messages": []}, 400, "messages: []; allowed: a list of objects"),
        ("/v1/embeddings", FIXED, 404, "/v1/embeddings: there is no such path"),
        ("/v1/models", FIXED, 405, "POST /v1/models: another method is allowed"),
    ],
)
def test_a_request_that_cannot_be_answered_is_told_why(
    endpoint: Endpoint, path: str, body: Any, status: int, told: str
) -> None:
    answer = ask(endpoint, path, body)
    assert answer[0] == status
    assert answer[1]["error"]["code"] == status
    assert told in answer[1]["error"]["message"]


def test_openai_s_client_raises_what_it_raises_of_openai(endpoint: Endpoint) -> None:
    import openai

    client = openai_client(endpoint)
    with pytest.raises(openai.NotFoundError, match=r"'gpt' is not served; allowed: small"):
        client.completions.create(model="gpt", prompt="a")
    with pytest.raises(openai.BadRequestError, match=r"allowed: 128 together"):
        client.completions.create(model="small", prompt="a" * MAX_MODEL_LEN)
    with pytest.raises(openai.AuthenticationError, match=r"no or a wrong API key"):
        client.with_options(api_key="wrong").completions.create(model="small", prompt="a")


def test_who_has_no_key_learns_only_that_the_server_is_well(endpoint: Endpoint) -> None:
    assert ask(endpoint, "/v1/models", key=False)[0] == 401
    assert ask(endpoint, "/nowhere", key=False)[0] == 401
    assert ask(endpoint, "/health", key=False) == (200, None)


def test_a_client_that_hangs_up_gives_its_place_back(endpoint: Endpoint, text: str) -> None:
    """All places by requests that would go on for 120 tokens, streamed and whole, some of them still waiting."""
    long = FIXED | {"max_tokens": 120}
    with ThreadPoolExecutor(24) as clients:
        for _ in range(12):
            clients.submit(hang_up, endpoint, "/v1/completions", long | {"stream": True}, after=b"data: ")
            clients.submit(hang_up, endpoint, "/v1/completions", long)
    assert ask(endpoint, "/v1/completions", FIXED)[1]["choices"][0]["text"] == text


def test_the_load_generator_gets_the_lengths_that_it_asks_for(endpoint: Endpoint) -> None:
    lengths = [4, 30, 8, 16] * 4
    prompts = [Prompt(text=tuple(PROMPT), new_tokens=length) for length in lengths]
    outcomes = asyncio.run(closed(endpoint, prompts, concurrency=16, limit_seconds=120))
    assert {outcome.ending for outcome in outcomes} == {Ending.DONE}
    assert sorted(outcome.tokens for outcome in outcomes) == sorted(lengths)


def test_a_thousand_connections_that_say_nothing_are_borne_and_cost_nothing(
    endpoint: Endpoint, mark_of_module: str, text: str
) -> None:
    with idle_connections(endpoint, 200):
        ask(endpoint, "/v1/completions", FIXED)
    before = resident_mib(mark_of_module)
    with idle_connections(endpoint, 1000):
        assert ask(endpoint, "/v1/completions", FIXED)[1]["choices"][0]["text"] == text
    assert ask(endpoint, "/v1/completions", FIXED)[1]["choices"][0]["text"] == text
    wait_until(lambda: resident_mib(mark_of_module) < before + 32)


@pytest.mark.usefixtures("mark_of_module")
def test_one_by_one_answers_all_that_was_asked_before_it_ends(folder: Path, tmp_path: Path) -> None:
    statuses: list[int] = []
    engine = Transformers(batching=Batching.ONE_BY_ONE)
    with serving(engine, settings_of(folder), log=tmp_path / "log", limit_seconds=240) as endpoint:
        assert "--max-rows=1" in engine.command(settings_of(folder), 0)

        def one() -> None:
            statuses.append(ask(endpoint, "/v1/completions", FIXED | {"max_tokens": 100})[0])

        asking = [threading.Thread(target=one) for _ in range(4)]
        for thread in asking:
            thread.start()
        wait_until(lambda: bool(statuses))
    for thread in asking:
        thread.join()
    assert statuses == [200] * 4


def test_what_it_cannot_do_is_refused_before_anything_starts(folder: Path) -> None:
    settings = settings_of(folder, tensor_parallel=2, quantization="awq")
    with pytest.raises(InputError) as told:
        Transformers().command(settings, 0)
    assert str(told.value).splitlines() == [
        "tensor_parallel: 2; allowed with transformers: 1",
        "quantization: awq; allowed with transformers: none, which is what the checkpoint says, bitsandbytes",
    ]
