"""Pseudonyms in place of names: the same for a course as long as its key is, and not to be guessed without it.

A digest of a name alone hides nothing: whoever has the roster computes them all. So it is keyed (HMAC-SHA256), with a
key that stays with the instructor. Amounts stay as they are: who knows what somebody spent still finds that row.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from base64 import b32encode
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from clusterlab.bill.reconciliation import Reconciliation
from clusterlab.bill.unit import Unit
from clusterlab.cost.interval import Interval
from clusterlab.errors import InputError, Problem, StorageError
from clusterlab.ledger.budget import Budget, Scope
from clusterlab.report.facts import Facts, Finding, Outcome, Sweep

KEY_FILE = Path("pseudonyms.key")
"""Below the root of a repository, where git ignores it."""
KEY_BYTES = 32
LETTERS = 10
"""Of a pseudonym, five bits each: of a thousand names two are alike once in two billion courses."""
LEFT_OUT = "left out of an anonymous report"

_Name = TypeVar("_Name", str, "str | None")


def load_key(path: Path) -> bytes:
    """The key in a file, which is made where there is none.

    Raises:
        InputError: it is no key, or others may read it.
        StorageError: it cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
    except FileExistsError:
        pass
    except OSError as error:
        raise StorageError(f"{path}: cannot be made: {error.strerror}") from error
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            message = f"others may read it, and with it find every name; `chmod 600 {path}`"
            raise InputError(Problem(path=str(path), message=message))
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) < KEY_BYTES:
        message = f"no key; allowed: {KEY_BYTES} bytes as hexadecimal letters, or no file, and one is made"
        raise InputError(Problem(path=str(path), message=message))
    return key


@dataclass(frozen=True, kw_only=True, slots=True)
class Pseudonyms:
    """Of one course."""

    key: bytes
    course: str

    def student(self, name: _Name) -> _Name:
        """Of a student."""
        return self._of("student", name)

    def team(self, name: _Name) -> _Name:
        """Of a team, whose name may be made of its students'."""
        return self._of("team", name)

    def run(self, name: _Name) -> _Name:
        """Of a run, which may bear its student's name."""
        return self._of("run", name)

    def resource(self, name: _Name) -> _Name:
        """Of a resource, as a cluster that is called after who launched it."""
        return self._of("resource", name)

    def _of(self, kind: str, name: _Name) -> _Name:
        if name is None:
            return name
        # Lone surrogates are in names that JSON can carry and UTF-8 cannot.
        text = "\0".join((self.course, kind, name)).encode("utf-8", "surrogatepass")
        code = b32encode(hmac.digest(self.key, text, "sha256")).decode().lower()
        return f"{kind}-{code[:LETTERS]}"


def anonymous(facts: Facts, names: Pseudonyms) -> Facts:
    """The facts with a pseudonym wherever a student's name is or may be; free text is left out.

    What is made of them later is in the order of the pseudonyms, so that a place in the alphabet tells nothing either.
    """
    return replace(
        facts,
        anonymous=True,
        budgets=tuple(_budget(each, names) for each in facts.budgets),
        uses=tuple(replace(each, student=names.student(each.student)) for each in facts.uses),
        intervals=tuple(_interval(each, names) for each in facts.intervals),
        leases={names.run(run): until for run, until in facts.leases.items()},
        bill=facts.bill and _bill(facts.bill, names),
        outcomes=tuple(_outcome(each, names) for each in facts.outcomes),
        sweep=facts.sweep and _sweep(facts.sweep, names),
        problems=(LEFT_OUT,) * len(facts.problems),
    )


def _budget(budget: Budget, names: Pseudonyms) -> Budget:
    renamed = {Scope.STUDENT: names.student, Scope.TEAM: names.team}.get(budget.scope)
    return replace(budget, name=renamed(budget.name)) if renamed else budget


def _interval(each: Interval, names: Pseudonyms) -> Interval:
    return replace(
        each,
        resource_id=names.resource(each.resource_id),
        student=names.student(each.student),
        team=names.team(each.team),
        run=names.run(each.run),
    )


def _bill(bill: Reconciliation, names: Pseudonyms) -> Reconciliation:
    rows = [replace(row, unit=Unit(student=names.student(row.unit.student), lab=row.unit.lab)) for row in bill.rows]
    return replace(bill, rows=tuple(sorted(rows, key=lambda row: row.unit)))


def _outcome(each: Outcome, names: Pseudonyms) -> Outcome:
    note = LEFT_OUT if each.note else ""
    return replace(each, student=names.student(each.student), run=names.run(each.run), note=note)


def _sweep(sweep: Sweep, names: Pseudonyms) -> Sweep:
    findings = [_finding(each, names) for each in sweep.findings]
    return replace(sweep, findings=tuple(sorted(findings, key=lambda each: (each.kind, each.region, each.id))))


def _finding(each: Finding, names: Pseudonyms) -> Finding:
    return replace(each, id=names.resource(each.id), student=names.student(each.student))
