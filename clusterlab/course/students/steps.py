"""The steps of a bring-up as they are told and recorded: what was done, or that nothing was to be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clusterlab.course.place import Place
from clusterlab.course.students.record import Record

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(kw_only=True)
class Step:
    """What one step has to tell."""

    did: list[str] = field(default_factory=list)
    """What is now another than before."""
    notes: list[str] = field(default_factory=list)
    """What it left, and why."""


@dataclass(kw_only=True)
class Steps:
    """A bring-up on its way; the class's folder is held by whoever has it."""

    place: Place
    console: Console
    record: Record

    @classmethod
    def begin(cls, place: Place, console: Console) -> Steps:
        """Read how far the last one came, and tell where it was cut off.

        Raises:
            InputError: the record is none.
            StorageError: it cannot be read.
        """
        steps = cls(place=place, console=console, record=Record.load(place.folder))
        if steps.record.under_way is not None:
            steps.tell(f"the last bring-up ended in `{steps.record.under_way}`; this one goes on from there", "yellow")
        return steps

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """One step: on record as under way until it has ended well.

        Raises:
            StorageError: the record cannot be written.
        """
        self.save(self.record.begun(name))
        step = Step()
        yield step
        self.save(self.record.ended(name))
        self.tell(f"{name}: {'; '.join(step.did) or 'nothing to do'}")
        for note in step.notes:
            self.tell(f"{name}: {note}", "yellow")

    def save(self, record: Record) -> None:
        """Have the record be this.

        Raises:
            StorageError: it cannot be written.
        """
        record.save(self.place.folder)
        self.record = record

    def tell(self, line: str, style: str | None = None) -> None:
        """Print a line."""
        self.console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)
