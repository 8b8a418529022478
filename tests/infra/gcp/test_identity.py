from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from clusterlab import skypilot
from infra.gcp.identity import LAUNCHES, Identity, IdentityArgs, constraint_name
from tests.infra.conftest import NAMING
from tests.infra.graph import EchoMocks, Graph, run

ROLE = "gcp:projects/iAMCustomRole:IAMCustomRole"
POLICY = "gcp:orgpolicy/policy:Policy"


class Cloud(EchoMocks):
    """With a service account's member."""

    def new_resource(self, args: Any) -> tuple[str | None, dict[str, Any]]:
        name, made = super().new_resource(args)
        if args.typ == "gcp:serviceaccount/account:Account":
            made["member"] = "serviceAccount:node"
        return name, made


def identity(organization: str | None = None, instance_types: tuple[str, ...] = ("g2-standard-4",)) -> Graph:
    args = IdentityArgs(
        naming=NAMING,
        project="llm",
        regions=("us-east1",),
        instance_types=instance_types,
        students=("user:ana@example.org",),
        instructors=("user:eva@example.org",),
        bucket_name="llm-runs",
        organization=organization,
    )

    def program() -> None:
        Identity("identity", args)

    return run(program, answers=Cloud())


def skypilot_constants() -> dict[str, ast.expr]:
    """What SkyPilot's constants of Google Cloud are made of, without the libraries that their module needs."""
    spec = importlib.util.find_spec("sky")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip(f"needs SkyPilot: `{skypilot.INSTALL}`")
    [found] = spec.submodule_search_locations
    tree = ast.parse((Path(found) / "provision" / "gcp" / "constants.py").read_text())
    return {
        each.targets[0].id: each.value
        for each in tree.body
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name)
    }


def granted(graph: Graph) -> set[tuple[str, str]]:
    members = graph.of("gcp:projects/iAMMember:IAMMember")
    return {(each.inputs["member"], each.inputs["role"]) for each in members}


def test_a_student_launches_and_changes_no_network_no_rule_and_no_right() -> None:
    permissions = {each.name: each.inputs["permissions"] for each in identity().of(ROLE)}["identity-student"]
    assert "compute.instances.create" in permissions
    writes = {each for each in permissions if each.split(".")[-1] in {"create", "delete", "update", "setIamPolicy"}}
    assert writes == {"compute.disks.create", "compute.instances.create", "compute.instances.delete"}
    assert ("user:ana@example.org", "${IAMCustomRole.identity-student.name}") in granted(identity())


def test_a_student_may_all_that_skypilot_asks_of_whoever_launches() -> None:
    values = skypilot_constants()
    for needed in ("VM_MINIMAL_PERMISSIONS", "GCP_MINIMAL_PERMISSIONS"):
        assert set(ast.literal_eval(values[needed])) <= set(LAUNCHES)
    assert not set(ast.literal_eval(values["FIREWALL_PERMISSIONS"])) & set(LAUNCHES)


def test_an_instructor_looks_and_a_node_ends_only_machines() -> None:
    graph = identity()
    assert {role for member, role in granted(graph) if member == "user:eva@example.org"} == {
        "roles/compute.viewer",
        "roles/logging.viewer",
        "roles/monitoring.viewer",
    }
    node = {each.name: each.inputs["permissions"] for each in graph.of(ROLE)}["identity-node"]
    assert node == ["compute.instances.delete", "compute.instances.get"]


def test_nobody_is_given_the_rights_of_an_owner_or_editor() -> None:
    assert not {role for _, role in granted(identity())} & {"roles/owner", "roles/editor"}


def test_where_and_which_machines_is_the_organization_s_to_say() -> None:
    graph = identity(organization="42")
    specs = {each.inputs["name"].rpartition("/")[2]: each.inputs["spec"]["rules"] for each in graph.of(POLICY)}
    assert specs["gcp.resourceLocations"] == [{"values": {"allowedValues": ["in:us-east1-locations"]}}]
    assert specs["custom.clusterlabLlm2026"] == [{"enforce": "TRUE"}]
    constraint = graph.one("gcp:orgpolicy/customConstraint:CustomConstraint").inputs
    assert constraint["condition"] == "resource.machineType.endsWith('/g2-standard-4')"
    assert constraint["parent"] == "organizations/42"


def test_without_an_organization_or_a_list_of_types_nothing_is_limited() -> None:
    assert identity().of(POLICY) == ()
    named = [each.inputs["name"] for each in identity("42", ()).of(POLICY)]
    assert not any("custom." in name for name in named)


def test_nodes_have_the_account_that_skypilot_looks_for() -> None:
    values = skypilot_constants()
    name, version = (ast.literal_eval(values[each]) for each in ("SKYPILOT", "VERSION"))
    assert ast.unparse(values["SKYPILOT_SERVICE_ACCOUNT_ID"]) == "SKYPILOT + '-' + VERSION"
    assert identity().one("gcp:serviceaccount/account:Account").inputs["accountId"] == f"{name}-{version}"


def test_two_courses_have_two_constraints() -> None:
    assert constraint_name("llm-2026") != constraint_name("llm-2027")
