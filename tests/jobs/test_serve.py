"""The job on a stand-in for an engine; `tests/vllm` has it on vLLM."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from clusterlab.config import Scale, parse
from clusterlab.errors import ClusterlabError, InputError, MissingError
from clusterlab.run import RECORD, Run, Status, find_runs
from jobs import serve
from jobs.launch.folder import VARIABLE
from jobs.serve import Config, _measure, main
from jobs.serving.asking import Begun, completion
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint
from tests.jobs.conftest import small_llama
from tests.jobs.serving.stand_in import StandIn
from tests.repository import MARK, ROOT, copy_repository, marked, no_process_left, wait_until

SMALL = {"MAX_MODEL_LEN": "64", "CLIENTS": "1,2", "NUM_REQUESTS": "4", "NUM_WORDS": "4", "NEW_TOKENS": "4"}
REGISTERED = """
from tests.jobs.serving.stand_in import StandIn
ENGINES["stand-in"] = StandIn(options=("--pace=0.2",))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Llama with random weights, and a tokenizer that knows one word."""
    folder = tmp_path_factory.mktemp("model")
    small_llama().save_pretrained(folder)
    words = Tokenizer(WordLevel({"<unk>": 0, "so": 1}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>").save_pretrained(folder)
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run, whose server is the stand-in."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(serve, "engine_of", lambda _: StandIn(options=("--pace=0.01",)))
    return tmp_path


def _config(model: Path, **values: str) -> Config:
    return parse(Config, {"SCALE": "tiny", "MODEL": str(model)} | SMALL | values)


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_room_for_its_prompts_and_answers(scale: Scale) -> None:
    config = parse(Config, {"SCALE": scale})
    # Of text in a language that the tokenizer was not made for, about four tokens a word.
    assert 4 * config.num_words + config.new_tokens <= config.max_model_len


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ENGINE": "vlm"}, "ENGINE: 'vlm'; allowed: vllm"),
        ({"MODEL": "gpt2"}, "MODEL=gpt2: allowed: tiny-llama, tiny-llama-256"),
        ({"CLIENTS": "8,1"}, "CLIENTS=8,1: each load must be above the one before it"),
        ({"RATE": "0"}, "RATE=0.0: must be above 0"),
        ({"TENSOR_PARALLEL": "0"}, "TENSOR_PARALLEL=0: must be 1 or more"),
        ({"GPU_MEMORY_UTILIZATION": "1.5"}, "GPU_MEMORY_UTILIZATION=1.5: must be at most 1"),
        ({"PORT": "65536"}, "PORT=65536: must be at most 65535"),
        ({"HOLD_SECONDS": "-1"}, "HOLD_SECONDS=-1: must be 0 or more"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, {"SCALE": "tiny"} | given)


def test_without_its_environment_the_job_names_the_command_before_any_work(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "engine_of", lambda _: StandIn(environment="nowhere"))
    with pytest.raises(MissingError, match=re.escape(".venv/nowhere: not there; `make env-nowhere` makes it")):
        main(_config(model))


def test_a_server_that_is_held_must_have_a_key_that_somebody_knows(
    model: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(
        InputError, match=r"^CLUSTERLAB_API_KEY: not set, and with HOLD_SECONDS others need it; allowed"
    ):
        main(_config(model, HOLD_SECONDS="1"))
    assert not list(run.iterdir())


def test_a_server_is_measured_proved_and_drained(model: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    with no_process_left(mark):
        metrics = _measure(_config(model))
    found = {name.removeprefix("status_"): value for name, value in metrics.items() if name.startswith("status_")}
    assert found == {
        "whole": 200,
        "stream": 200,
        "after": 200,
        "after_hang_up": 200,
        "overlong": 400,
        "bad_json": 400,
        "unknown_model": 404,
        "no_key": 401,
        "wrong_key": 401,
    }
    assert (metrics["same_text"], metrics["answered"], metrics["drained"]) == (1, 1, 1)
    # The stand-in knows one word, the model none: they cannot be taken for each other.
    assert metrics["token_agreement"] < 0.5
    assert 0 < metrics["tpot_p50_seconds_at_2"] < metrics["ttft_p99_seconds_at_2"] + 1
    assert metrics["host_gib"] > 0.001
    assert {"tokens_per_second_at_1", "goodput_per_second_open", "seconds_to_ready"} <= metrics.keys()
    record = json.loads((run / "load.json").read_text())
    assert [load["num_requests"] for load in record["closed"]] == [4, 4]
    assert (run / "serve.png").read_bytes().startswith(b"\x89PNG")


def test_requests_that_do_not_fit_are_told_and_no_figures_made_of_them(model: Path, run: Path) -> None:
    message = r"of the first 4 requests not all were answered: 4 rejected, HTTP status 400"
    with pytest.raises(ClusterlabError, match=message):
        _measure(_config(model, NEW_TOKENS="61"))
    assert not (run / "load.json").exists()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that has the stand-in among its engines."""
    folder = copy_repository(tmp_path_factory.mktemp("repository"))
    with (folder / "jobs" / "serving" / "engine.py").open("a") as engines:
        engines.write(REGISTERED)
    for name in ("tests/__init__.py", "tests/jobs/__init__.py", "tests/jobs/serving/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "tests/jobs/serving/stand_in.py", folder / "tests/jobs/serving")
    return folder


def _held(repository: Path, model: Path, environment: dict[str, str], tmp_path: Path) -> tuple[Any, Path, Endpoint]:
    """A server that is held for ten minutes: its submission, the folder of its run, and where it is asked."""
    given = {"SCALE": "tiny", "ENGINE": "stand-in", "MODEL": str(model), "HOLD_SECONDS": "600", **SMALL}
    given |= {"CLUSTERLAB_RUNS": str(tmp_path / "runs"), KEY_VARIABLE: "held-7f3a", "RATE": "8"}
    command = [sys.executable, "-m", "jobs.submit", "serve"]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=repository, env=environment | given, stdout=output, stderr=output)

    def at() -> Path | None:
        assert process.poll() is None, (tmp_path / "output").read_text()
        return next((tmp_path / "runs").rglob("endpoint.json"), None)

    wait_until(at)
    path = at()
    assert path is not None
    wait_until(lambda: path.read_text().endswith("}"))
    return process, path.parent, Endpoint(**json.loads(path.read_text()), api_key="held-7f3a")


def test_a_held_server_is_asked_until_a_sigterm_and_finishes_what_it_has_begun(
    repository: Path, model: Path, tmp_path: Path
) -> None:
    with no_process_left(uuid.uuid4().hex) as environment:
        process, folder, endpoint = _held(repository, model, environment, tmp_path)
        begun = Begun.of(endpoint, completion(endpoint, "so", 50))
        process.send_signal(signal.SIGTERM)
        assert begun.whole()
        assert process.wait() == 130, (tmp_path / "output").read_text()
    run = Run.load(folder)
    assert (run.status, run.metrics["drained"], run.metrics["answered"]) == (Status.SUCCEEDED, 1, 1)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert folder / RECORD in written
    assert not [path for path in written if b"held-7f3a" in path.read_bytes()]


def test_a_job_that_is_killed_leaves_no_server(repository: Path, model: Path, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    with no_process_left(mark) as environment:
        process, folder, _ = _held(repository, model, environment, tmp_path)
        [job] = [pid for pid in marked(mark) if f"--run={folder}" in _command(pid) and "execute" in _command(pid)]
        os.kill(job, signal.SIGKILL)
        assert process.wait() != 0
        wait_until(lambda: not marked(mark))
    assert len(list(find_runs(tmp_path / "runs"))) == 1


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
