"""A server that begins late, dies early, or takes its time to answer: what waiting and draining are tested on.

STAND_IN_KEY=secret python -m tests.jobs.serving.stand_in --port 8000 --late 1 --slow 2
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jobs.serving.settings import ServerSettings

KEY_VARIABLE = "STAND_IN_KEY"


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIn:
    """An engine."""

    options: tuple[str, ...] = ()
    name: str = "stand-in"
    environment: str = "train"
    key_variable: str = KEY_VARIABLE
    health: str = "/health"

    def command(self, settings: ServerSettings, port: int) -> list[str]:
        given: tuple[str, ...] = (
            f"--port={port}",
            f"--model={settings.model}",
            f"--served-name={settings.served_name}",
        )
        given += (f"--max-model-len={settings.max_model_len}",)
        return ["-m", "tests.jobs.serving.stand_in", *given, *self.options]

    def environ(self, settings: ServerSettings) -> dict[str, str]:
        return {"STAND_IN_SEED": str(settings.seed)}


class _Answer(BaseHTTPRequestHandler):
    served_name: str
    ready_at: float
    slow: float
    pace: float
    max_model_len: int

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200 if time.monotonic() > self.ready_at else 503, "")
        elif self.headers.get("Authorization") != f"Bearer {os.environ[KEY_VARIABLE]}":
            self._send(401, "who is it?")
        else:
            time.sleep(self.slow)
            self._send(200, json.dumps({"data": [{"id": self.served_name}], "seed": int(os.environ["STAND_IN_SEED"])}))

    def do_POST(self) -> None:
        """As many tokens as were asked for, all the same, in one piece or as a stream; or why not."""
        content = self.rfile.read(int(self.headers["Content-Length"]))
        asked, status = self._read(content)
        if status != 200:
            self._send(status, "{}")
            return
        usage = {"usage": {"completion_tokens": asked["max_tokens"]}}
        if not asked.get("stream"):
            self._send(200, json.dumps({"choices": [{"text": " so" * asked["max_tokens"]}]} | usage))
            return
        self._send(200, "data:", length=False)
        token = json.dumps({"choices": [{"text": " so"}]})
        for event in (*[token] * asked["max_tokens"], json.dumps(usage | {"choices": []}), "[DONE]"):
            self.wfile.write(f" {event}\n\n".encode() + (b"" if event == "[DONE]" else b"data:"))
            time.sleep(self.pace if event == token else 0)

    def _read(self, content: bytes) -> tuple[dict[str, Any], int]:
        if self.headers.get("Authorization") != f"Bearer {os.environ[KEY_VARIABLE]}":
            return {}, 401
        try:
            asked = json.loads(content)
        except ValueError:
            return {}, 400
        if asked["model"] != self.served_name:
            return {}, 404
        return asked, 200 if len(asked["prompt"].split()) + asked["max_tokens"] <= self.max_model_len else 400

    def log_message(self, *_: object) -> None:
        print("asked", self.path, flush=True)

    def _send(self, status: int, text: str, *, length: bool = True) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if text.startswith("data:") else "application/json")
        if length:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--served-name", required=True)
    parser.add_argument("--late", type=float, default=0)
    parser.add_argument("--slow", type=float, default=0)
    parser.add_argument("--pace", type=float, default=0, help="seconds after each token of a stream")
    parser.add_argument("--max-model-len", type=int, required=True)
    parser.add_argument("--die", action="store_true")
    parser.add_argument("--stubborn", action="store_true")
    options = parser.parse_args()
    if options.die:
        print("no such model:", options.model)
        return 7
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    _Answer.served_name, _Answer.slow, _Answer.pace = options.served_name, options.slow, options.pace
    _Answer.max_model_len = options.max_model_len
    _Answer.ready_at = time.monotonic() + options.late
    server = ThreadingHTTPServer(("127.0.0.1", options.port), _Answer)
    server.daemon_threads = False  # Closing then waits for answers that have begun.
    ending = (lambda *_: None) if options.stubborn else lambda *_: threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, ending)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    print("drained", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
