from __future__ import annotations

import hashlib
from functools import partial

import pulumi
import pulumi_aws as aws
import pytest

from tests.infra.graph import Graph, run

ROLE = "aws:iam/role:Role"


def graph() -> Graph:
    def program() -> str:
        east = aws.Provider("east", region="us-east-1")
        opts = pulumi.ResourceOptions(provider=east, protect=True, retain_on_delete=True)
        first = aws.iam.Role("first", assume_role_policy='{"Version": "2012-10-17"}', opts=opts)
        after = pulumi.ResourceOptions(depends_on=[first])
        aws.iam.Role("second", assume_role_policy="{}", description=pulumi.Output.secret("hidden"), opts=after)
        aws.iam.RolePolicyAttachment("attached", role=first.name, policy_arn="arn:aws:iam::aws:policy/None")
        pulumi.export("role", first.arn)
        return "done"

    return run(program)


def test_a_graph_says_who_takes_what_from_whom() -> None:
    found = graph()
    assert found.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs["role"] == "${Role.first.name}"
    assert (found.exports, found.result) == ({"role": "${Role.first.arn}"}, "done")


def test_options_are_seen() -> None:
    first, second = sorted(graph().of(ROLE), key=lambda each: each.name)
    assert (first.provider, first.protect, first.retain_on_delete) == ("east", True, True)
    assert (second.provider, second.protect, second.retain_on_delete) == ("", False, False)
    assert (first.needs, second.needs) == ((), (first.urn,))


def test_a_secret_is_marked() -> None:
    assert {each.name: each.secrets for each in graph().of(ROLE)} == {"first": (), "second": ("description",)}


def test_a_policy_is_shown_by_what_it_says() -> None:
    shown = graph().as_data()["resources"][ROLE]
    assert shown["first"]["inputs"]["assumeRolePolicy"] == {"Version": "2012-10-17"}
    assert shown["second"]["needs"] == ["Role.first"]


def test_what_changes_with_each_commit_is_not_shown() -> None:
    def program(content: str) -> None:
        archive = pulumi.AssetArchive({f"code/{content}.py": pulumi.StringAsset(content)})
        key = f"code-{hashlib.sha256(content.encode()).hexdigest()[:16]}.zip"
        aws.s3.BucketObjectv2("code", bucket="runs", key=key, source=archive)

    first, second = (run(partial(program, content)).as_data() for content in ("one", "two"))
    [shown] = first["resources"]["aws:s3/bucketObjectv2:BucketObjectv2"].values()
    assert shown["inputs"] == {"bucket": "runs", "key": "code-<hash>.zip", "source": {"archive": ["code"]}}
    assert first == second


def test_a_machine_s_first_steps_are_shown_by_what_they_say() -> None:
    graph = run(lambda: aws.ec2.Instance("machine", user_data="#cloud-config\npackages: [make]\n"))
    [shown] = graph.as_data()["resources"]["aws:ec2/instance:Instance"].values()
    assert shown["inputs"]["userData"] == {"packages": ["make"]}


def test_equal_programs_have_equal_graphs() -> None:
    assert graph().as_data() == graph().as_data()


def test_what_a_program_raises_is_raised() -> None:
    def program() -> None:
        aws.iam.Role("role", assume_role_policy=pulumi.Output.from_input("x").apply(lambda text: str(int(text))))

    with pytest.raises(Exception, match=r"invalid literal for int"):
        run(program)
    assert graph().result == "done"
