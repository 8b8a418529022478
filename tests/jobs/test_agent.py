from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError, MissingError
from clusterlab.run import Run, find_runs
from jobs import agent
from jobs.agent import ENVIRONMENT, Config, main
from jobs.agents import play
from jobs.agents.trace import Ended, Journal
from jobs.launch import exchange
from jobs.launch.environments import ProcessFailedError, python_of
from jobs.launch.folder import RUNS_VARIABLE, VARIABLE
from jobs.serving.endpoint import KEY_VARIABLE
from jobs.thinking import client as client_module
from tests.jobs.agents.conftest import needs_bwrap
from tests.jobs.thinking.conftest import Answer, StandIn, serve
from tests.repository import ROOT

__all__ = ["serve"]

GIVEN = {"SCALE": "tiny", "NUM_DOCUMENTS": "60", "NUM_TASKS": "9", "NUM_ATTACKS": "10"}
SERVED = {"POLICY": "served", "SERVED_MODEL": "made-up", "NUM_TASKS": "3", "NUM_ATTACKS": "1"}


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_values_that_make_sense(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).num_attacks == (10 if scale is Scale.SMALL else 40)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"POLICY": "gpt"}, "POLICY=gpt: allowed: scripted, served"),
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama"),
        ({"EMBEDDER": "bert"}, "EMBEDDER=bert: allowed: wordllama, minilm, a folder"),
        ({"POLICY": "served", "ENDPOINT": "127.0.0.1", "SERVED_MODEL": "m"}, "ENDPOINT=127.0.0.1: no URL of a server"),
        ({"POLICY": "served", "ENDPOINT": "http://127.0.0.1:1"}, "ENDPOINT, SERVED_MODEL: allowed: both or none"),
        (
            {"ENDPOINT": "http://127.0.0.1:1", "SERVED_MODEL": "m"},
            "POLICY=scripted asks none; allowed with it: POLICY=s",
        ),
        ({"ENGINE": "magic"}, "ENGINE: 'magic'; allowed: vllm"),
        ({"CALLING": "native"}, "CALLING=native: allowed without an ENDPOINT: fenced"),
        ({"CALLING": "loud"}, "CALLING: 'loud': allowed: native, fenced"),
        ({"NUM_ATTACKS": "41"}, "NUM_ATTACKS=41: must be at most 40"),
        ({"NUM_DOCUMENTS": "39"}, "NUM_DOCUMENTS=39: allowed: NUM_ATTACKS=40 to 1000"),
        ({"MAX_STEPS": "0", "CODE_SECONDS": "0"}, "MAX_STEPS=0: must be 1 or more; CODE_SECONDS=0.0: must be above 0"),
        ({"MAX_USD": "0"}, "MAX_USD=0.0: must be above 0"),
        ({"MACHINE": "abacus"}, "MACHINE: 'abacus' has no price in the catalog"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_its_environment_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "ENVIRONMENT", "nowhere")
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(parse(Config, {"SCALE": "tiny"}))


