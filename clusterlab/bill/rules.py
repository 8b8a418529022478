"""Rules for the cost that carries nobody's name: a YAML file that says who shares it, and how.

    rules:
      - name: support
        match: {ServiceName: AWSSupportBusiness}
        share: even
      - name: credits
        match: {ChargeCategory: Credit}
        share: proportional
      - name: the class's own cluster
        match: {ResourceId: [i-0aaa, i-0bbb]}
        share: to
        to: {student: instructor, lab: shared}

The first rule that matches takes the charge; `match: {}` takes all that is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clusterlab.bill.unit import Unit
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem

MATCHED = (
    "BillingAccountId",
    "ChargeCategory",
    "ProviderName",
    "RegionId",
    "ResourceId",
    "ServiceName",
    "SubAccountId",
    "x_Course",
    "x_Lab",
    "x_Team",
)
"""The columns of the normal form that a rule may match."""


class Share(StrEnum):
    """How a charge is shared out."""

    EVEN = "even"
    """To every student x lab alike."""
    PROPORTIONAL = "proportional"
    """By what each student x lab was billed for itself."""
    TO = "to"
    """All of it to one student x lab."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Who shares a charge that carries nobody's name."""

    name: str
    match: Mapping[str, tuple[str, ...]]
    """Values by column, each of which is allowed; empty for every charge."""
    share: Share
    to: Unit | None = None

    def matches(self, charge: Mapping[str, str | None]) -> bool:
        """Whether a charge has one of the values in every column."""
        return all((charge.get(column) or "") in values for column, values in self.match.items())


def load_rules(path: Path) -> list[Rule]:
    """Read a file of rules.

    Raises:
        InputError: every fault of it.
    """
    problems: list[Problem] = []
    document = Document.load(path, problems)
    document.refuse_unknown("", {"rules"})
    given = document.at("rules")
    if not isinstance(given, list) or not given:
        document.complain("rules", "missing; must be a list of rules")
        given = []
    rules = [_rule(values, f"rules[{number}]", document) for number, values in enumerate(given)]
    names = [rule.name for rule in rules]
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        document.complain("rules", f"the name {name!r} is there twice")
    if problems:
        raise InputError(problems)
    return rules


def _rule(given: object, key: str, document: Document) -> Rule:
    values = given if isinstance(given, dict) else {}
    if not isinstance(given, dict):
        document.complain(key, "must be a mapping with name, match and share")
    rule = Document(path=document.path, text="", values=values, problems=[])
    rule.refuse_unknown("", {"name", "match", "share", "to"})
    if "match" not in values:
        rule.complain("match", "missing; must be a mapping of columns to values, {} for all that is left")
    share = rule.at("share")
    if share not in list(Share):
        rule.complain("share", f"{share!r}; allowed: {', '.join(Share)}")
        share = Share.EVEN
    found = Rule(name=rule.text_at("name"), match=_match(rule), share=Share(share), to=_to(rule, Share(share)))
    for problem in rule.problems:
        document.complain(f"{key}.{problem.key}", problem.message)
    return found


def _match(rule: Document) -> dict[str, tuple[str, ...]]:
    found = {}
    for column, value in rule.mapping_at("match").items():
        if column not in MATCHED:
            rule.complain(f"match.{column}", f"unknown; allowed: {', '.join(MATCHED)}")
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(each, str) for each in values):
            # An account's number that YAML reads as a number has lost its leading zeros.
            rule.complain(f"match.{column}", f"{value!r}; must be a text in quotes, or a list of them")
        found[column] = tuple(map(str, values))
    return found


def _to(rule: Document, share: Share) -> Unit | None:
    if share is not Share.TO:
        if rule.at("to") is not None:
            rule.complain("to", f"only with share: {Share.TO}")
        return None
    rule.refuse_unknown("to", {"student", "lab"})
    return Unit(student=rule.text_at("to.student"), lab=rule.text_at("to.lab"))
