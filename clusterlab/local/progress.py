"""Show how far a run is, from the lines that it adds to `metrics.jsonl`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

POLL_SECONDS = 0.2
PLAIN_SECONDS = 5.0
"""Between two lines where there is no terminal."""


def follow(path: Path, console: Console, ended: Callable[[float], bool]) -> None:
    """Show each phase as a bar, or as a line every few seconds where there is no terminal.

    `ended` waits so many seconds at most for the run, and says whether it has ended.
    """
    show = _follow_with_bars if console.is_terminal else _follow_with_lines
    show(Tail(path), console, ended)


class Tail:
    """The lines that were added to a file of JSON lines since the last reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """The new whole lines; one that a killed run left torn is passed over."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.splitlines():
            try:
                values = json.loads(line)
            except ValueError:
                continue
            if isinstance(values, dict) and {"phase", "step", "steps"} <= values.keys():
                yield values


def _follow_with_bars(tail: Tail, console: Console, ended: Callable[[float], bool]) -> None:
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[measured]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        starting: TaskID | None = progress.add_task("starting", total=None, measured="")
        bars: dict[str, TaskID] = {}
        running = True
        while running:
            running = not ended(POLL_SECONDS)
            for line in tail.read():
                if starting is not None:
                    progress.remove_task(starting)
                    starting = None
                phase = str(line["phase"])
                if phase not in bars:
                    bars[phase] = progress.add_task(phase, total=line["steps"], measured="")
                progress.update(bars[phase], completed=line["step"], total=line["steps"], measured=_measured(line))


def _follow_with_lines(tail: Tail, console: Console, ended: Callable[[float], bool]) -> None:
    shown = time.monotonic()
    latest: dict[str, dict[str, Any]] = {}
    running = True
    while running:
        running = not ended(POLL_SECONDS)
        latest |= {str(line["phase"]): line for line in tail.read()}
        if running and time.monotonic() - shown < PLAIN_SECONDS:
            continue
        for phase, line in latest.items():
            console.print(f"{phase} {line['step']}/{line['steps']} {_measured(line)}".rstrip(), highlight=False)
        latest, shown = {}, time.monotonic()


def _measured(line: dict[str, Any]) -> str:
    """Loss and speed, where the line has them."""
    parts = {
        "loss": "loss {:.3f}",
        "tokens_per_second": "{:,.0f} tokens/s",
        "bus_bandwidth_gb_per_second": "{:.3g} GB/s",
    }
    return "  ".join(form.format(line[key]) for key, form in parts.items() if isinstance(line.get(key), int | float))
