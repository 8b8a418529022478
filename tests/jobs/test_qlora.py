from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError
from clusterlab.run import METRICS, Asked, Run, Status
from jobs.launch.folder import VARIABLE
from jobs.qlora import Config, _train
from tests.jobs.conftest import NF4_BITS

ROOT = Path(__file__).parents[2]
SHORT = {"SCALE": "tiny", "STEPS": "12", "CHECKPOINT_EVERY": "4", "NUM_EVAL": "20"}
TIMED = {"tokens_per_second", "lora_tokens_per_second"}


def _losses(folder: Path) -> list[tuple[str, int, float]]:
    """Phase, step and loss of the fine-tunings, of a step that was done again the last."""
    rows = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    kept = {(row["phase"], row["step"]): row["loss"] for row in rows if row["phase"] != "pretrain"}
    return sorted((phase, step, loss) for (phase, step), loss in kept.items())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A short run at `tiny`: its folder and its metrics."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        return folder, _train(parse(Config, SHORT))


@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale) -> None:
    assert parse(Config, {"SCALE": scale}).steps > 0


def test_the_published_setting_is_the_papers() -> None:
    full = parse(Config, {"SCALE": "full"})
    assert (full.lora_rank, full.lora_alpha, full.learning_rate, full.batch_size, full.steps) == (
        64,
        16,
        2e-4,
        16,
        1875,
    )
    assert full.max_grad_norm == 0.3


@pytest.mark.parametrize(
    "given",
    [
        {"STEPS": "0"},
        {"LEARNING_RATE": "-1"},
        {"LEARNING_RATE": "nan"},
        {"LORA_DROPOUT": "1.5"},
        {"MAX_FAILURES": "-1"},
        {"NUM_EVAL": "0"},
        {"MODEL": "tiny-lama"},
        {"DATA": "alpaca"},
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str]) -> None:
    with pytest.raises(InputError, match=next(iter(given))):
        parse(Config, {"SCALE": "tiny"} | given)


def test_rows_too_short_for_any_example_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match="ROW_LENGTH=8: no example fits"):
        _train(parse(Config, SHORT | {"ROW_LENGTH": "8"}))


def test_the_record_has_what_the_claim_is_about(undisturbed: tuple[Path, dict[str, float]]) -> None:
    _, metrics = undisturbed
    assert metrics["bits_per_parameter"] == pytest.approx(NF4_BITS, rel=0.005)
    assert metrics["base_mib"] < metrics["unquantized_mib"] == metrics["lora_base_mib"]
    assert 0 < metrics["trainable_share"] < 0.1
    assert metrics["eval_loss_after"] < metrics["eval_loss_before"]
    assert metrics["eval_loss_gap_to_lora"] == metrics["eval_loss_after"] - metrics["lora_eval_loss_after"]
    assert metrics["tokens_per_second"] > 0


def test_the_same_question_asked_twice_gives_the_same_losses_to_the_bit(
    undisturbed: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, metrics = undisturbed
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    again = _train(parse(Config, SHORT))
    assert _losses(tmp_path) == _losses(folder)
    assert {name: value for name, value in again.items() if name not in TIMED} == {
        name: value for name, value in metrics.items() if name not in TIMED
    }
    asked = [Asked.of("qlora", "qlora", parse(Config, SHORT), root=ROOT).fingerprint for _ in range(2)]
    assert asked[0] == asked[1]


def test_another_seed_is_another_question_with_other_losses(
    undisturbed: tuple[Path, dict[str, float]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    other = parse(Config, SHORT | {"SEED": "1", "COMPARE_LORA": "false", "STEPS": "2"})
    _train(other)
    assert _losses(tmp_path)[0] != next(row for row in _losses(undisturbed[0]) if row[0] == "qlora")
    assert Asked.of("qlora", "qlora", other, root=ROOT) != Asked.of("qlora", "qlora", parse(Config, SHORT), root=ROOT)


def test_a_killed_worker_is_begun_again_from_its_checkpoint_and_ends_at_the_same_loss(
    undisturbed: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    environment = os.environ | SHORT | {VARIABLE: str(folder)}
    command = [sys.executable, "-m", "jobs.submit", "qlora"]
    with (tmp_path / "output").open("w") as output:
        job = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_for_step(folder, "qlora", 6, job)
            killed = _worker(job)
            killed.send_signal(signal.SIGKILL)
            assert job.wait(timeout=300) == 0, (tmp_path / "output").read_text()
        finally:
            if job.poll() is None:
                job.send_signal(signal.SIGINT)
                job.wait(timeout=60)
    run = Run.load(folder)
    assert run.status is Status.SUCCEEDED
    assert _losses(folder) == _losses(undisturbed[0])
    assert run.metrics["eval_loss_after"] == undisturbed[1]["eval_loss_after"]
    rows = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    steps = [row["step"] for row in rows if row["phase"] == "qlora"]
    assert steps.count(5) == 2  # it was done again
    assert steps.count(4) == 1  # it was in the checkpoint


def _wait_for_step(folder: Path, phase: str, step: int, job: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and job.poll() is None:
        path = folder / METRICS
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        if any(row["phase"] == phase and row["step"] >= step for row in rows):
            return
        time.sleep(0.01)
    pytest.fail(f"{phase} did not come to step {step}")


def _worker(job: subprocess.Popen[Any]) -> psutil.Process:
    """The process that trains, among the descendants of the one that submitted."""
    named = {process: " ".join(process.cmdline()) for process in psutil.Process(job.pid).children(recursive=True)}
    return next(process for process, name in named.items() if name.startswith("ray::_work"))
