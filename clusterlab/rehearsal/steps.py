"""The steps of a rehearsal: what was done, how long it took, and whether it was as it must be."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterlab.errors import ClusterlabError
from clusterlab.run import write_atomically

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

RECORD = "rehearsal.json"


class Verdict(StrEnum):
    """How a step, or the whole, went."""

    PASS = "PASS"  # noqa: S105 (a verdict)
    FAIL = "FAIL"
    STOPPED = "STOPPED"
    """Interrupted by somebody."""
    SKIPPED = "SKIPPED"
    """What it needs did not go well."""


class StepError(ClusterlabError):
    """Something in a rehearsal was not as it must be."""


@dataclass(kw_only=True)
class Step:
    """One step."""

    name: str
    seconds: float = 0
    verdict: Verdict | None = None
    """None while it runs."""
    notes: list[str] = field(default_factory=list)
    """What was seen; the reason where it failed."""


@dataclass(kw_only=True)
class Steps:
    """All steps so far; `rehearsal.json` is written after each, so that a crash loses none."""

    folder: Path
    about: dict[str, Any]
    """What is rehearsed: labs, where, fault, seed."""
    console: Console
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time a step, and note how it ended; what it raises goes on."""
        step = Step(name=name)
        self.steps.append(step)
        self.save()
        start = time.perf_counter()
        try:
            with self.console.status(f"{name} ..."):
                yield step
            step.verdict = Verdict.PASS
        except ClusterlabError as error:
            step.verdict = Verdict.FAIL
            step.notes.append(str(error))
            raise
        except BaseException as error:
            step.verdict = Verdict.STOPPED if isinstance(error, KeyboardInterrupt) else Verdict.FAIL
            step.notes.append("interrupted" if isinstance(error, KeyboardInterrupt) else repr(error))
            raise
        finally:
            step.seconds = round(time.perf_counter() - start, 2)
            self.save()
            self._print(step)

    def skip(self, name: str, why: str) -> None:
        """Note a step that was not tried."""
        step = Step(name=name, verdict=Verdict.SKIPPED, notes=[why])
        self.steps.append(step)
        self.save()
        self._print(step)

    @property
    def verdict(self) -> Verdict:
        """FAIL with the first step that failed or did not end."""
        verdicts = {step.verdict for step in self.steps}
        if Verdict.STOPPED in verdicts:
            return Verdict.STOPPED
        return Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.FAIL

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return round(sum(step.seconds for step in self.steps), 2)

    def _print(self, step: Step) -> None:
        # Why a step failed is long; the table at the end has it.
        seen = f"  ({step.notes[-1]})" if step.notes and step.verdict is Verdict.PASS else ""
        line = f"{step.verdict or '':7} {step.seconds:6.1f} s  {step.name}{seen}"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def save(self) -> None:
        """Write `rehearsal.json`."""
        values = self.about | {
            "started": self.started,
            "seconds": self.seconds,
            "verdict": self.verdict,
            "steps": [dataclasses.asdict(step) for step in self.steps],
        }
        write_atomically(self.folder / RECORD, json.dumps(values, indent=2, default=str) + "\n")


def table(values: dict[str, Any]) -> Table:
    """The steps of a `rehearsal.json` as a table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, title=f"rehearsal: {values['verdict']}", title_justify="left")
    made.add_column("step")
    made.add_column("seconds", justify="right")
    made.add_column("verdict")
    made.add_column("seen", overflow="fold")
    for step in values["steps"]:
        verdict = step["verdict"] or ""
        style = {"PASS": "green", "FAIL": "red"}.get(verdict, "yellow")
        made.add_row(step["name"], f"{step['seconds']:.1f}", Text(verdict, style), Text("\n".join(step["notes"])))
    made.add_row("all", f"{values['seconds']:.1f}", "", "", style="bold")
    return made
