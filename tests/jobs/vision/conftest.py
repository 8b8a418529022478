"""What tests of vision share: a narrow LLaVA-NeXT, untrained, with its processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.vision.here import Model
from jobs.vision.learner import Learner, learn, make_processor, untrained

LEARNER = Learner(steps=2, batch_size=4, hidden_size=32, num_layers=1)


@pytest.fixture(scope="session")
def processor() -> Any:
    return make_processor(LEARNER)


@pytest.fixture(scope="session")
def model(processor: Any) -> Any:
    torch.manual_seed(0)
    return untrained(LEARNER, processor.tokenizer).eval()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that was trained for two steps."""
    path = tmp_path_factory.mktemp("shapes")
    learn(LEARNER, path, lambda *_: None)
    return path


@pytest.fixture(scope="session")
def trained(folder: Path) -> Model:
    return Model(folder)
