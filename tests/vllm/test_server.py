"""Real clients of vLLM as the jobs start it, and what it makes of those that behave badly."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from clusterlab.local.keeper import descendants
from jobs.serving.asking import Begun, ask, completion
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint
from jobs.serving.memory import host_gib
from jobs.serving.protocol import status_after_hang_up, statuses
from jobs.serving.server import serving
from jobs.serving.vllm import Vllm
from tests.repository import wait_until
from tests.vllm.conftest import tiny

MAX_MODEL_LEN = 512
NUM_IDLE = 1000
ROOM_MIB = 8
"""What the allocators of half a gigabyte of processes may keep of what they had."""
PROMPT = "The library is"
GREEDY: dict[str, Any] = {"model": "tiny", "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
GREEDY["extra_body"] = {"ignore_eos": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def endpoint(python: str, base: Path, folder: Path) -> Iterator[Endpoint]:
    assert Path(python).exists()
    settings = tiny(base, max_model_len=MAX_MODEL_LEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, "vllm-5c1d")
        patch.setenv("OMP_NUM_THREADS", "1")
        with serving(Vllm(), settings, log=folder / "vllm.log", limit_seconds=900) as endpoint:
            yield endpoint


@pytest.fixture(scope="module")
def text(endpoint: Endpoint) -> str:
    """The greedy continuation, by a plain request."""
    return str(ask(endpoint, completion(endpoint, PROMPT, 8)).choice()["text"])


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{endpoint.url}/v1", api_key=endpoint.api_key, max_retries=0) as client:
        yield client


def test_the_openai_client_gets_an_answer_whole_and_as_a_stream(client: openai.OpenAI, text: str) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    whole = client.completions.create(**GREEDY)
    assert (whole.choices[0].text, whole.usage.completion_tokens) == (text, 8)
    pieces = [event.choices[0].text for event in client.completions.create(**GREEDY, stream=True)]
    assert len(pieces) > 1
    assert "".join(pieces) == text


def test_the_openai_client_is_told_what_is_wrong(client: openai.OpenAI, endpoint: Endpoint) -> None:
    with pytest.raises(openai.NotFoundError, match=r"`unknown` does not exist"):
        client.completions.create(model="unknown", prompt=PROMPT)
    with pytest.raises(openai.BadRequestError, match=r"maximum context length is 512 tokens"):
        client.completions.create(model="tiny", prompt="so " * MAX_MODEL_LEN, max_tokens=8)
    with (
        openai.OpenAI(base_url=f"{endpoint.url}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.completions.create(model="tiny", prompt=PROMPT)


def test_the_asynchronous_openai_client_gets_many_answers_at_once(endpoint: Endpoint, text: str) -> None:
    async def ask_at_once() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{endpoint.url}/v1", api_key=endpoint.api_key) as client:

            async def one(*, stream: bool) -> str:
                if not stream:
                    return str((await client.completions.create(**GREEDY)).choices[0].text)
                return "".join(
                    [each.choices[0].text async for each in await client.completions.create(**GREEDY, stream=True)]
                )

            return await asyncio.gather(*(one(stream=number % 2 == 0) for number in range(16)))

    assert asyncio.run(ask_at_once()) == [text] * 16


def test_curl_gets_a_stream(endpoint: Endpoint, text: str) -> None:
    body = json.dumps(completion(endpoint, PROMPT, 8, stream=True))
    # The key comes on standard input: arguments are everybody's to read.
    command = ["curl", "-sSN", "--fail", "-H", "Content-Type: application/json", "-H", "@-", "-d", body]
    key = f"Authorization: Bearer {endpoint.api_key}\n"
    said = subprocess.run(
        [*command, f"{endpoint.url}/v1/completions"], input=key, capture_output=True, text=True, check=True
    ).stdout
    *events, end = [line.removeprefix("data: ") for line in said.splitlines() if line]
    assert end == "[DONE]"
    assert "".join(json.loads(event)["choices"][0]["text"] for event in events) == text


def test_every_bad_request_gets_its_status_and_harms_no_other(endpoint: Endpoint) -> None:
    assert statuses(endpoint, max_model_len=MAX_MODEL_LEN) == {
        "status_whole": 200,
        "status_stream": 200,
        "status_after": 200,
        "same_text": 1,
        "status_overlong": 400,
        "status_bad_json": 400,
        "status_unknown_model": 404,
        "status_no_key": 401,
        "status_wrong_key": 401,
    }


def test_a_client_that_hangs_up_gives_its_slot_back(endpoint: Endpoint) -> None:
    before = _counted(endpoint, "vllm:request_success_total")
    assert status_after_hang_up(endpoint, new_tokens=480) == 200
    wait_until(lambda: _counted(endpoint, "vllm:num_requests_running") == 0)
    # The next request's answer alone: of the other nobody wrote the rest.
    assert _counted(endpoint, "vllm:request_success_total") == before + 1


def test_a_thousand_idle_connections_keep_nobody_out_and_leave_nothing(endpoint: Endpoint) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    files, found = _num_files(), []
    for _ in range(3):
        with ExitStack() as stack:
            for _ in range(NUM_IDLE):
                address = endpoint.url.removeprefix("http://").split(":")
                stack.enter_context(socket.create_connection((address[0], int(address[1]))))
            wait_until(lambda: _num_files() >= files + NUM_IDLE)
            assert ask(endpoint, completion(endpoint, PROMPT, 8)).status == 200
        wait_until(lambda: _num_files() <= files)
        found.append(host_gib(os.getpid()) * 1024)
    # What the first thousand made it take for good is not taken again by the next.
    assert found[-1] < found[0] + ROOM_MIB


@pytest.mark.parametrize("split_by", ["tensor_parallel", "pipeline_parallel"])
def test_matrices_or_layers_that_two_workers_share_give_the_answer_of_one(
    base: Path, text: str, split_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    log, settings = tmp_path / "vllm.log", tiny(base, max_model_len=MAX_MODEL_LEN, **{split_by: 2})
    with serving(Vllm(), settings, log=log, limit_seconds=900) as split:
        assert ask(split, completion(split, PROMPT, 8)).choice()["text"] == text
    assert "world_size=2 rank=1" in log.read_text()


def test_nothing_that_is_written_has_the_key(endpoint: Endpoint, folder: Path) -> None:
    Begun.of(endpoint, completion(endpoint, PROMPT, 8)).hang_up()
    assert (folder / "vllm.log").stat().st_size > 0
    assert not [path for path in folder.rglob("*") if path.is_file() and b"vllm-5c1d" in path.read_bytes()]


def _counted(endpoint: Endpoint, name: str) -> float:
    """The sum of what vLLM counts under a name."""
    with urllib.request.urlopen(f"{endpoint.url}/metrics", timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    assert samples, name
    return sum(sample.value for sample in samples)


def _num_files() -> int:
    """Files that the server's processes have open, its connections among them."""
    count = 0
    for pid in descendants(os.getpid()):
        try:
            count += len(list(Path(f"/proc/{pid}/fd").iterdir()))
        except OSError:
            continue
    return count
