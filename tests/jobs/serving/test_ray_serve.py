"""One server with a model, its two adapters, and a second model; then servers that grow and lose replicas."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from clusterlab.errors import InputError
from jobs.load.loops import closed
from jobs.load.outcome import Ending
from jobs.load.prompts import Prompt
from jobs.serving.endpoint import Endpoint
from jobs.serving.generator import Generator
from jobs.serving.ray_serve import RayServe
from jobs.serving.server import serving
from tests.jobs.serving.asking import ask, hang_up, openai_client
from tests.jobs.serving.conftest import NUM_TOKENS, settings_of
from tests.repository import wait_until

PROMPT = [70, 80, 90]
FIXED = {"model": "small", "prompt": PROMPT, "temperature": 0, "ignore_eos": True, "max_tokens": 12}
IDS = FIXED | {"return_token_ids": True}


@pytest.fixture(scope="module")
def adapters(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two that change what the model says, each otherwise."""
    from peft import LoraConfig, get_peft_model

    made = {}
    for seed, name in enumerate(("red", "blue"), 1):
        base = Generator(str(folder), dtype="float32").model  # It sets a seed too.
        torch.manual_seed(seed)
        config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        made[name] = tmp_path_factory.mktemp(name)
        get_peft_model(base, config).save_pretrained(made[name])
    return made


@pytest.fixture(scope="module")
def endpoint(
    folder: Path, adapters: dict[str, Path], mark_of_module: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoint]:
    assert mark_of_module
    log = tmp_path_factory.mktemp("server") / "log"
    named = tuple((name, str(each)) for name, each in adapters.items())
    engine = RayServe(share=0.5, also=(("second", str(folder)),), adapters=named)
    with serving(engine, settings_of(folder), log=log, limit_seconds=400) as endpoint:
        yield endpoint


def _generated(folder: Path, adapter: Path | None = None) -> list[int]:
    model = Generator(str(folder), dtype="float32").model
    if adapter is not None:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    ids = torch.tensor([PROMPT])
    mask = torch.ones_like(ids)
    answer = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=12, do_sample=False)
    return [int(token) for token in answer[0, len(PROMPT) :]]


def test_each_name_answers_with_its_own_weights(endpoint: Endpoint, folder: Path, adapters: dict[str, Path]) -> None:
    """All at once, so that rows of several adapters are in one batch."""
    expected = {"small": _generated(folder), "second": _generated(folder)}
    expected |= {name: _generated(folder, adapter) for name, adapter in adapters.items()}
    assert len({tuple(tokens) for tokens in expected.values()}) == 3
    asked = [*expected] * 4
    with ThreadPoolExecutor(len(asked)) as clients:
        answers = list(clients.map(lambda name: ask(endpoint, "/v1/completions", IDS | {"model": name}), asked))
    assert [(name, answer[1]["choices"][0]["token_ids"]) for name, answer in zip(asked, answers, strict=True)] == [
        (name, expected[name]) for name in asked
    ]
    assert [model.id for model in openai_client(endpoint).models.list()] == ["small", "red", "blue", "second"]


