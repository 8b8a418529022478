"""How far a fleet's errands are, as people see it: a table on a terminal, elsewhere a line for each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clusterlab.course.fleet.errand import ENDED, Errand, Phase

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

STYLES = {Phase.DONE: "green", Phase.FAILED: "red", Phase.REFUSED: "red", Phase.ASKED: "cyan"}


@dataclass(kw_only=True)
class Screen:
    """Where they are shown."""

    console: Console
    _live: Live | None = field(default=None, init=False)
    _told: dict[str, str] = field(default_factory=dict, init=False)

    @contextmanager
    def open(self) -> Iterator[Screen]:
        """Show what `show` is told until it is left; a table stays, and has how far all came."""
        try:
            yield self
        finally:
            if self._live is not None:
                self._live.stop()
                self._live = None

    def show(self, errands: Sequence[Errand], now: float) -> None:
        """Show how far they are."""
        if self.console.is_terminal and errands:
            self._draw(table(_most_telling(errands, self.console.height - 6), errands, now))
            return
        for errand in errands:
            line = _line(errand, now)
            # The seconds alone are no news.
            news = f"{errand.word} {errand.reason}"
            if self._told.get(errand.name) != news and (errand.phase is not Phase.WAITING or errand.reason):
                self._told[errand.name] = news
                self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _draw(self, drawn: Table) -> None:
        if self._live is None:
            from rich.live import Live

            # Drawn when told, and at no other time: SkyPilot has a thread or two that would be drawn over.
            self._live = Live(console=self.console, auto_refresh=False)
            self._live.start()
        self._live.update(drawn, refresh=True)


def table(shown: Sequence[Errand], errands: Sequence[Errand], now: float) -> Table:
    """A row each, and how many of all are how far."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, title=summary(errands), title_justify="left")
    made.add_column("cluster", no_wrap=True)
    made.add_column("state", no_wrap=True)
    made.add_column("seconds", justify="right")
    made.add_column("why", overflow="fold")
    for errand in shown:
        style = STYLES.get(errand.phase, "yellow" if errand.reason else "dim")
        made.add_row(errand.name, Text(errand.word, style), _seconds(errand, now), Text(errand.reason))
    return made


def summary(errands: Sequence[Errand]) -> str:
    """Such as `24 clusters: 16 up, 8 launching`."""
    words = Counter(errand.word for errand in errands)
    each = ", ".join(f"{number} {word}" for word, number in words.items())
    return f"{len(errands)} cluster{'' if len(errands) == 1 else 's'}{': ' if each else ''}{each}"


def _most_telling(errands: Sequence[Errand], lines: int) -> Sequence[Errand]:
    """As many as there are lines: what is under way before what failed, waits or is done."""
    order = [Phase.ASKED, Phase.FAILED, Phase.REFUSED, Phase.WAITING, Phase.DONE]
    chosen = sorted(errands, key=lambda errand: order.index(errand.phase))[: max(lines, 1)]
    return [errand for errand in errands if errand in chosen]


def _line(errand: Errand, now: float) -> str:
    seconds = _seconds(errand, now)
    after = f" after {seconds} s" if seconds and errand.phase in ENDED else ""
    return f"{errand.name}: {errand.word}{after}{f': {errand.reason}' if errand.reason else ''}"


def _seconds(errand: Errand, now: float) -> str:
    seconds = errand.seconds(now)
    return "" if seconds is None else f"{seconds:.0f}"
