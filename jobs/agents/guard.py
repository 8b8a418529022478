"""What a policy may call: code that was asked for before anything untrusted was read, and afterwards no other.

A model cannot tell its user's words from a document's, so nothing that it says after it has read one decides what code
runs. It plans first, on trusted text alone (plan-then-execute; Debenedetti et al., 2025, arXiv:2503.18813); what
documents say reaches the planned code as values.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.agents.calls import PLAN, PYTHON, Call
from jobs.agents.turn import Role, Turn, tainted

MAKES_CODE = frozenset({"eval", "exec", "compile", "__import__", "import_module", "getattr"})
"""Calls by which planned code would make code of a value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """Looks at each call before it is made; one that is not `on` lets all pass."""

    on: bool

    def refusal(self, call: Call, turns: Sequence[Turn]) -> str | None:
        """Why a call is not made; None where it is. `turns` are what came before it."""
        if not self.on:
            return None
        if call.tool == PLAN:
            return _plan_refusal(call, tainted(turns))
        if call.tool != PYTHON or not tainted(turns):
            return None
        # To the letter: one that only looks like it may do something else.
        if call.code in set(_planned(turns)):
            return None
        return "after a document was read no code is run but that of the plan, to the letter; give values as inputs"


def _plan_refusal(call: Call, too_late: bool) -> str | None:
    if too_late:
        return "a plan is made before a document is read; go on without it"
    for step in call.arguments["steps"]:
        if step["tool"] == PYTHON and (problem := _code_problem(step["code"])):
            return problem
    return None


def _code_problem(code: str) -> str | None:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return "the plan's code is no Python"
    names = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
    names |= {each.attr for each in ast.walk(tree) if isinstance(each, ast.Attribute)}
    found = sorted(names & MAKES_CODE)
    return f"the plan's code makes code of values by {', '.join(found)}; write it without" if found else None


def _planned(turns: Sequence[Turn]) -> Iterator[str]:
    """The code of the plans that were accepted: a tool has answered them, while all was trusted."""
    for turn in turns:
        answered = turn.role == Role.TOOL and turn.trusted and not turn.refused
        if answered and turn.call is not None and turn.call.tool == PLAN:
            yield from (step["code"] for step in turn.call.arguments["steps"] if step["tool"] == PYTHON)
