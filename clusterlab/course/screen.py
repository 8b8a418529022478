"""What is shown of Pulumi's work as it goes: a line for each resource, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterlab.course.events import Diagnostic, Event, Step, Violation

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"done": "green", "failed": "red", "error": "red", "warning": "yellow"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Screen:
    """Where events are shown."""

    console: Console

    def show(self, event: Event) -> None:
        """Show an event, where it is for people."""
        if isinstance(event, Step):
            self._print(f"{event.phase:<6} {event.op:<8} {event.kind} {event.name}", STYLES.get(event.phase))
        elif isinstance(event, Diagnostic):
            self._print(": ".join(each for each in (event.name, event.message) if each), STYLES.get(event.severity))
        elif isinstance(event, Violation):
            told = f"{event.policy}: {event.message}"
            self._print(told, "red" if event.mandatory else "yellow")

    def _print(self, text: str, style: str | None) -> None:
        self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)
