"""llama.cpp's server as a client sees it: started, asked over HTTP, and ended with all that it started."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clusterlab.errors import UnreachableError
from clusterlab.local.keeper import keep, release
from jobs.llamacpp.serve import HOST, KEY_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
"""A model of 7 billion weights is mapped within seconds; a busy disk takes longer."""
ANSWER_SECONDS = 300
GRACE_SECONDS = 10
_KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR")
"""The server reads its settings from variables too, by names such as MODEL and SEED, which are also a lab's envs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A server that runs."""

    port: int
    key: str = field(repr=False)

    def models(self) -> list[str]:
        """The health check of OpenAI's API: the names of the models that it serves."""
        return [str(model["id"]) for model in self._ask("GET", "/v1/models")["data"]]

    def complete(self, prompt: str, max_new_tokens: int) -> str:
        """The likeliest continuation of a text."""
        body = {"prompt": prompt, "max_tokens": max_new_tokens, "temperature": 0.0}
        return str(self._ask("POST", "/v1/completions", body)["choices"][0]["text"])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Raises UnreachableError where the server does not answer, or answers that something is wrong."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_SECONDS)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except (http.client.HTTPException, OSError) as error:
            raise UnreachableError(f"http://{HOST}:{self.port}{path}: did not answer: {error}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise UnreachableError(f"http://{HOST}:{self.port}{path}: {answer.status}: {text[:200]}")
        return json.loads(text)


@contextmanager
def serving(
    model: Path, *, log: Path, context_length: int, num_threads: int, python: str = sys.executable
) -> Iterator[Server]:
    """A server of a GGUF file for as long as the block lasts; what it says goes to `log`.

    It is on the loopback and lets in who has its key, which is another each time.

    Raises:
        UnreachableError: it did not start within `START_SECONDS`.
    """
    key = secrets.token_urlsafe(32)
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="llamacpp-") as folder, log.open("ab") as output:
        port_file = Path(folder) / "port"
        options = [f"--port-file={port_file}", f"--context-length={context_length}", f"--num-threads={num_threads}"]
        keeper = keep(
            [python, "-m", "jobs.llamacpp.serve", str(model), *options],
            cwd=ROOT,
            env=kept | {KEY_VARIABLE: key},
            output=output,
            grace_seconds=GRACE_SECONDS,
        )
        try:
            server = Server(port=_wait_for_port(port_file, keeper, log), key=key)
            server.models()
            yield server
        finally:
            release(keeper)


def _wait_for_port(port_file: Path, keeper: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while not port_file.exists():
        if keeper.poll() is not None:
            raise UnreachableError(f"llama.cpp's server: ended with {keeper.returncode}; {log} has what it said")
        if time.monotonic() > deadline:
            raise UnreachableError(f"llama.cpp's server: not there after {START_SECONDS} s; {log} has what it said")
        time.sleep(0.05)
    return int(port_file.read_text())
