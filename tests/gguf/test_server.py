from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tokenizers import pre_tokenizers

from clusterlab.errors import UnreachableError
from jobs.launch.environments import ROOT
from jobs.llamacpp.export import export
from jobs.llamacpp.server import serving
from tests.jobs.llamacpp.conftest import grouped_llama, trained

OPTIONS: dict[str, Any] = {"context_length": 64, "num_threads": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "small.gguf"
    export(grouped_llama(), trained(pre_tokenizers.ByteLevel(add_prefix_space=False)), path, "F32")
    return path


def _servers() -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if "jobs.llamacpp.serve" in str(each.info["cmdline"])]


def test_a_server_answers_who_has_its_key_and_is_gone_after(python: str, model: Path, tmp_path: Path) -> None:
    with serving(model, log=tmp_path / "log", python=python, **OPTIONS) as server:
        assert server.models() == ["small"]
        assert server.complete(" The capital", 8) == server.complete(" The capital", 8)
        with pytest.raises(UnreachableError, match=r"/v1/models: 401: "):
            dataclasses.replace(server, key="another").models()
        assert _servers()
    assert not _servers()
    with pytest.raises(UnreachableError, match="did not answer"):
        server.models()


def test_a_file_that_is_none_is_told_with_where_to_read_on(python: str, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"nothing")
    with (
        pytest.raises(UnreachableError, match=r"llama.cpp's server: ended with \d+; .*log has what it said"),
        serving(tmp_path / "bad.gguf", log=tmp_path / "log", python=python, **OPTIONS),
    ):
        pytest.fail("it serves")
    assert "bad.gguf" in (tmp_path / "log").read_text()


def test_a_server_does_not_outlive_who_started_it(python: str, model: Path, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from jobs.llamacpp.server import serving\n"
        f"with serving(Path(sys.argv[1]), log=Path(sys.argv[2]), python=sys.argv[3], **{OPTIONS}): time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(model), str(tmp_path / "log"), python]
    owner = subprocess.Popen(command, cwd=ROOT)
    deadline = time.monotonic() + 120
    while not _servers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _servers()
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    while _servers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _servers()