def test_a_stream_says_what_the_whole_answer_says(endpoint: Endpoint) -> None:
    client = openai_client(endpoint)
    asked: dict[str, Any] = {"model": "small", "prompt": PROMPT, "max_tokens": 12, "temperature": 0}
    asked["extra_body"] = {"ignore_eos": True}
    whole = client.completions.create(**asked)
    chunks = list(client.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 11 + ["length"]


def test_streams_of_any_length_share_a_batch(endpoint: Endpoint) -> None:
    lengths = [4, 30, 8, 16] * 4
    prompts = [Prompt(text=tuple(PROMPT), new_tokens=length) for length in lengths]
    outcomes = asyncio.run(closed(endpoint, prompts, concurrency=16, limit_seconds=120))
    assert {outcome.ending for outcome in outcomes} == {Ending.DONE}
    assert sorted(outcome.tokens for outcome in outcomes) == sorted(lengths)


def test_a_bad_request_is_told_and_reaches_no_replica(endpoint: Endpoint) -> None:
    assert ask(endpoint, "/v1/completions", FIXED | {"model": "gpt"})[0] == 404
    assert ask(endpoint, "/v1/completions", FIXED | {"prompt": [NUM_TOKENS]})[0] == 400
    assert ask(endpoint, "/v1/completions", b"{")[0] == 400
    assert ask(endpoint, "/v1/completions", FIXED, key=False)[0] == 401
    assert ask(endpoint, "/replicas", key=False)[0] == 401


def test_clients_that_hang_up_harm_no_other(endpoint: Endpoint) -> None:
    long = FIXED | {"max_tokens": 100}
    with ThreadPoolExecutor(8) as clients:
        for _ in range(4):
            clients.submit(hang_up, endpoint, "/v1/completions", long | {"stream": True}, after=b"data: ")
            clients.submit(hang_up, endpoint, "/v1/completions", long)
    assert ask(endpoint, "/v1/completions", FIXED)[0] == 200


def test_what_a_killed_replica_had_accepted_is_answered_by_the_next(endpoint: Endpoint) -> None:
    """Streams that have begun go on where they were, and say what they would have said."""
    long = FIXED | {"max_tokens": 100}
    expected = ask(endpoint, "/v1/completions", long)[1]["choices"][0]["text"]
    (replica,) = ask(endpoint, "/replicas")[1]["small"]
    client, begun = openai_client(endpoint), threading.Event()

    def stream() -> str:
        said = ""
        asked: dict[str, Any] = {key: value for key, value in long.items() if key != "ignore_eos"}
        for chunk in client.completions.create(**asked, stream=True, extra_body={"ignore_eos": True}):
            begun.set()
            said += chunk.choices[0].text
        return said

    def whole(_: int) -> tuple[int, Any]:
        return ask(endpoint, "/v1/completions", long)

    with ThreadPoolExecutor(12) as clients:
        streams = [clients.submit(stream) for _ in range(4)]
        assert begun.wait(120)
        answers = [clients.submit(whole, number) for number in range(8)]
        os.kill(replica["pid"], signal.SIGKILL)
        assert [each.result() for each in streams] == [expected] * 4
        assert [each.result()[1]["choices"][0]["text"] for each in answers] == [expected] * 8
    assert ask(endpoint, "/replicas")[1]["small"][0]["pid"] != replica["pid"]


def _num_running(endpoint: Endpoint) -> int:
    return sum(replica["state"] == "RUNNING" for replica in ask(endpoint, "/replicas")[1]["small"])


@pytest.mark.slow
@pytest.mark.usefixtures("mark_of_module")
def test_replicas_come_while_requests_wait_and_go_after(folder: Path, tmp_path: Path) -> None:
    engine = RayServe(max_replicas=2, share=0.2)
    settings = settings_of(folder, max_slots=2)
    with serving(engine, settings, log=tmp_path / "log", limit_seconds=400) as endpoint:
        assert _num_running(endpoint) == 1
        ending = threading.Event()

        def ask_on() -> None:
            while not ending.is_set():
                assert ask(endpoint, "/v1/completions", FIXED | {"max_tokens": 100})[0] == 200

        with ThreadPoolExecutor(12) as clients:
            asking = [clients.submit(ask_on) for _ in range(12)]
            try:
                wait_until(lambda: _num_running(endpoint) == 2)
            finally:
                ending.set()
        for each in asking:
            each.result()
        wait_until(lambda: _num_running(endpoint) == 1)


def test_it_is_told_to_start_so_or_refused(folder: Path) -> None:
    settings = settings_of(folder)
    alone = RayServe(batched=False, adapters=(("red", "/red"),)).command(settings, 8000)
    assert alone[-6:] == [
        *("--max-rows=1", "--min-replicas=1", "--max-replicas=1", "--share=1.0"),
        *("--also={}", '--adapters={"red": "/red"}'),
    ]
    assert "--max-rows=8" in RayServe().command(settings, 8000)
    with pytest.raises(InputError, match=r"^min_replicas: 3; allowed: from 1 to max_replicas, 2$"):
        RayServe(min_replicas=3, max_replicas=2).command(settings, 0)
    with pytest.raises(InputError, match=r"^pipeline_parallel: 2; allowed with ray-serve: 1$"):
        RayServe().command(settings_of(folder, pipeline_parallel=2), 0)
