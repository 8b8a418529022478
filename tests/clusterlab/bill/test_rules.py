from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.bill.rules import Share, load_rules
from clusterlab.bill.unit import Unit
from clusterlab.errors import InputError

RULES = """
rules:
  - name: support
    match: {ServiceName: [AWSSupportBusiness, AWSSupportEnterprise]}
    share: even
  - name: the class's own cluster
    match: {ResourceId: i-0aaa, ChargeCategory: Usage}
    share: to
    to: {student: instructor, lab: shared}
  - name: the rest
    match: {}
    share: proportional
"""


def load(tmp_path: Path, text: str) -> list[str]:
    """The faults of a file of rules."""
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_rules(path)
    return [str(problem).removeprefix(f"{path}: ") for problem in error.value.problems]


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    support, own, rest = load_rules(tmp_path / "rules.yaml")
    assert [rule.share for rule in (support, own, rest)] == [Share.EVEN, Share.TO, Share.PROPORTIONAL]
    assert own.to == Unit(student="instructor", lab="shared")
    assert support.matches({"ServiceName": "AWSSupportEnterprise"})
    assert not support.matches({"ServiceName": None})
    assert not own.matches({"ResourceId": "i-0aaa", "ChargeCategory": "Tax"})
    assert rest.matches({})


def test_every_fault_is_named(tmp_path: Path) -> None:
    text = """
rules:
  - match: {Service: x, BillingAccountId: 0012}
    share: fair
    of: me
  - {name: a, share: to}
  - {name: a, match: {}, share: even, to: {student: ana, lab: qlora}}
  - none
"""
    faults = load(tmp_path, text)
    assert [fault.split(": ")[0] for fault in faults] == [
        "rules[0].of",
        "rules[0].share",
        "rules[0].name",
        "rules[0].match.Service",
        "rules[0].match.BillingAccountId",
        "rules[1].match",
        "rules[1].to.student",
        "rules[1].to.lab",
        "rules[2].to",
        "rules[3]",
        "rules[3].match",
        "rules[3].share",
        "rules[3].name",
        "rules",
    ]
    assert "rules[0].match.BillingAccountId: 10; must be a text in quotes, or a list of them" in faults
    assert "rules[0].share: 'fair'; allowed: even, proportional, to" in faults


@pytest.mark.parametrize("text", ["rules: []", "{}", "rules: 3"])
def test_a_file_without_a_rule(text: str, tmp_path: Path) -> None:
    assert load(tmp_path, text) == ["rules: missing; must be a list of rules"]
