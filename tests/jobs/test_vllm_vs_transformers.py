from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError, MissingError
from jobs import vllm_vs_transformers as job
from jobs.launch.folder import VARIABLE
from jobs.serving.transformers import Batching, Transformers
from jobs.versus import servers as versus_servers
from jobs.versus.model import Pair
from jobs.versus.online import Clients
from jobs.versus.servers import SERVERS, Servers, ThreadedVllm
from jobs.vllm_vs_transformers import Config, main
from tests.jobs.serving.stand_in import StandIn
from tests.jobs.versus.conftest import offline, servers

__all__ = ["offline", "servers"]

PAIR = Pair(quantized="/quantized", unpacked="/unpacked", metrics={"bits_per_parameter": 4.25})


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    config = parse(Config, {"SCALE": scale})
    assert job._offline(config, PAIR).lengths == (4, 8, 16, 256)
    assert job._servers(config, PAIR).clients.loads == (1, 8, 32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama, tiny-llama-256"),
        ({"LENGTHS": "4,x"}, "LENGTHS=4,x: allowed: whole numbers above 0, with commas between"),
        ({"LENGTHS": "8,4"}, "LENGTHS=8,4: each must be above the one before it"),
        ({"CLIENTS": "0"}, "CLIENTS=0: allowed: whole numbers above 0"),
        ({"CLIENTS": "8,8"}, "CLIENTS=8,8: each must be above the one before it"),
        ({"SLOTS": "0"}, "SLOTS=0: must be 1 or more"),
        ({"NUM_WORDS": "5000"}, "NUM_WORDS=5000: must be at most 4000"),
        ({"LIMIT_SECONDS": "0"}, "LIMIT_SECONDS=0.0: must be above 0"),
        ({"MACHINE": "laptop"}, "MACHINE: 'laptop' has no price in the catalog; allowed: "),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_an_environment_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "ENVIRONMENTS", ("nowhere",))
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(parse(Config, {"SCALE": "tiny"}))


def test_the_parts_become_metrics_a_table_and_a_picture_and_none_is_done_twice(
    offline: dict[str, Any], servers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def part(name: str, found: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
        def do(_: object) -> dict[str, Any]:
            done.append(name)
            return found

        return do

    def work(function: Callable[[Any], dict[str, Any]], asked: Any, *, max_failures: int) -> dict[str, Any]:
        assert max_failures == 1
        return function(asked)

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(job, "ENVIRONMENTS", ())
    monkeypatch.setattr(job, "quantized", lambda _: PAIR)
    monkeypatch.setattr(job, "run_worker", work)
    monkeypatch.setattr(job, "compare_offline", part("offline", offline))
    monkeypatch.setattr(job, "SERVERS", {name: part(name, found) for name, found in servers.items()})
    config = parse(Config, {"SCALE": "tiny"})
    metrics = main(config)
    assert metrics["bits_per_parameter"] == 4.25
    assert metrics["gain_mixed_static"] == pytest.approx(2)
    assert metrics["gain_online_static_at_32"] == 2
    assert all(isinstance(value, int | float) for value in metrics.values())
    assert "m5.large" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "vllm-vs-transformers.png").read_bytes().startswith(b"\x89PNG")
    assert main(config) == metrics
    assert done == ["offline", "vllm", "static", "one_by_one"]


@pytest.fixture
def asked(llama: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    llama.save_pretrained(tmp_path / "model")
    pair = Pair(quantized=str(tmp_path / "model"), unpacked=str(tmp_path / "model"), metrics={})
    clients = Clients(loads=(1, 2), requests_per_client=2, num_words=4, lengths=(2, 5), limit_seconds=60, seed=0)
    values: dict[str, Any] = {"num_slots": 2, "threads": 3, "compiled": False, "limit_seconds": 60, "seed": 0}
    return Servers(pair=pair, clients=clients, **values)


def test_a_server_is_started_put_under_every_load_and_ended(asked: Servers, tmp_path: Path) -> None:
    settings = asked.settings(model=asked.pair.unpacked, dtype="float32")
    assert settings.max_model_len == 128
    found = versus_servers._measure(StandIn(), asked, settings, "stand-in")
    assert [load["endings"] for load in found["loads"]] == [{"done": 2}, {"done": 4}]
    assert found["memory_mib"] > 1
    assert "drained" in (tmp_path / "stand-in.log").read_text()


def test_all_three_serve_one_model_each_in_its_way(asked: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[Any, Any]] = []

    def measure(engine: Any, _: Servers, settings: Any, name: str) -> dict[str, Any]:
        started.append((engine, settings))
        return {"a": name}

    monkeypatch.setattr(versus_servers, "_measure", measure)
    names = [work(asked)["a"] for work in SERVERS.values()]
    assert names == ["vllm", "transformers-static", "transformers-one-by-one"]
    (vllm, packed), (static, plain), (single, same) = started
    assert isinstance(vllm, ThreadedVllm)
    assert vllm.environ(packed)["OMP_NUM_THREADS"] == "3"
    assert packed.dtype == "float16"
    assert not packed.prefix_caching
    assert (static, single) == (Transformers(batching=Batching.STATIC), Transformers(batching=Batching.ONE_BY_ONE))
    assert plain == same
