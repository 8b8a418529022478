"""What only the compiled environment can show; `make test-gguf` makes it, which takes minutes, and runs this."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from clusterlab.errors import MissingError
from jobs.launch.environments import ROOT, python_of
from jobs.llamacpp.asked import ENVIRONMENT


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that has llama.cpp."""
    try:
        return python_of(ENVIRONMENT)
    except MissingError as error:
        pytest.skip(str(error))


def run(python: str, script: str, *arguments: object) -> Any:
    """What a script of that environment prints last, as JSON."""
    done = subprocess.run(
        [python, "-c", script, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
