from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from infra.aws.identity import Identity, IdentityArgs
from infra.aws.statements_launch import boundary, deny_launch, guard, server, student
from infra.aws.statements_node import instructor, node
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, Resource, run
from tests.infra.iam.roles import ACCOUNT, BUCKET, IMAGES, INSTRUCTOR, KEY, SCOPE, SECRET

ROLE, POLICY = "aws:iam/role:Role", "aws:iam/policy:Policy"
ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
STUDENTS = ("ana", "ben")


def identity(students: tuple[str, ...] = STUDENTS, granted_hours: int = 8) -> Graph:
    args = IdentityArgs(
        naming=NAMING,
        account_id=ACCOUNT,
        regions=SCOPE.regions,
        instance_types=SCOPE.instance_types,
        students=students,
        instructors=(INSTRUCTOR,),
        bucket_arn=BUCKET,
        key_arn=KEY,
        repository_arn=f"{IMAGES}/*",
        secret_arn=SECRET,
        granted_hours=granted_hours,
    )
    return run(lambda: Identity("identity", args))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return identity()


def by_name(graph: Graph, token: str) -> dict[str, Resource]:
    return {each.inputs["name"].removeprefix(f"{NAMING.name}-"): each for each in graph.of(token)}


def attached(graph: Graph) -> dict[str, set[str]]:
    """By role the policies that are attached to it."""
    found: dict[str, set[str]] = {}
    for each in graph.of(ATTACHMENT):
        role = each.inputs["role"].removeprefix(f"{NAMING.name}-")
        found.setdefault(role, set()).add(each.inputs["policyArn"].split(".")[1].removeprefix("identity-"))
    return found


def test_the_documents_are_those_that_iam_was_asked_about(graph: Graph) -> None:
    scope = replace(SCOPE, ends=NAMING.lease_until)
    made = {name: json.loads(each.inputs["policy"]) for name, each in by_name(graph, POLICY).items()}
    assert made == {
        "boundary": boundary(),
        "deny-launch": deny_launch(),
        "guard": guard(scope),
        "instructor": instructor(scope),
        "node": node(scope),
        "server": server(scope),
        "student": student(scope),
    }


def test_each_role_has_its_documents(graph: Graph) -> None:
    assert attached(graph) == {
        "node": {"node", "guard"},
        "student-ana": {"student", "guard"},
        "student-ben": {"student", "guard"},
        "instructor": {"instructor"},
    }


def test_students_and_nodes_are_bounded(graph: Graph) -> None:
    bounded = {name for name, each in by_name(graph, ROLE).items() if each.inputs.get("permissionsBoundary")}
    assert bounded == {"node", "student-ana", "student-ben"}


def test_a_students_role_carries_the_students_name(graph: Graph) -> None:
    ana = by_name(graph, ROLE)["student-ana"].inputs
    assert ana["tags"]["student"] == "ana"
    assert ana["path"] == "/clusterlab/llm-2026/student/"
    (statement,) = json.loads(ana["assumeRolePolicy"])["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalTag/student": "ana", "sts:RoleSessionName": "ana"}}


@pytest.mark.parametrize(("granted", "seconds"), [(8, 28800), (48, 43200)])
def test_a_session_lasts_as_long_as_a_lease_where_iam_lets_it(granted: int, seconds: int) -> None:
    role = by_name(identity(granted_hours=granted), ROLE)["student-ana"]
    assert role.inputs["maxSessionDuration"] == seconds


def test_no_other_role_is_a_students(graph: Graph) -> None:
    assert not any("student" in by_name(graph, ROLE)[name].inputs["tags"] for name in ("node", "instructor"))


def test_names_and_paths_are_those_in_the_documents(graph: Graph) -> None:
    """What a document grants by name must be what the resource is called."""
    node_role = by_name(graph, ROLE)["node"].inputs
    (profile,) = graph.of("aws:iam/instanceProfile:InstanceProfile")
    assert SCOPE.role("node") == f"arn:aws:iam::{ACCOUNT}:role{node_role['path']}{node_role['name']}"
    assert (profile.inputs["path"], profile.inputs["name"]) == (node_role["path"], node_role["name"])


def test_no_role_owns_the_list_of_its_policies(graph: Graph) -> None:
    """It would take away what the budget's action attached."""
    assert not any({"managedPolicyArns", "inlinePolicies"} & each.inputs.keys() for each in graph.of(ROLE))


def test_what_can_be_tagged_is(graph: Graph) -> None:
    tokens = (ROLE, POLICY, "aws:iam/instanceProfile:InstanceProfile")
    tags: list[dict[str, Any]] = [each.inputs["tags"] for token in tokens for each in graph.of(token)]
    assert all({"course", "lab", "lease-until"} <= each.keys() for each in tags)


def test_resources_are_linear_in_students() -> None:
    one, three = (len(identity(STUDENTS[:1] + more).resources) for more in ((), ("ben", "eva")))
    assert (three - one) % 2 == 0
    assert (three - one) // 2 == 3
