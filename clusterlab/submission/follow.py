"""Follow a job on the cluster: show what it prints, until it has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from clusterlab.errors import ClusterlabError, UnreachableError
from clusterlab.request import STOP_SECONDS
from clusterlab.submission.jobs_api import Job, JobsApi
from clusterlab.submission.results import is_line

POLL_SECONDS = 0.5
BLOCK = 2**16


class LostJobError(ClusterlabError):
    """The cluster does not know a job any more."""


@dataclass(kw_only=True, slots=True)
class Output:
    """What a job printed, shown line by line as it comes, but for what it sends to the program."""

    show: Callable[[str], None]
    num_bytes: int = 0
    """Taken in, of the job's output from its beginning."""
    rest: bytes = b""
    """Of a line that has not ended."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, block: bytes, *, at: int) -> None:
        """Take in what the job printed from a byte on; what was there before is passed over."""
        with self.lock:
            new = block[max(0, self.num_bytes - at) :]
            self.num_bytes = max(self.num_bytes, at + len(block))
            *lines, self.rest = (self.rest + new).split(b"\n")
            for line in lines:
                self._show(line + b"\n")

    def finish(self, whole: str) -> None:
        """Take in the whole output, once the job has ended."""
        self.take(whole.encode(), at=0)
        if self.rest:
            self._show(self.rest + b"\n")
            self.rest = b""

    def _show(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        if not is_line(text):
            self.show(text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """A job that has ended."""

    job: Job
    output: str
    """All that it printed."""


def follow(api: JobsApi, name: str, show: Callable[[str], None]) -> Followed:
    """Show what a job prints until it has ended.

    Raises:
        LostJobError: the cluster does not know it any more.
        UnreachableError: the cluster was silent for longer than its time limit.
    """
    output, deadline = Output(show=show), api.clock() + api.seconds
    with _tail(api, name, output):
        while True:
            try:
                job = api.job(name)
                if job is None:
                    raise LostJobError(f"{api.address}: knows no job {name} any more; its head began anew")
                if job.over:
                    whole = api.logs(name)
                    break
                deadline = api.clock() + api.seconds
            except UnreachableError as error:
                # The cluster goes on without us, so a connection that broke is made again.
                if api.clock() > deadline:
                    going_on = f"job {name} may still run; the same command follows it again"
                    raise UnreachableError(f"{error}; {going_on}") from error
            api.sleep(POLL_SECONDS)
    output.finish(whole)
    return Followed(job=job, output=whole)


def stop(api: JobsApi, name: str) -> None:
    """Ask a job to stop, and wait until it has, at most as long as it is given for its record.

    Raises:
        UnreachableError: the cluster could not be told.
    """
    deadline = api.clock() + STOP_SECONDS + 5
    try:
        api.stop(name)
        while api.clock() < deadline:
            job = api.job(name)
            if job is None or job.over:
                return
            api.sleep(POLL_SECONDS)
    except UnreachableError as error:
        raise UnreachableError(f"{error}; job {name} may still run") from error


@contextmanager
def _tail(api: JobsApi, name: str, output: Output) -> Iterator[None]:
    """Take in what the job prints, beside what goes on; whatever fails here is seen in the whole output later."""
    ended = threading.Event()
    thread = threading.Thread(target=_take, args=(api, name, output, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()


def _take(api: JobsApi, name: str, output: Output, ended: threading.Event) -> None:
    while not ended.wait(POLL_SECONDS):
        at = 0
        with suppress(UnreachableError), api.stream(name) as stream:
            while not ended.is_set() and (block := stream.read1(BLOCK)):
                output.take(block, at=at)
                at += len(block)
