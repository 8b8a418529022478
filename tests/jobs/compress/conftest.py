"""What tests of compression share: a small base on disk, and what methods are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.compress.methods import Inputs
from jobs.compress.size import linear_shapes
from tests.jobs.conftest import VOCABULARY, small_llama


@pytest.fixture
def inputs(tmp_path: Path) -> Any:
    """A small Llama in a folder, its layers, and random rows."""
    model = small_llama()
    model.save_pretrained(tmp_path / "base")
    rows = torch.randint(3, VOCABULARY, (8, 16), generator=torch.Generator().manual_seed(0))
    return Inputs(
        base=tmp_path / "base", shapes=linear_shapes(model), calibration=rows, group_size=32, context_length=32, seed=0
    )
