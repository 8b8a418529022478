"""Whether the values of a run's record are of the kinds that a reader counts on: anybody may have written it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path

from clusterlab.errors import InputError, Problem
from clusterlab.run import Run
from clusterlab.tags import LABEL


def checked(run: Run, path: Path) -> Run:
    """The record, where each value is of its kind.

    Raises:
        InputError: one is not.
    """
    asked = run.asked
    mappings = (run.metrics, run.tags, run.provenance, asked.config, asked.revisions)
    if not all(isinstance(each, dict) for each in mappings):
        raise _wrong(path)
    always = (run.run_id, run.fingerprint, run.started, asked.lab, asked.job, asked.code, asked.lock)
    texts = (*always, run.ended or "", run.error or "", *run.tags.values(), *asked.revisions.values())
    if not (all(isinstance(each, str) for each in texts) and _are_numbers((*run.metrics.values(), run.seconds or 0))):
        raise _wrong(path)
    # A lab's name becomes a path.
    if not (LABEL.fullmatch(asked.lab) and _is_decimal(run.cost_usd or "0")):
        raise _wrong(path)
    return run


def _wrong(path: Path) -> InputError:
    return InputError(Problem(path=str(path), message="not a run record: a value is of the wrong kind"))


def _are_numbers(values: Iterable[object]) -> bool:
    """Whether all are numbers that a float can be; JSON has greater ones."""
    try:
        return all(isinstance(each, int | float) and isinstance(float(each), float) for each in values)
    except OverflowError:
        return False


def _is_decimal(text: object) -> bool:
    try:
        return isinstance(text, str) and Decimal(text).is_finite()
    except InvalidOperation:
        return False
