"""A Ray cluster through the HTTP of its Jobs API: who submits needs no Ray of their own."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from clusterlab.errors import InputError, Problem, UnreachableError
from clusterlab.metering import ray
from clusterlab.ray_address import ADDRESS_VARIABLE, TOKEN_PATH_VARIABLE, TOKEN_VARIABLE, url_of
from clusterlab.submission.look import Look

TRY_SECONDS = 1.0
"""Between two tries of what a cluster did not answer."""
NO_AGENT = "No available agent to submit job"
"""What a dashboard says until a node's agent has come to it, on a busy machine long after the dashboard answers."""
AGENT_SECONDS = 90
"""How long it may say so."""
REFUSED = (http.client.UNAUTHORIZED, http.client.FORBIDDEN)


class AnsweredError(UnreachableError):
    """It answered, by an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job as Ray has it."""

    status: str
    message: str
    exit_code: int | None
    """Of its entrypoint; None until it has ended, or where it never ran."""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in ray.OVER


@dataclass(frozen=True, kw_only=True, slots=True)
class JobsApi:
    """Of a dashboard, `http://host:port`."""

    address: str
    token: str | None = field(repr=False)
    seconds: float
    """How long it may be silent."""
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    """The clock of its time limits; with `sleep`, in place of the system's for tests."""

    @classmethod
    def connect(cls, address: str, token: str | None, *, seconds: float) -> JobsApi:
        """Connect to a cluster that answers.

        Raises:
            InputError: the address has another form, or the cluster refuses our token.
            UnreachableError: it did not answer within `seconds`.
        """
        api = cls(address=url_of(address), token=token, seconds=seconds)
        api._ask("GET", "/api/version")
        return api

    def look(self) -> Look:
        """What it has, and how its jobs stand."""
        state = ray.ask(self.address, self.token)
        jobs = [job for job in self._json("GET", "/api/jobs/") if job["submission_id"]]
        gpus = state.gpus or Decimal(state.num_nodes)
        held = {each.job: each.gpus if state.gpus else Decimal(1) for each in state.holdings}
        return Look(
            gpus=gpus,
            of_gpus=bool(state.gpus),
            held=held,
            running=frozenset(job["submission_id"] for job in jobs if job["status"] not in ray.OVER),
            over={job["submission_id"]: _ended(job) for job in jobs if job["status"] in ray.OVER},
        )

    def has_package(self, name: str) -> bool:
        """Whether it has a package, which it then keeps for the next minutes."""
        return self._ask("GET", f"/api/packages/gcs/{name}", missing=True) is not None

    def upload_package(self, name: str, content: bytes) -> None:
        """Give it one."""
        self._ask("PUT", f"/api/packages/gcs/{name}", content)

    def submit(self, job: Mapping[str, Any]) -> None:
        """Submit a job that has an id of ours, by which one whose answer was lost is told from one that did not come.

        Raises:
            UnreachableError: the cluster could not take it.
        """
        began = self.clock()
        while True:
            try:
                self._ask("POST", "/api/jobs/", json.dumps(job).encode())
                return
            except UnreachableError as error:
                if f"{job['submission_id']} already exists" in str(error):
                    return
                if self.clock() - began > self._patience(error):
                    raise UnreachableError(f"{ADDRESS_VARIABLE}: takes no job: {error}") from error
            self.sleep(TRY_SECONDS)

    def job(self, name: str) -> Job | None:
        """How a job stands; None where the cluster knows of none."""
        answer = self._ask("GET", f"/api/jobs/{name}", missing=True)
        if answer is None:
            return None
        found = json.loads(answer)
        return Job(status=found["status"], message=found["message"] or "", exit_code=found["driver_exit_code"])

    def logs(self, name: str) -> str:
        """All that a job printed."""
        return str(self._json("GET", f"/api/jobs/{name}/logs")["logs"])

    @contextmanager
    def stream(self, name: str) -> Iterator[http.client.HTTPResponse]:
        """What a job prints, as it comes; it does not end with the job.

        Raises:
            UnreachableError: it printed nothing yet, or the cluster does not answer.
        """
        with self._answer("GET", f"/api/v0/logs/stream?submission_id={name}&lines=-1&interval=0.3") as answer:
            if answer.status != http.client.OK:
                raise UnreachableError(f"{self.address}: {name}: no output yet")
            yield answer

    def stop(self, name: str) -> None:
        """Ask a job to stop."""
        self._ask("POST", f"/api/jobs/{name}/stop", b"{}")

    def _patience(self, error: UnreachableError) -> float:
        """For how many seconds a submission is tried again after this."""
        if isinstance(error, AnsweredError):
            return AGENT_SECONDS if NO_AGENT in str(error) else -1
        return self.seconds

    def _json(self, method: str, path: str) -> Any:
        return json.loads(self._ask(method, path) or b"null")

    def _ask(self, method: str, path: str, body: bytes | None = None, *, missing: bool = False) -> bytes | None:
        """The body of the answer; None where the path is missing, and may be.

        Raises:
            InputError: the cluster refuses us.
            UnreachableError: it does not answer, or by an error.
        """
        with self._answer(method, path, body) as answer:
            content = answer.read()
            if answer.status == http.client.OK:
                return content
            if answer.status == http.client.NOT_FOUND and missing:
                return None
            if answer.status in REFUSED:
                message = f"{self.address}: refuses us; {TOKEN_VARIABLE} or {TOKEN_PATH_VARIABLE} says who we are"
                raise InputError(Problem(path=ADDRESS_VARIABLE, message=message))
            said = content.decode(errors="replace").strip().splitlines()
            raise AnsweredError(f"{self.address}{path}: answers {answer.status}: {said[-1] if said else ''}")

    @contextmanager
    def _answer(self, method: str, path: str, body: bytes | None = None) -> Iterator[http.client.HTTPResponse]:
        url = urlsplit(self.address)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with closing(kind(str(url.hostname), url.port, timeout=self.seconds)) as connection:
            try:
                connection.request(method, path, body, headers | {"Content-Type": "application/json"})
                yield connection.getresponse()
            except (http.client.HTTPException, OSError, ValueError) as error:
                message = f"{self.address}: did not answer within {self.seconds:g} s ({error})"
                raise UnreachableError(f"{ADDRESS_VARIABLE}: {message}") from error


def _ended(job: Mapping[str, Any]) -> datetime:
    """Ray writes instants in milliseconds."""
    return datetime.fromtimestamp((job["end_time"] or 0) / 1000, UTC)
