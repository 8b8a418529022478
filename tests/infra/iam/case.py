"""A case: who does what, whether IAM lets them, and why."""

from __future__ import annotations

from dataclasses import dataclass

from tests.infra.iam.evaluator import Request

NOT_GRANTED = "nothing allows it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One row of the table; a call goes through where IAM allows every request of it."""

    who: str
    does: str
    requests: tuple[Request, ...]
    allowed: bool
    why: str
    denied_by: str | None = None
    """The statement that denies it; None where it is allowed, or nothing allows it."""

    def __str__(self) -> str:
        return f"{self.who}: {self.does}"


def may(who: str, does: str, requests: tuple[Request, ...], why: str) -> Case:
    """It is allowed."""
    return Case(who=who, does=does, requests=requests, allowed=True, why=why)


def cannot(who: str, does: str, requests: tuple[Request, ...], why: str = NOT_GRANTED) -> Case:
    """Nothing allows it."""
    return Case(who=who, does=does, requests=requests, allowed=False, why=why)


def denied(who: str, does: str, requests: tuple[Request, ...], sid: str, why: str) -> Case:
    """A statement denies it."""
    return Case(who=who, does=does, requests=requests, allowed=False, why=why, denied_by=sid)
