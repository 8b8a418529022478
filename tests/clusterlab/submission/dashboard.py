"""A dashboard of Ray's as `clusterlab submit` sees one, in this process; the tests say how its jobs fare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.web import Handler, serving

TOKEN = "0123456789abcdef"


@dataclass(kw_only=True)
class Dashboard:
    """One node with GPUs."""

    address: str = ""
    gpus: int = 1
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By id, as they were submitted, with a `status`."""
    packages: dict[str, bytes] = field(default_factory=dict)
    num_uploads: int = 0
    gone: bool = False
    """Whether it leaves everybody without an answer."""
    on_submit: Callable[[str], object] = str
    """What happens to a job that comes: nothing."""

    def end(self, name: str, status: str = "SUCCEEDED", *, logs: str = "", exit_code: int | None = 0) -> None:
        """Have a job end."""
        now = datetime.now(UTC).timestamp() * 1000
        self.jobs[name] |= {"status": status, "logs": logs, "driver_exit_code": exit_code, "end_time": now}

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and document."""
        path, _, query = path.partition("?")
        if path.startswith("/api/packages/"):
            return self._package(method, path.rpartition("/")[2], body)
        if path.startswith("/api/v0/"):
            kind = path.rpartition("/")[2]
            if kind == "stream":
                return self._stream(dict(parse_qsl(query)))
            nodes = [{"state": "ALIVE", "resources_total": {"GPU": self.gpus, "CPU": 4}}] if kind == "nodes" else []
            return 200, _listed(nodes)
        if (method, path) == ("POST", "/api/jobs/"):
            return self._submit(json.loads(body))
        if path == "/api/jobs/":
            return 200, list(self.jobs.values())
        name, _, verb = path.removeprefix("/api/jobs/").partition("/")
        if path.startswith("/api/jobs/") and name not in self.jobs:
            return 404, {}
        if verb == "stop":
            self.end(name, "STOPPED", exit_code=None)
        if verb == "logs":
            return 200, {"logs": self.jobs[name]["logs"]}
        return 200, self.jobs.get(name, {})

    def _stream(self, query: dict[str, str]) -> tuple[int, Any]:
        """As Ray's: it wants to know the node, and goes on from the first line."""
        asked = query.get("node_id"), query.get("lines"), float(query.get("interval", 0)) > 0
        if asked != ("n1", "-1", True):
            return 500, {}
        name = query["filename"].removeprefix("job-driver-").removesuffix(".log")
        return 200, self.jobs[name]["logs"].encode()

    def _package(self, method: str, name: str, body: bytes) -> tuple[int, Any]:
        if method == "PUT":
            self.packages[name] = body
            self.num_uploads += 1
        return (200, {}) if name in self.packages else (404, {})

    def _submit(self, job: dict[str, Any]) -> tuple[int, Any]:
        name = job["submission_id"]
        usual = {"status": "RUNNING", "message": "", "driver_exit_code": None, "job_id": None, "end_time": None}
        usual["driver_node_id"] = "n1"
        self.jobs[name] = usual | {"logs": ""} | job
        self.on_submit(name)
        return 200, {"submission_id": name}


@contextmanager
def dashboard() -> Iterator[Dashboard]:
    """Serve one."""
    board = Dashboard()

    class Jobs(Handler):
        def respond(self) -> None:
            body = self.body()
            if board.gone:
                return
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.send_json({}, status=401)
                return
            status, document = board.answer(self.command, self.path, body)
            if isinstance(document, bytes):
                self.send(document, status=status)
            else:
                self.send_json(document, status=status)

    with serving(Jobs) as board.address:
        yield board


def _listed(items: list[Any]) -> dict[str, Any]:
    return {"result": True, "msg": "", "data": {"result": {"total": len(items), "result": items}}}
