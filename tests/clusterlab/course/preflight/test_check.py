from __future__ import annotations

import pytest

from clusterlab.course.preflight.check import Check, Verdict, failed, not_asked, passed, warned


def test_what_could_not_be_asked_is_never_a_pass() -> None:
    check = not_asked("quota", "no credentials", "get some")
    assert (check.verdict, check.seen) == (Verdict.WARN, "not asked: no credentials")


@pytest.mark.parametrize("verdict", [Verdict.WARN, Verdict.FAIL])
def test_what_is_not_well_says_what_to_do(verdict: Verdict) -> None:
    with pytest.raises(ValueError, match=r"^quota: (WARN|FAIL) with '' to do"):
        Check(name="quota", verdict=verdict, seen="0 vCPUs")


def test_what_passed_says_nothing_to_do() -> None:
    with pytest.raises(ValueError, match=r"^quota: PASS with 'more' to do"):
        Check(name="quota", verdict=Verdict.PASS, seen="all", todo="more")


def test_a_check_as_json() -> None:
    assert passed("a", "b").as_json() == {"name": "a", "verdict": "PASS", "seen": "b", "todo": ""}
    assert [each("a", "b", "c").as_json()["verdict"] for each in (warned, failed)] == ["WARN", "FAIL"]
