"""The reaper as a Lambda of AWS: its settings are variables, its papers objects of S3.

It needs the standard library and boto3, which a Lambda has; so does everything that it imports.
"""

from __future__ import annotations

import os
from typing import Any

from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.reaper.cloud import Cloud
from clusterlab.reaper.reap import AGE_MINUTES, GRACE_HOURS, Order, reap

COURSES = "CLUSTERLAB_COURSES"
"""Separated by commas."""
KEEP, STATE, PROOF = "CLUSTERLAB_REAPER_KEEP", "CLUSTERLAB_REAPER_STATE", "CLUSTERLAB_REAPER_PROOF"
YES = "CLUSTERLAB_REAPER_YES"
"""`1` where it may change the cloud."""
AGE, GRACE = "CLUSTERLAB_REAPER_AGE_MINUTES", "CLUSTERLAB_REAPER_GRACE_HOURS"
SECONDS_TO_WRITE = 60.0
"""Of its time a Lambda keeps so many for the last scan and the proof."""


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Reap once, and answer with what is left.

    Raises:
        ClusterlabError: a setting is wrong, a place could not be looked at, or the cloud refused something, so that the
            function's alarm goes off. What is in its grace is no error.
    """
    del event  # The schedule says when, and nothing else.
    seconds = context.get_remaining_time_in_millis() / 1000 if context is not None else SECONDS_TO_WRITE
    proof = reap(_order(max(0.0, seconds - SECONDS_TO_WRITE)), Cloud())
    if proof.faults:
        raise ClusterlabError("\n".join(["the reaper could not do all of its work", *proof.faults]))
    return {"proven": proof.proven, "num_left": len(proof.left), "account": proof.account}


def _order(patience_seconds: float) -> Order:
    missing = [name for name in (COURSES, KEEP, STATE, PROOF) if not os.environ.get(name)]
    if missing:
        raise InputError([Problem(path=name, message="not set; docs/reaper.md has the settings") for name in missing])
    return Order(
        courses=[course.strip() for course in os.environ[COURSES].split(",")],
        keep=os.environ[KEEP],
        state=os.environ[STATE],
        proof=os.environ[PROOF],
        yes=os.environ.get(YES) == "1",
        age_minutes=_number(AGE, AGE_MINUTES),
        grace_hours=_number(GRACE, GRACE_HOURS),
        patience_seconds=patience_seconds,
    )


def _number(name: str, default: float) -> float:
    text = os.environ.get(name) or str(default)
    try:
        return float(text)
    except ValueError as error:
        raise InputError(Problem(path=name, message=f"{text!r}; allowed: a number, such as {default:g}")) from error
