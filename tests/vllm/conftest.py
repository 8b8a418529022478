"""What only vLLM's environment can show; `make test-vllm` makes it and runs this."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import Source
from clusterlab.errors import MissingError
from jobs.launch.environments import ROOT, python_of
from jobs.llm.bases import Base
from jobs.serving.settings import ServerSettings
from jobs.serving.vllm import Vllm


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that has vLLM."""
    try:
        return python_of(Vllm().environment)
    except MissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def base() -> Path:
    """The folder of the tiny base whose matrices fill groups of 64."""
    return Base.of(Source("tiny-llama-256"), lambda *_: None).folder()


def tiny(model: Path, **values: Any) -> ServerSettings:
    """How the tests serve, in float32 where nothing else is said."""
    same: dict[str, Any] = {"served_name": "tiny", "max_model_len": 128, "max_slots": 8, "compiled": False}
    return ServerSettings(**{"model": str(model), "dtype": "float32", **same, **values})


def complete(python: str, *asked: dict[str, Any]) -> list[Any]:
    """What `tests.vllm.completions` answers to each."""
    variables = Vllm().environ(tiny(Path())) | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-m", "tests.vllm.completions", *map(json.dumps, asked)],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
