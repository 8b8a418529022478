"""An assignment: a lab that every student of a class does, at which scale, how often, and until when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from clusterlab.calendar import Dates, read_day
from clusterlab.config import Scale
from clusterlab.document import Document


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """A lab that every student does."""

    lab: str
    scale: Scale | None
    """None for that of the lab's file."""
    runs: int
    """How often a student launches it."""
    due: date | None = None
    """The last day on which it is handed in."""


def read_assignments(document: Document, key: str, dates: Dates | None) -> Iterator[Assignment]:
    """The labs of a class, in the file's order; what is wrong goes to the document's problems."""
    for lab, given in document.mapping_at(key).items():
        here = f"{key}.{lab}"
        if given is not None:
            document.refuse_unknown(here, {"scale", "runs", "due"})
        scale = document.at(f"{here}.scale")
        if scale is not None and scale not in set(Scale):
            document.complain(f"{here}.scale", f"{scale!r}; allowed: {', '.join(Scale)}")
            scale = None
        runs = document.integer_at(f"{here}.runs", default=1)
        due = read_day(document, f"{here}.due", dates)
        yield Assignment(lab=str(lab), scale=scale and Scale(scale), runs=runs, due=due)
