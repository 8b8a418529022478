from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import boto3
import pytest
from moto import mock_aws

from clusterlab.catalog import Catalog
from infra.aws.statements import MAX_NAME, fitting, path_of, size
from tests.infra.iam.case import Case
from tests.infra.iam.cases_rights import CASES
from tests.infra.iam.evaluator import MISSING, Answer, Request, evaluate, levels
from tests.infra.iam.roles import SCOPE, documents, principals

evaluated = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")
MAX_POLICY = 6144
"""Characters that IAM takes in a managed policy, white space not counted."""
READS = {"Read", "List"}
GUARDS = ("guard", "deny launch")
BY_TRUST = ("trust of ana", "trust of instructors")
GRANTS = tuple(name for name in documents() if name not in (*GUARDS, *BY_TRUST, "boundary"))


@functools.cache
def answers() -> dict[str, list[Answer]]:
    """Of every case the answers to its requests; asked once for all of them."""
    everyone = principals(documents())
    found = iter(evaluate((everyone[case.who], request) for case in CASES for request in case.requests))
    return {str(case): [next(found) for _ in case.requests] for case in CASES}


def statements(*names: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in names:
        for statement in documents()[name]["Statement"]:
            yield name, statement


@evaluated
@pytest.mark.parametrize("case", CASES, ids=str)
def test_iam_answers_as_the_table_says(case: Case) -> None:
    found = answers()[str(case)]
    assert all(each.allowed for each in found) is case.allowed
    assert {sid for each in found for sid in each.denied_by} >= ({case.denied_by} if case.denied_by else set())
    assert case.denied_by or not any(each.denied_by for each in found)
    assert not any(each.ignored for each in found), "AWS does not have this condition key here"


def test_the_table_has_each_case_once() -> None:
    assert len(CASES) >= 40
    assert len({str(case) for case in CASES}) == len(CASES)


@functools.cache
def changed() -> set[tuple[str, str]]:
    """The documents' statements without which a case has another answer."""
    mutants = [
        ((name, statement["Sid"]), case, everyone[case.who], numbers)
        for name, statement in statements(*documents())
        if "Sid" in statement
        for everyone in [principals(_mutated(name, statement))]
        for case, numbers in _concerned(statement)
    ]
    found = iter(evaluate((who, case.requests[number]) for _, case, who, numbers in mutants for number in numbers))
    after = [(key, case, {number: next(found).allowed for number in numbers}) for key, case, _, numbers in mutants]
    return {key for key, case, new in after if _goes_through(case, new) is not case.allowed}


def _mutated(name: str, statement: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The documents without a statement of one; what is denied is one list of rules, which two documents have."""
    everywhere = statement["Effect"] == "Deny"
    return {
        key: _without(each, statement["Sid"]) if everywhere or key == name else each
        for key, each in documents().items()
    }


def _without(policy: dict[str, Any], sid: str) -> dict[str, Any]:
    return policy | {"Statement": [each for each in policy["Statement"] if each.get("Sid") != sid]}


def _concerned(statement: dict[str, Any]) -> Iterator[tuple[Case, list[int]]]:
    """The cases that a statement decides, each with the places of the requests that it is about."""
    for case in CASES:
        pairs = list(zip(case.requests, answers()[str(case)], strict=True))
        denies = [number for number, (_, answer) in enumerate(pairs) if statement["Sid"] in answer.denied_by]
        asks = [number for number, (request, _) in enumerate(pairs) if _is_about(statement, request)]
        numbers = denies if statement["Effect"] == "Deny" else asks if case.allowed else []
        if numbers:
            yield case, numbers


def _is_about(statement: dict[str, Any], request: Request) -> bool:
    return any(fnmatchcase(request.action, pattern) for pattern in statement["Action"])


def _goes_through(case: Case, new: dict[int, bool]) -> bool:
    return all(new.get(number, answer.allowed) for number, answer in enumerate(answers()[str(case)]))


@evaluated
@pytest.mark.parametrize(
    ("name", "sid"), [(name, each["Sid"]) for name, each in statements(*documents()) if "Sid" in each]
)
def test_a_statement_that_is_taken_away_changes_an_answer(name: str, sid: str) -> None:
    assert (name, sid) in changed()


@pytest.mark.parametrize("name", GRANTS)
def test_every_call_that_is_allowed_is_in_the_table(name: str) -> None:
    whole = documents()
    who = [key for key, each in principals(whole).items() if whole[name] in each.policies]
    asked = {request.action for case in CASES if case.allowed and case.who in who for request in case.requests}
    patterns = {action for _, each in statements(name) if each["Effect"] == "Allow" for action in each["Action"]}
    assert {each for each in patterns if not any(fnmatchcase(action, each) for action in asked)} == set()


@pytest.mark.parametrize(("name", "statement"), list(statements(*GRANTS, "boundary")), ids=str)
def test_no_wildcard_stands_for_a_call_that_writes(name: str, statement: dict[str, Any]) -> None:
    del name
    for action in statement["Action"]:
        assert "*" not in action or action == "ec2:Describe*"


def granted() -> tuple[list[tuple[str, str, dict[str, Any]]], dict[str, tuple[str, bool]]]:
    """By document each call that is allowed by name, with its statement; and what AWS says of the calls."""
    given = [
        (name, action, each)
        for name, each in statements(*GRANTS)
        for action in each["Action"]
        if each["Effect"] == "Allow"
    ]
    named = [each for each in given if "*" not in each[1]]
    return named, levels(action for _, action, _ in named)


@evaluated
def test_what_writes_or_reads_a_resource_of_its_own_is_scoped() -> None:
    """`*` is a resource only where AWS has none for the call, or where the call lists."""
    given, known = granted()
    loose = {
        (name, action)
        for name, action, each in given
        if each["Resource"] == "*" and known[action][1] and known[action][0] not in READS
    }
    assert loose == set()


@evaluated
def test_what_writes_is_for_one_class() -> None:
    """By a resource's name or tag, or by what it is launched with."""
    given, known = granted()
    everywhere = {
        (name, action)
        for name, action, each in given
        if known[action][0] not in READS and "Condition" not in each and SCOPE.course not in str(each["Resource"])
    }
    # Launches are what the guard is for.
    assert everywhere == {("student", "ec2:RunInstances"), ("server", "ec2:RunInstances")}


def test_iams_grammar_takes_every_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto has the grammar; who may do what it does not ask, since it reads neither resources nor conditions."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        iam, path = boto3.client("iam", "us-east-1"), path_of(SCOPE.course)
        for name, text in {name.replace(" ", "-"): json.dumps(each) for name, each in documents().items()}.items():
            if name.startswith("trust"):
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=text, Path=path)
            else:
                iam.create_policy(PolicyName=name, PolicyDocument=text, Path=path)


def test_documents_are_as_small_as_iam_takes_them() -> None:
    """With every instance type of the catalog, and four regions."""
    types = tuple(sorted({row.name for row in Catalog.load().rows if row.cloud == "aws"}))
    large = replace(SCOPE, instance_types=types, regions=("us-east-1", "us-east-2", "us-west-2", "eu-central-1"))
    assert {name: size(each) for name, each in documents(large).items() if size(each) > MAX_POLICY} == {}


def test_a_name_that_is_too_long_stays_one_of_a_kind() -> None:
    first, second = (fitting(f"clusterlab-{'x' * 60}-student-{name}") for name in ("ana", "ben"))
    assert first != second
    assert {len(first), len(second)} == {MAX_NAME}
    assert fitting("clusterlab-llm-2026-node") == "clusterlab-llm-2026-node"