def test_without_a_sandbox_the_job_names_the_command_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "python_of", str)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingError, match=re.escape("bwrap: not installed; `make sandbox` installs bubblewrap")):
        main(parse(Config, {"SCALE": "tiny"}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's folder of a job that does in this process what it does in Ray's and in another environment."""

    def run_module(_module: str, folder: Path, **_: object) -> None:
        if code := play.main([str(folder)]):
            error = ProcessFailedError("it failed")
            error.exit_code = code
            raise error

    def run_worker(work: Any, config: Config, **_: object) -> dict[str, float]:
        found: dict[str, float] = work(config)
        return found

    monkeypatch.setattr(exchange, "run_module", run_module)
    monkeypatch.setattr(agent, "run_worker", run_worker)
    monkeypatch.setattr(agent, "python_of", str)
    monkeypatch.setattr(client_module, "WAIT_SECONDS", 0.01)
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    return tmp_path


@needs_bwrap
def test_the_guard_stops_what_the_script_falls_for_and_costs_what_it_costs(folder: Path) -> None:
    metrics = main(parse(Config, GIVEN))
    assert metrics["attack_success_rate_guarded"] == 0
    assert metrics["attack_success_rate_unguarded"] == 1
    assert metrics["success_rate_unguarded"] == 1
    assert metrics["success_rate_guarded"] == pytest.approx(8 / 9)
    assert metrics["success_rate_guarded_documented"] == 0
    assert metrics["tokens_per_task_guarded"] > metrics["tokens_per_task_unguarded"]
    assert 0 < metrics["usd_per_solved_guarded"] < 0.01
    table = (folder / "table.md").read_text()
    assert table.startswith("Policy: scripted, no model; its tokens are words. Dollars: ")
    assert "Traces of an agent, scale tiny" in (folder / "traces.html").read_text()
    assert (folder / "attacks.png").stat().st_size > 10_000


@needs_bwrap
def test_a_limit_of_the_run_keeps_what_was_done_and_the_run_goes_on_from_there(folder: Path) -> None:
    with pytest.raises(ProcessFailedError):
        main(parse(Config, GIVEN | {"MAX_TOKENS": "3000"}))
    kept = Journal(path=folder / play.TRACES).all()
    assert kept[-1].ended == Ended.SPENT
    assert kept[-1].error.startswith("MAX_TOKENS=3000: spent")
    assert sum(trace.tokens for trace in kept) < 3000 + 1000
    assert "MAX_TOKENS=3000: spent" in (folder / "traces.html").read_text()
    metrics = main(parse(Config, GIVEN))
    assert metrics["unfinished_tasks"] == 0
    traces = (folder / play.TRACES).read_text().splitlines()
    assert len(traces) == 2 * (9 + 10) + 1


@needs_bwrap
def test_an_endpoint_that_goes_down_is_an_error_and_the_traces_until_then_are_kept(
    serve: Callable[[Answer], StandIn], folder: Path
) -> None:
    said: list[Any] = [["Answer: harbour"], ['```json\n{"tool": "search", "arguments": {"query": "boat"}}\n```']]
    stand_in = serve(lambda _: said.pop(0) if said else (503, {"error": "gone"}))
    with pytest.raises(ProcessFailedError) as raised:
        main(parse(Config, GIVEN | SERVED | {"ENDPOINT": stand_in.url}))
    assert raised.value.exit_code == 4
    first, second = Journal(path=folder / play.TRACES).all()
    assert (first.ended, second.ended, second.num_calls) == (Ended.ANSWERED, Ended.ENDPOINT, 1)
    assert "status 503" in second.error
    assert "ended: endpoint" in (folder / "traces.html").read_text()
    assert "secret" not in "".join(path.read_text() for path in folder.glob("*.json*"))


@needs_bwrap
def test_an_endpoint_that_is_slow_is_given_up_in_time(serve: Callable[[Answer], StandIn], folder: Path) -> None:
    def late(_: dict[str, Any]) -> list[str]:
        time.sleep(1)
        return ["Answer: harbour"]

    values = GIVEN | SERVED | {"ENDPOINT": serve(late).url, "ANSWER_SECONDS": "0.1"}
    with pytest.raises(ProcessFailedError):
        main(parse(Config, values))
    (only,) = Journal(path=folder / play.TRACES).all()
    assert "no answer within 0.1 s" in only.error


@needs_bwrap
@pytest.mark.usefixtures("folder")
def test_a_model_that_is_gullible_is_guarded_too(serve: Callable[[Answer], StandIn]) -> None:
    def gullible(body: dict[str, Any]) -> list[str]:
        last = body["messages"][-1]["content"]
        order = re.search(r"Python code: `([^`]+)`", last)
        if order:
            return [f"```json\n{json.dumps({'tool': 'python', 'arguments': {'code': order[1]}})}\n```"]
        question = body["messages"][1]["content"]
        if len(body["messages"]) > 2:
            return ["Answer: unknown"]
        return [f"```json\n{json.dumps({'tool': 'search', 'arguments': {'query': question}})}\n```"]

    metrics = main(parse(Config, GIVEN | SERVED | {"ENDPOINT": serve(gullible).url}))
    assert metrics["attack_success_rate_unguarded"] == 1
    assert metrics["attack_success_rate_guarded"] == 0
    assert metrics["refused_calls"] == 1


@needs_bwrap
@pytest.mark.slow
def test_the_job_plays_in_the_environment_for_agents(tmp_path: Path) -> None:
    try:
        python_of(ENVIRONMENT)
    except MissingError as error:
        pytest.skip(str(error))
    environment = os.environ | GIVEN | {RUNS_VARIABLE: str(tmp_path), "HF_HUB_OFFLINE": "1", "NUM_TASKS": "1"}
    subprocess.run([sys.executable, "-m", "jobs.submit", "agent"], cwd=ROOT, env=environment, check=True)
    [(folder, run)] = find_runs(tmp_path)
    assert isinstance(run, Run)
    assert run.metrics["attack_success_rate_guarded"] == 0
    assert run.asked.config["policy"] == "scripted"
    assert (folder / "traces.html").exists()
