"""A submission's place in the queue: taken, kept by being heard of, and given back however its client ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

from clusterlab.errors import ClusterlabError, InputError, UnreachableError
from clusterlab.gate import hold
from clusterlab.lease import granted_lease
from clusterlab.ledger.ledger import Ledger
from clusterlab.submission.arbitration import Verdict
from clusterlab.submission.jobs_api import JobsApi
from clusterlab.submission.look import Look
from clusterlab.submission.queue import EXPIRY, Queue, Round
from clusterlab.submission.ticket import LIVE, State, Ticket
from clusterlab.tags import Tags

POLL_SECONDS = 0.5
MOST_SECONDS = 5.0
"""Between two polls; the further back, the longer, so that many who wait are no load."""
NEAR = 4
"""Up to which place it keeps its connection to the ledger between two polls: a server has but a hundred."""
BEAT_SECONDS = 10.0


@dataclass(kw_only=True, slots=True)
class Turn:
    """Of one ticket."""

    queue: Queue
    api: JobsApi
    ticket: Ticket
    say: Callable[[str], None]
    patience_seconds: float = float(EXPIRY.seconds)
    """How long Ray or the ledger may be silent while it waits."""
    _reserve: Callable[[], None] = lambda: None
    _look: Look | None = None
    """What was seen of Ray just before it joined."""
    _place: int = 1
    _said: str = ""
    _silent_since: float | None = None
    """Since when one of them does not answer; None where both do."""
    _beaten: float = 0

    def take(self, tags: Tags, usd: Decimal, look: Look) -> None:
        """Reserve what the job may cost, and join the queue, as Ray was seen just now.

        Raises:
            BudgetError: the budget does not cover it.
            UnreachableError: the ledger does not answer.
        """
        ledger = self.queue.ledger

        def reserve() -> None:
            with ledger.database.reading() as connection:
                now = ledger.now(connection)
            hold(ledger, tags, usd, now + granted_lease())

        reserve()
        try:
            self.ticket = self.queue.join(self.ticket)
        except BaseException:
            release(ledger, self.ticket.id)
            raise
        self._reserve, self._look = reserve, look

    def wait(self) -> None:
        """Return when it is its turn; where that does not come, the ticket is given back.

        Raises:
            BudgetError: what it reserved had expired meanwhile, and is not covered any more.
            UnreachableError: Ray or the ledger was silent for too long.
            KeyboardInterrupt: whoever asked does not want it any more.
        """
        self._beaten = self.api.clock()
        try:
            if self._look is not None:
                with suppress(UnreachableError):
                    self._take_up(self.queue.arbitrate(self._look))
            while not self._granted():
                if self._place > NEAR:
                    self.queue.ledger.close()
                self.api.sleep(min(POLL_SECONDS * self._place, MOST_SECONDS))
            # It may have waited for longer than a reservation holds.
            self._reserve()
        except BaseException as error:
            withdrawn = self.give_back()
            if isinstance(error, KeyboardInterrupt) and withdrawn:
                self.say(f"{self.ticket.id} is withdrawn from the queue")
            if isinstance(error, UnreachableError) and not withdrawn:
                expires = f"its ticket is let go of {EXPIRY.seconds} s after it was heard of last"
                raise UnreachableError(f"{error}; {expires}") from error
            raise

    def give_back(self) -> bool:
        """Withdraw; whether the ledger could be told."""
        try:
            self.queue.end(self.ticket.id, State.WITHDRAWN)
        except ClusterlabError:
            return False
        release(self.queue.ledger, self.ticket.id)
        return True

    def end(self) -> None:
        """Say that its job is over; where the ledger cannot be told, the next look at Ray tells it."""
        try:
            self.queue.end(self.ticket.id)
            release(self.queue.ledger, self.ticket.id)
        except UnreachableError as error:
            self.say(f"{error}; the job is over, and whoever looks at the queue next finds it so")

    def _granted(self) -> bool:
        try:
            granted = self._ask()
        except UnreachableError as error:
            now = self.api.clock()
            self._silent_since = now if self._silent_since is None else self._silent_since
            if now - self._silent_since > self.patience_seconds:
                raise
            self._tell(f"{error}; trying again for {self.patience_seconds:g} s")
            return False
        self._silent_since = None
        return granted

    def _ask(self) -> bool:
        if self.api.clock() - self._beaten > BEAT_SECONDS:
            self.ticket = self.queue.beat(self.ticket.id)
            self._beaten = self.api.clock()
            self._tell_place(self.queue.standing()[1])
        else:
            self.ticket = self.queue.ticket(self.ticket.id)
        if self.ticket.state is State.EXPIRED:
            self.ticket = self.queue.beat(self.ticket.id)
        if self.ticket.state not in LIVE:
            raise ClusterlabError(f"{self.ticket.id}: was withdrawn by somebody else")
        # While one does not answer, nothing but a whole round says that both do again.
        if self.ticket.state is State.WAITING and (self.queue.claim_look() or self._silent_since is not None):
            self._take_up(self.queue.arbitrate(self.api.look()))
            self.ticket = self.queue.ticket(self.ticket.id)
        return self.ticket.state is not State.WAITING

    def _take_up(self, found: Round) -> None:
        for ticket in found.expired:
            release(self.queue.ledger, ticket.id)
        self._tell_place(found.verdicts)

    def _tell_place(self, verdicts: Iterable[Verdict]) -> None:
        waiting = [each for each in verdicts if not each.starts]
        for number, each in enumerate(waiting, start=1):
            if each.ticket.id == self.ticket.id:
                self._place = number
                self._tell(f"waits as number {number} of {len(waiting)}: {each.why}")

    def _tell(self, line: str) -> None:
        if line != self._said:
            self.say(line)
            self._said = line


def release(ledger: Ledger, run: str) -> None:
    """Free what a run reserved, unless the meter saw it in use: then what it used is settled by that."""
    with suppress(InputError):
        ledger.release(run)
