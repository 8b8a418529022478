"""Submit a lab to the class's cluster: wait for its turn, follow it to its end, and fetch its run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clusterlab.catalog import Catalog
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.local import LOG, sigterm_interrupts
from clusterlab.run import RECORD, Run, discard_if_empty, held, new_run_folder, unfinished, write_atomically
from clusterlab.submission.arbitration import never
from clusterlab.submission.follow import Followed, LostJobError, follow, stop
from clusterlab.submission.jobs_api import JobsApi
from clusterlab.submission.look import Look
from clusterlab.submission.order import Order
from clusterlab.submission.package import Package
from clusterlab.submission.price import high_usd
from clusterlab.submission.queue import Queue
from clusterlab.submission.results import from_line, is_line, write_files
from clusterlab.submission.ticket import State, Ticket
from clusterlab.submission.turn import Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One lab of one student at a cluster that answers."""

    order: Order
    api: JobsApi
    queue: Queue
    runs: Path
    """The folder of the runs."""
    say: Callable[[str], None]
    """Shows a line of ours."""
    show: Callable[[str], None]
    """Shows what the job prints."""

    def run(self, *, fresh: bool = False, detach: bool = False) -> tuple[Path, str, Run | None]:
        """Wait, follow, fetch; with `detach` only until Ray has it.

        It goes on following a job that the student submitted before, asking for the same, and whose results were not
        fetched; and with an unfinished run that asked for the same, from its checkpoint; unless `fresh`.

        Returns the run's folder, its name, and its record; None where it is not waited for.

        Raises:
            InputError: it asks for more than the cluster or the class's limits have.
            BudgetError: the budget does not cover it.
            StorageError: the run's folder cannot be written.
            UnreachableError: Ray or the ledger does not answer.
            ClusterlabError: the job failed; carries the code that it ended with.
            KeyboardInterrupt: it was interrupted: withdrawn where it waited, and stopped where it ran.
        """
        ticket = None if fresh else self._going_on()
        folder = self._folder(ticket, fresh=fresh)
        try:
            with held(folder), sigterm_interrupts():
                turn = self._joined(ticket, folder)
                if ticket is None:
                    self._start(turn)
                return folder, turn.ticket.id, None if detach else self._end(turn, folder)
        finally:
            if folder.is_dir():
                discard_if_empty(folder)

    def _going_on(self) -> Ticket | None:
        """The ticket of a job that asked for the same and whose results are not here."""
        ticket = self.queue.newest(self.order.tags.student, self.order.request.asked.fingerprint)
        if ticket is None or ticket.state not in (State.GRANTED, State.RUNNING, State.ENDED):
            return None
        if (self.runs / ticket.lab / ticket.folder / LOG).exists() or self.api.job(ticket.id) is None:
            return None
        self.say(f"{ticket.id} asked for the same: following it")
        return ticket

    def _folder(self, ticket: Ticket | None, *, fresh: bool) -> Path:
        runs, asked = self.runs.absolute(), self.order.request.asked
        if ticket is not None:
            return runs / ticket.lab / ticket.folder
        folder = None if fresh else unfinished(runs, asked)
        if folder is None:
            # Also once it is gone, since nothing is in it: who comes back looks there for what was fetched.
            return new_run_folder(runs, asked, suffix=f"-{(self.order.tags.run or '')[-8:]}")
        self.say(f"going on with {folder}, which asked for the same and did not finish")
        return folder

    def _joined(self, ticket: Ticket | None, folder: Path) -> Turn:
        if ticket is not None:
            return Turn(queue=self.queue, api=self.api, ticket=ticket, say=self.say)
        look = self.api.look()
        ticket = self.order.ticket(folder.name, of_gpus=look.of_gpus)
        self._check_possible(ticket, look)
        turn = Turn(queue=self.queue, api=self.api, ticket=ticket, say=self.say)
        offered = self.order.cluster.offered(Catalog.load())
        usd = high_usd(offered, gpus=ticket.gpus, hours=ticket.hours, of_gpus=look.of_gpus)
        turn.take(self.order.tags, usd, look)
        return turn

    def _check_possible(self, ticket: Ticket, look: Look) -> None:
        why = never(ticket, look.capacity(()), self.queue.limits)
        if why:
            raise InputError(Problem(path=str(self.order.lab.path), message=why))

    def _start(self, turn: Turn) -> None:
        """Wait for its turn, and give the job to Ray; however that fails, nothing is held."""
        turn.wait()
        name = turn.ticket.id
        try:
            package = Package.of(Path.cwd())
            if package.send(self.api):
                self.say(f"uploaded {len(package.files)} files, which the cluster keeps for who submits them next")
            self.api.submit(self.order.job(turn.ticket.folder, package.uri))
            turn.ticket = self.queue.start(name)
        except BaseException:
            self._call_off(turn)
            raise
        self.say(f"{name} runs")

    def _call_off(self, turn: Turn) -> None:
        try:
            if self.api.job(turn.ticket.id) is not None:
                stop(self.api, turn.ticket.id)
        finally:
            turn.give_back()

    def _end(self, turn: Turn, folder: Path) -> Run:
        """Follow it to its end, fetch its run, and let go of what it held."""
        try:
            with self._interruptible(turn, folder):
                followed = follow(self.api, turn.ticket.id, self.show)
        except LostJobError:
            turn.end()
            raise
        turn.end()
        self._fetch(followed, folder)
        _raise_failure(self.order, followed, folder)
        return Run.load(folder)

    @contextmanager
    def _interruptible(self, turn: Turn, folder: Path) -> Iterator[None]:
        """Stop the job where whoever follows it is interrupted, and fetch what it has until then."""
        name = turn.ticket.id
        try:
            yield
        except KeyboardInterrupt:
            self.say(f"asking Ray to stop {name}")
            stop(self.api, name)
            self._fetch(follow(self.api, name, self.show), folder)
            turn.end()
            self.say(f"{name} is stopped; the same command goes on from its last checkpoint")
            raise

    def _fetch(self, followed: Followed, folder: Path) -> None:
        """Leave a run's folder as `clusterlab run` does."""
        lines = followed.output.splitlines(keepends=True)
        for line in filter(is_line, lines):
            files = from_line(line)
            if not files:
                self.say("its results came back torn; its record is the last line of its output")
            write_files(folder, files)
        write_atomically(folder / LOG, "".join(line for line in lines if not is_line(line)))


def _raise_failure(order: Order, followed: Followed, folder: Path) -> None:
    job = followed.job
    if job.status == "STOPPED":
        raise KeyboardInterrupt
    run = Run.load(folder) if (folder / RECORD).exists() else None
    if job.status == "SUCCEEDED" and run is not None:
        return
    reason = (run.error if run else None) or job.message or "its record did not come back"
    failure = ClusterlabError(f"{order.lab.path}: failed: {reason}; the whole output is in {folder / LOG}")
    if job.exit_code is not None and 1 <= job.exit_code <= 5:
        failure.exit_code = job.exit_code
    raise failure
