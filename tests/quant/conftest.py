"""What a checkpoint says in transformers, in an environment beside that of the jobs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jobs.launch.environments import ROOT, python_of


def logits_of(reader: str, checkpoint: Path, rows: Any, folder: Path) -> tuple[Any, str]:
    """What transformers computes with a checkpoint in the environment, and how its layers store their weights."""
    np.save(folder / "rows.npy", rows.numpy())
    files = [str(checkpoint), str(folder / "rows.npy"), str(folder / "logits.npy")]
    command = [python_of(reader), "-m", "tests.quant.logits", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return torch.from_numpy(np.load(folder / "logits.npy")), done.stdout.split()[-1]
