from __future__ import annotations

import re

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError, MissingError
from jobs import kv_cache
from jobs.kv_cache import PERCENTS, Config, _layouts, main
from jobs.launch.folder import VARIABLE
from jobs.paging.trace import load_trace


@pytest.mark.parametrize("scale", Scale)
def test_every_prefix_is_whole_blocks_at_every_scale(scale: Scale) -> None:
    config = parse(Config, {"SCALE": scale})
    assert all(percent * config.prompt_tokens % (100 * config.server_block_size) == 0 for percent in PERCENTS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama, tiny-llama-256"),
        ({"TRACE": "nowhere.csv"}, "TRACE=nowhere.csv: allowed: shipped, or a CSV file"),
        ({"POOL_TOKENS": "3000"}, "POOL_TOKENS=3000: must be a power of two"),
        ({"POOL_TOKENS": "1024"}, "POOL_TOKENS=1024: must hold one sequence of LONGEST=2048"),
        ({"BLOCK_SIZE": "0"}, "BLOCK_SIZE=0: must be a power of two"),
        ({"NUM_PROMPTS": "0"}, "NUM_PROMPTS=0: must be 1 or more"),
        ({"SERVER_CACHE_DTYPE": "int4"}, "SERVER_CACHE_DTYPE=int4: allowed: auto, fp8"),
        ({"SEED": "-1"}, "SEED=-1: must be 0 or more"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_its_environment_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kv_cache, "ENVIRONMENT", "nowhere")
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(parse(Config, {"SCALE": "tiny"}))


def test_the_shipped_trace_shows_the_published_waste(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path_factory.mktemp("run")))
    config = parse(Config, {"SCALE": "tiny"})
    found = _layouts(config, load_trace(config.trace, config.num_requests, config.longest))
    metrics = found["metrics"]
    assert 0.6 < metrics["waste_oracle"] + 0.05 < metrics["waste_pow2"] < metrics["waste_max"] < 0.8
    assert metrics["waste_paged"] == metrics["waste_paged_16"] < 0.04
    assert metrics["num_preemptions"] > 0
    assert list(found["usages"]) == ["max", "pow2", "oracle", "paged"]
