from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.errors import ClusterlabError
from jobs.paging.counters import Counters
from jobs.paging.prefix import Prompts, measure
from jobs.paging.server import PagedVllm
from jobs.serving.endpoint import Endpoint
from jobs.serving.settings import ServerSettings
from jobs.serving.vllm import Vllm
from tests.web import Handler, serving

BLOCK = 4
PROMPTS = Prompts(num_tokens=40, num_prompts=3, vocab_size=1000, seed=0)
METRICS = """
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{{block_size="16",num_gpu_blocks="8",kv_cache_memory_bytes="4096"}} 1.0
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{{engine="0"}} {queries}
# TYPE vllm:prefix_cache_hits_total counter
vllm:prefix_cache_hits_total{{engine="0"}} {hits}
"""


class Cache(Handler):
    """Keeps the beginnings of prompts, block by block, and counts as vLLM does; answers with two tokens."""

    kept: set[tuple[int, ...]]
    hits = queries = 0
    broken = False
    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        if self.command == "GET":
            self._send("text/plain", METRICS.format(queries=self.queries, hits=self.hits))
            return
        prompt = json.loads(self.body())["prompt"]
        beginnings = [tuple(prompt[:end]) for end in range(BLOCK, len(prompt) + 1, BLOCK)]
        type(self).queries += len(prompt)
        type(self).hits += BLOCK * sum(1 for _ in itertools.takewhile(self.kept.__contains__, beginnings))
        self.kept.update(beginnings)
        token = {"choices": [{"text": "a", "finish_reason": None}]}
        usage = {"choices": [], "usage": {"completion_tokens": 2}}
        events = [] if self.broken else [json.dumps(each) for each in (token, token, usage)] + ["[DONE]"]
        self._send("text/event-stream", "".join(f"data: {event}\n\n" for event in events))

    def _send(self, kind: str, text: str) -> None:
        self.send(text.encode(), headers={"Content-Type": kind})


@pytest.fixture
def handler() -> type[Cache]:
    return type("Fresh", (Cache,), {"kept": set()})


@pytest.fixture
def endpoint(handler: type[Cache]) -> Iterator[Endpoint]:
    with serving(handler) as url:
        yield Endpoint(url=url, model="model", api_key=None)


@pytest.mark.parametrize("percent", [0, 50, 90])
def test_prompts_are_alike_as_far_as_they_should_be_and_no_further(percent: int) -> None:
    texts = [prompt.text for prompt in PROMPTS.alike(percent)]
    same = percent * 40 // 100
    assert len(texts) == 4
    assert {len(text) for text in texts} == {40}
    assert len({text[:same] for text in texts}) == 1
    assert len({text[same : same + 4] for text in texts}) == 4
    assert texts == [prompt.text for prompt in PROMPTS.alike(percent)]


def test_the_hit_rate_is_the_common_prefix_in_whole_blocks(endpoint: Endpoint) -> None:
    # 45 % are 18 tokens: four blocks of four.
    found = measure(endpoint, PROMPTS, [0, 45, 90])
    assert [each.hit_rate for each in found] == [0, 16 / 40, 36 / 40]
    assert all(each.ttft_seconds > 0 for each in found)


def test_a_server_that_gives_no_answer_is_an_error(handler: type[Cache], endpoint: Endpoint) -> None:
    handler.broken = True
    with pytest.raises(ClusterlabError, match=r"gave no answer to a prompt: broken, status 200"):
        measure(endpoint, PROMPTS, [0])


def test_counters_are_read_out_of_prometheus_text() -> None:
    counters = Counters.parse(METRICS.format(queries=30, hits=20))
    assert counters == Counters(num_hits=20, num_tokens=128, num_bytes=4096)
    assert Counters.parse(METRICS.format(queries=30, hits=25)).hits_since(counters) == 5
    with pytest.raises(ClusterlabError, match=r"/metrics: .*prefix_cache_hits_total.* is missing"):
        Counters.parse(METRICS.format(queries=1, hits=1).replace("hits_total", "misses_total"))


def test_the_server_takes_the_bytes_that_it_is_given_and_no_other_size(tmp_path: Path) -> None:
    engine = PagedVllm(cache_bytes=2**20, block_size=32, cache_dtype="fp8")
    settings = ServerSettings(model=str(tmp_path), served_name="model", max_model_len=64, max_slots=1)
    command = engine.command(settings, 8000)
    assert command[: len(command) - 3] == Vllm().command(settings, 8000)
    assert command[-3:] == ["--kv-cache-memory-bytes=1048576", "--block-size=32", "--kv-cache-dtype=fp8"]
    # vLLM on a CPU would take this size instead.
    assert "VLLM_CPU_KVCACHE_SPACE" not in engine.environ(settings)
