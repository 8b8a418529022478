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
        given = (f"--port={port}", f"--model={settings.model}", f"--served-name={settings.served_name}")
        return ["-m", "tests.jobs.serving.stand_in", *given, *self.options]

    def environ(self, settings: ServerSettings) -> dict[str, str]:
        return {"STAND_IN_SEED": str(settings.seed)}


class _Answer(BaseHTTPRequestHandler):
    served_name: str
    ready_at: float
    slow: float

    def do_GET(self) -> None:
        if self.path == "/health":
            self._send(200 if time.monotonic() > self.ready_at else 503, "")
        elif self.headers.get("Authorization") != f"Bearer {os.environ[KEY_VARIABLE]}":
            self._send(401, "who is it?")
        else:
            time.sleep(self.slow)
            self._send(200, json.dumps({"data": [{"id": self.served_name}], "seed": int(os.environ["STAND_IN_SEED"])}))

    def do_POST(self) -> None:
        """As many tokens as were asked for, all the same, in one piece or as a stream."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        usage = {"usage": {"completion_tokens": asked["max_tokens"]}}
        if not asked.get("stream"):
            self._send(200, json.dumps(usage))
            return
        token = json.dumps({"choices": [{"text": " so"}]})
        events = [*[token] * asked["max_tokens"], json.dumps(usage | {"choices": []}), "[DONE]"]
        self._send(200, "".join(f"data: {event}\n\n" for event in events))

    def log_message(self, *_: object) -> None:
        print("asked", self.path, flush=True)

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if text.startswith("data:") else "application/json")
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
    parser.add_argument("--die", action="store_true")
    parser.add_argument("--stubborn", action="store_true")
    options = parser.parse_args()
    if options.die:
        print("no such model:", options.model)
        return 7
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    _Answer.served_name, _Answer.slow = options.served_name, options.slow
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
