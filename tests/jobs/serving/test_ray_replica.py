"""What a replica does with adapters that others take the place of, without Ray Serve around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.serving.asked import Asked, Piece
from jobs.serving.generator import Generator
from jobs.serving.ray_replica import Replica, _Loaded

NAMES = ("red", "blue", "green")


@pytest.fixture
def replica(folder: Path, tmp_path: Path) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    for seed, name in enumerate(NAMES, 1):
        base = Generator(str(folder), dtype="float32").model
        torch.manual_seed(seed)
        get_peft_model(base, config).save_pretrained(tmp_path / name)
    model = {"folder": str(folder), "dtype": "float32", "quantization": None, "seed": 0}
    return Replica(model, {name: str(tmp_path / name) for name in NAMES}, 4)


def _answers(replica: Any, *names: str) -> list[tuple[int, ...]]:
    found: dict[int, Piece] = {}
    asked = [Asked(prompt=(70, 80, 90), max_tokens=6, ignore_eos=True, adapter=name) for name in names]
    replica._run(asked, found.update)
    return [found[number].tokens for number in range(len(names))]


def _held(replica: Any) -> set[str]:
    return set(replica._generator.model.peft_config)


def test_an_adapter_that_made_room_goes_between_batches_and_not_from_under_one(replica: Any) -> None:
    loaded = {name: _Loaded(replica._evicted, name) for name in NAMES}
    answers = _answers(replica, *NAMES)
    assert len(set(answers)) == 3
    loaded["red"].__del__()
    assert _held(replica) == set(NAMES)
    assert _answers(replica, "red", "blue") == answers[:2]
    assert _held(replica) == set(NAMES)
    assert _answers(replica, "blue") == answers[1:2]
    assert _held(replica) == {"blue", "green"}
    assert _answers(replica, *NAMES) == answers


def test_an_adapter_that_came_back_stays_when_python_collects_what_it_was(replica: Any) -> None:
    loaded = _Loaded(replica._evicted, "red")
    loaded.__del__()
    replica._evicted.discard("red")
    loaded.__del__()
    assert replica._evicted == set()
