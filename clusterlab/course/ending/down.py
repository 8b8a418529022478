"""A class taken away: its gate closed, everything of it ended in order and again, its ledger settled, all of it proven.

Each step may be cut off at any instant: the next one finds what is left by the cloud, the ledger and the proof.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from clusterlab.course.ending.books import Books, Settled
from clusterlab.course.ending.clearing import ROUNDS, Clearing, spared
from clusterlab.course.ending.keeping import with_copies
from clusterlab.course.ending.proof import ClassProof, Found, Glance, Paper
from clusterlab.course.ending.skypilot_clusters import Ended
from clusterlab.errors import ClusterlabError, UnreachableError
from clusterlab.reaper.keeplist import KeepList
from clusterlab.reaper.proof import Proof
from clusterlab.reaper.scan import Scan
from clusterlab.reaper.step import Step

if TYPE_CHECKING:
    from clusterlab.course.ending.taking import Taking
    from clusterlab.course.events import State
    from clusterlab.reaper.resource import Resource


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What there is of a class before anything is touched."""

    clearing: Clearing
    scan: Scan
    state: State

    @property
    def beside(self) -> list[Resource]:
        """What the state does not know."""
        return self.clearing.beside(self.scan, frozenset(self.state.known))


@dataclass(kw_only=True, slots=True)
class Going:
    """What came of it until now."""

    seen: Seen
    keep: KeepList
    found: Found
    scan: Scan
    glances: list[Glance] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """By step; one that goes well later is none."""
    clusters: Ended = field(default_factory=Ended)
    settled: Settled | None = None
    fresh: frozenset[str] = frozenset()
    """Regions that were looked at since something in them was ended last."""
    num_settled: int = 0
    """How much had been found when the ledger was settled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Down:
    """A class, and what its end is reached with."""

    course: str
    clearing: Clearing
    """Without the ledger's ids, which `look` asks for."""
    stack: Taking
    keep: KeepList
    books: Books | None
    """None where no ledger is named."""
    ledger_on_stack: bool
    """Whether the ledger may lie on a machine of the stack, which is then not ended unsettled."""
    clusters: Callable[[str], Ended]
    paper: Paper
    age_seconds: float
    now: Callable[[], datetime]
    """The cloud's clock."""
    step: Callable[[str], None]
    """Told the name of each step as it begins."""
    blind: tuple[str, ...] = ()
    """Clouds of the class where nobody looks."""

    def look(self) -> Seen:
        """What there is now; without the ledger's ids where it does not answer.

        Raises:
            ClusterlabError: the stack cannot be asked, or the ledger is none.
        """
        try:
            ids = self.books.strays() if self.books else {}
        except UnreachableError:
            ids = {}
        strays = {region: frozenset(each) for region, each in ids.items()}
        clearing = replace(self.clearing, strays=strays)
        return Seen(clearing=clearing, scan=clearing.look(), state=self.stack.state())

    def nothing_to_do(self, seen: Seen) -> dict[str, Any] | None:
        """The proof of an earlier end where there is nothing more to do, else None."""
        document = self.paper.read(self.course)
        if document is None or document.get("done") is not True or document.get("keep_list") != self.keep.reasons:
            return None
        left = {each.id for each in seen.scan.resources} - spared(document)
        stack = set(seen.state.known) - set(seen.state.kept)
        return None if left or seen.scan.failed or stack or not self._closed() else document

    def run(self, seen: Seen) -> ClassProof:
        """End the class; what does not go well is told in the proof, and does not hold up the rest.

        Raises:
            StorageError: the proof cannot be written.
        """
        going = Going(seen=seen, keep=self.keep, found=Found.of(self.paper.read(self.course)), scan=seen.scan)
        self._glance(going)
        self._write(going, ended=None)
        for name, act in (
            ("gate", self._close),
            ("clusters", self._end_clusters),
            ("machines", self._end_beside),
            ("ledger", self._settle),
            ("stack", self._destroy),
            ("rest", self._end_rest),
            ("second look", self._look_twice),
            ("ledger again", self._settle_last),
        ):
            self.step(name)
            act(going)
        self.step("proof")
        return self._write(going, ended=self.now())

    def _close(self, going: Going) -> None:
        """Before anything is ended: what SkyPilot would recover asks the gate, and is refused."""
        books = self.books
        if books is None:
            return
        _tried(going, "gate", books.close)
        if any("course" not in each.tags for each in going.scan.resources):
            # The meter took it for gone; while it runs it can be seen that it was not.
            _tried(going, "gate", partial(books.meter, self.clearing.cloud, self.clearing.regions))

    def _end_clusters(self, going: Going) -> None:
        going.clusters = self.clusters(self.course)
        if going.clusters.names:
            going.scan = going.seen.clearing.look()

    def _end_beside(self, going: Going) -> None:
        """First, since what stands in the stack's network would keep the network."""
        clearing, known = going.seen.clearing, going.seen.state.known
        going.scan, going.fresh = clearing.end(going.scan, going.keep, known, going.found)

    def _settle(self, going: Going) -> None:
        """Before the stack goes, on whose server the ledger may lie."""
        _tried(going, "ledger", lambda: self._settled(going, self.books))

    def _destroy(self, going: Going) -> None:
        if self._held_back(going):
            going.problems["stack"] = "not taken down: the ledger may lie on it, and is not settled"
        else:
            _tried(going, "stack", lambda: self._taken(going))

    def _taken(self, going: Going) -> None:
        kept = {each.id: each.why for each in self.stack.down(self.keep.reasons)}
        going.keep = replace(going.keep, reasons=kept | going.keep.reasons)

    def _end_rest(self, going: Going) -> None:
        """What Pulumi failed at ends too: its next refresh sees that."""
        clearing, state = going.seen.clearing, going.seen.state
        known = state.known if self._held_back(going) else ()
        # Where we ended something, that was looked at, and a stack that has nothing takes nothing away.
        fresh = frozenset[str]() if state.known or state.pending else going.fresh
        fresh -= {each.region for each in going.scan.failed}
        scan = going.scan.again(clearing.look(besides=fresh))
        going.scan, going.fresh = clearing.end(scan, going.keep, known, going.found)
        self._glance(going)

    def _look_twice(self, going: Going) -> None:
        """Again, so much later that no list of the cloud's lags; what comes to light ends, and is looked for anew."""
        for _ in range(ROUNDS):
            if not self.clearing.sees:
                return
            self.clearing.sleep(self.age_seconds)
            going.scan, going.fresh = going.seen.clearing.look(), frozenset()
            self._glance(going)
            if (going.glances[-2].clean and going.glances[-1].clean) or self._held_back(going):
                return
            self._end_rest(going)

    def _settle_last(self, going: Going) -> None:
        """What the stack's own machines used; where the ledger went with them, its last copy has all but that."""
        books, before = self.books and replace(self.books, pauses=()), going.settled
        if before and not before.goes_on and not going.problems.get("ledger") and going.num_settled == len(going.found):
            return
        try:
            self._settled(going, books)
        except UnreachableError as error:
            if before is None or not self.ledger_on_stack:
                going.problems["ledger"] = str(error)
        except ClusterlabError as error:
            going.problems["ledger"] = str(error)

    def _settled(self, going: Going, books: Books | None) -> None:
        if books is None:
            return
        books.close()
        verdicts = going.seen.clearing.judge(going.scan.resources, going.keep)
        kept = frozenset(each.resource.id for each in verdicts if each.step is Step.KEPT)
        going.num_settled = len(going.found)
        going.settled = settled = books.settle(self.clearing.cloud, self.clearing.regions, kept)
        wrong = [*settled.problems, *([f"{settled.name}: {settled.fault}"] if settled.fault else [])]
        for step in ("gate", "ledger"):
            going.problems.pop(step, None)
        if wrong:
            going.problems["ledger"] = "; ".join(wrong)

    def _held_back(self, going: Going) -> bool:
        return self.ledger_on_stack and self.books is not None and going.settled is None

    def _closed(self) -> bool:
        """Whether no launch passes; a ledger that went with the class lets none pass either."""
        try:
            return self.books is None or replace(self.books, pauses=()).is_closed()
        except UnreachableError:
            return True

    def _glance(self, going: Going) -> None:
        clearing, scan = going.seen.clearing, going.scan
        going.keep = with_copies(going.keep, scan.resources)
        verdicts = clearing.judge(scan.resources, going.keep)
        going.found.judged(verdicts, clearing.began)
        left = sum(not each.spared for each in verdicts)
        glance = Glance(at=self.now(), num_found=len(verdicts), num_left=left, num_failed=len(scan.failed))
        going.glances.append(glance)

    def _write(self, going: Going, *, ended: datetime | None) -> ClassProof:
        return self.paper.update(self.course, lambda before: self._proof(going, before, ended))

    def _proof(self, going: Going, before: dict[str, Any] | None, ended: datetime | None) -> ClassProof:
        """With what somebody beside us found and settled."""
        clearing = going.seen.clearing
        going.found.absorb(before)
        ledger = (before or {}).get("ledger")
        return ClassProof(
            sweep=Proof(
                account=clearing.account,
                courses=[self.course],
                regions=clearing.regions,
                whole=True,
                dry_run=False,
                began=clearing.began,
                ended=ended,
                entries=going.found.at_last(going.scan),
                looks=going.scan.looks,
                unused=going.keep.unused(going.scan.resources),
            ),
            glances=tuple(going.glances),
            age_seconds=self.age_seconds,
            kept=tuple(each.as_json() for each in clearing.kept(clearing.judge(going.scan.resources, going.keep))),
            keep=self.keep.reasons,
            clusters=going.clusters.names,
            ledger=going.settled.as_json() if going.settled else ledger,
            problems=tuple(f"{name}: {told}" for name, told in going.problems.items()),
            blind=self.blind,
        )


def _tried(going: Going, name: str, act: Callable[[], object]) -> None:
    """Go on where a step fails; the proof says so."""
    try:
        act()
    except ClusterlabError as error:
        going.problems[name] = str(error)
