"""A Ray cluster through its Jobs API: submit, follow, stop, each within a time limit."""

from __future__ import annotations

import asyncio
import http.client
import secrets
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.errors import InputError, Problem, UnreachableError
from clusterlab.ray_address import ADDRESS_VARIABLE, url_of
from clusterlab.request import STOP_SECONDS, Request

NOT_PACKED = [".cache", ".git", ".venv", "runs", "shared", "tests", "**/__pycache__", ".*_cache", "*.egg-info"]
"""What a node needs nothing of."""
KEPT_LETTERS = 2**17
NO_AGENT = "No available agent to submit job"
"""What a dashboard says until a node's agent has come to it, on a busy machine long after the dashboard answers."""
AGENT_SECONDS = 90
"""How long it may say so."""


@dataclass(kw_only=True, slots=True)
class Cluster:
    """A cluster that answered."""

    address: str
    client: Any
    """A `ray.job_submission.JobSubmissionClient`."""
    seconds: float
    """How long it may be silent."""
    check: Callable[[], None] = lambda: None
    """Asked again and again while a job runs; raises where it is pointless to go on."""
    output_end: str = ""
    """The last letters of what the job printed."""
    _num_printed: int = 0
    """How many letters of it went to our standard output."""

    @classmethod
    def connect(cls, address: str, *, seconds: float, headers: dict[str, str] | None = None) -> Cluster:
        """Connect to a dashboard, `http://host:port` or `host:port`.

        Raises:
            InputError: the address has another form, or the cluster refuses our token.
            UnreachableError: it did not answer within `seconds`.
        """
        url = url_of(address)
        _probe(url, seconds)
        from ray.exceptions import AuthenticationError
        from ray.job_submission import JobSubmissionClient

        try:
            return cls(address=url, client=JobSubmissionClient(url, headers=headers), seconds=seconds)
        except AuthenticationError as error:
            message = f"{url}: refuses us; RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH says who we are"
            raise InputError(Problem(path=ADDRESS_VARIABLE, message=message)) from error
        except (RuntimeError, OSError) as error:
            raise UnreachableError(f"{ADDRESS_VARIABLE}: {url}: is no Ray dashboard: {error}") from error

    def submit(self, request: Request, folder: Path, *, python: str, upload: Path | None) -> str:
        """Submit a job, and with it the repository at `upload` unless the cluster runs in it already.

        Returns Ray's id of it.

        Raises:
            UnreachableError: the cluster could not take it.
        """
        runtime_env: dict[str, Any] = {"env_vars": request.variables(folder)}
        if upload is not None:
            runtime_env |= {"working_dir": str(upload), "excludes": NOT_PACKED}
        # With an id of ours, a submission whose answer was lost can be told from one that did not arrive.
        job_id = f"raysubmit_{secrets.token_hex(8)}"
        job: dict[str, Any] = {"submission_id": job_id, "entrypoint": request.entrypoint(folder, python=python)}
        job |= {"runtime_env": runtime_env, "metadata": request.metadata()}
        refused: float | None = None
        while True:
            try:
                return str(self.client.submit_job(**job))
            except (RuntimeError, OSError) as error:
                if f"{job_id} already exists" in str(error):
                    return job_id
                refused = refused or time.monotonic()
                if time.monotonic() - refused > self._patience(error):
                    raise UnreachableError(f"{ADDRESS_VARIABLE}: {self.address}: takes no job: {error}") from error
            time.sleep(1)

    def _patience(self, error: RuntimeError | OSError) -> float:
        """For how many seconds a submission is tried again after this."""
        if isinstance(error, OSError):
            return self.seconds
        return AGENT_SECONDS if NO_AGENT in str(error) else -1

    def follow(self, job_id: str) -> Any:
        """Print what a job prints until it has ended.

        Returns Ray's `JobDetails`.

        Raises:
            UnreachableError: the cluster was silent for longer than its time limit.
        """
        import aiohttp

        deadline = time.monotonic() + self.seconds
        while True:
            try:
                details = asyncio.run(self._print_until_end(job_id))
                if details is not None:
                    return details
                deadline = time.monotonic() + self.seconds
            except (RuntimeError, OSError, aiohttp.ClientError) as error:
                # The cluster goes on without us, so a connection that broke is made again.
                if time.monotonic() > deadline:
                    message = f"did not answer within {self.seconds:g} s; job {job_id} may still run"
                    raise UnreachableError(f"{ADDRESS_VARIABLE}: {self.address}: {message}") from error
            time.sleep(0.2)

    def stop(self, job_id: str) -> None:
        """Ask a job to stop, and wait until it has, at most as long as Ray gives it.

        Raises:
            UnreachableError: the cluster could not be told.
        """
        deadline = time.monotonic() + STOP_SECONDS + 5
        try:
            self.client.stop_job(job_id)
            while not self.client.get_job_status(job_id).is_terminal() and time.monotonic() < deadline:
                time.sleep(0.1)
        except (RuntimeError, OSError) as error:
            message = f"could not be told to stop job {job_id}, which may still run: {error}"
            raise UnreachableError(f"{ADDRESS_VARIABLE}: {self.address}: {message}") from error

    async def _print_until_end(self, job_id: str) -> Any:
        """Returns Ray's `JobDetails` of a job that has ended, None where the connection ended before it.

        Ray closes the stream of a job's output seconds after its end, so ask for its status meanwhile.
        """
        tail = asyncio.create_task(self._tail(job_id))
        while True:
            await asyncio.wait([tail], timeout=0.2)
            self.check()
            details = await asyncio.to_thread(self.client.get_job_info, job_id)
            if details.status.is_terminal():
                tail.cancel()
                self._print(self.client.get_job_logs(job_id)[self._num_printed :])
                return details
            if tail.done():
                return tail.result()

    async def _tail(self, job_id: str) -> None:
        seen = 0
        async for text in self.client.tail_job_logs(job_id):
            self._print(text[max(0, self._num_printed - seen) :])
            seen += len(text)

    def _print(self, text: str) -> None:
        self._num_printed += len(text)
        self.output_end = (self.output_end + text)[-KEPT_LETTERS:]
        sys.stdout.write(text)
        sys.stdout.flush()


def _probe(url: str, seconds: float) -> None:
    """Ray's client waits for ever, so ask first whether anybody is there; any HTTP status is an answer."""
    try:
        with urllib.request.urlopen(f"{url}/api/version", timeout=seconds):  # noqa: S310 (http or https)
            return
    except urllib.error.HTTPError as error:
        error.close()
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        message = f"did not answer within {seconds:g} s ({getattr(error, 'reason', None) or error})"
        raise UnreachableError(f"{ADDRESS_VARIABLE}: {url}: {message}") from error
