from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import yaml

from infra.aws.server import CourseServer, CourseServerArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, run

GIVEN: dict[str, Any] = {
    "naming": NAMING,
    "region": "us-east-1",
    "zone": "us-east-1a",
    "vpc_id": "vpc-1",
    "subnet_id": "subnet-1",
    "clients": ("192.0.2.0/24",),
    "image_id": "ami-1",
    "bucket_name": "runs",
    "bucket_arn": "arn:aws:s3:::runs",
    "key_arn": "arn:aws:kms:us-east-1:123456789012:key/1",
    "launch_policy_arn": "arn:aws:iam::123456789012:policy/student",
    "skypilot": {
        "aws_vpc_name": "clusterlab-llm-2026-network",
        "aws_security_group_name": "clusterlab-llm-2026",
        "aws_remote_identity": "clusterlab-llm-2026-node",
    },
    "regions": ("us-east-1",),
    "budget_usd": Decimal(2500),
    "keep": {"lab=infra": "the class's own"},
}
MACHINE = "aws:ec2/instance:Instance"


def server(**changes: Any) -> Graph:
    args = CourseServerArgs(**(GIVEN | changes))

    def program() -> dict[str, Any]:
        made = CourseServer("server", args)
        return {"endpoint": made.endpoint, "certificate": made.certificate}

    return run(program)


def test_only_the_class_reaches_it_and_only_by_https() -> None:
    [ingress] = server().one("aws:ec2/securityGroup:SecurityGroup").inputs["ingress"]
    assert (ingress["fromPort"], ingress["toPort"], ingress["cidrBlocks"]) == (443, 443, ["192.0.2.0/24"])
    found = server(ssh_from=("198.51.100.0/24",)).one("aws:ec2/securityGroup:SecurityGroup").inputs["ingress"]
    assert {each["fromPort"]: each["cidrBlocks"] for each in found}[22] == ["198.51.100.0/24"]


def test_its_disks_are_encrypted_and_its_role_is_kept_from_others() -> None:
    graph = server()
    machine = graph.one(MACHINE).inputs
    assert machine["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    assert machine["rootBlockDevice"]["encrypted"] is True
    data = graph.one("aws:ebs/volume:Volume").inputs
    assert (data["encrypted"], data["kmsKeyId"]) == (True, GIVEN["key_arn"])


def test_the_ledger_outlives_the_machine_and_the_class() -> None:
    graph = server()
    assert graph.one("aws:ebs/volume:Volume").inputs["finalSnapshot"] is True
    details = graph.one("aws:dlm/lifecyclePolicy:LifecyclePolicy").inputs["policyDetails"]
    assert details["targetTags"] == {"Name": graph.one("aws:ebs/volume:Volume").inputs["tags"]["Name"]}
    [schedule] = details["schedules"]
    assert (schedule["createRule"]["interval"], schedule["retainRule"]["count"]) == (24, 14)


def test_everything_that_is_billed_carries_the_cost_tags() -> None:
    graph = server()
    billed = [MACHINE, "aws:ebs/volume:Volume", "aws:ec2/eip:Eip", "aws:secretsmanager/secret:Secret"]
    for tags in [
        *(graph.one(each).inputs["tags"] for each in billed),
        graph.one(MACHINE).inputs["rootBlockDevice"]["tags"],
    ]:
        assert {"course", "lab", "lease-until"} <= tags.keys()


def test_no_secret_is_in_its_user_data_and_its_secret_begins_empty() -> None:
    graph = server()
    document = yaml.safe_load(graph.one(MACHINE).inputs["userData"])
    [variables] = [each["content"] for each in document["write_files"] if each["path"].endswith("server.env")]
    assert 'SECRET_ARN="${Secret.server-secret.arn}"' in variables
    assert "PASSWORD" not in variables
    assert graph.of("aws:secretsmanager/secretVersion:SecretVersion") == ()


def test_it_runs_the_code_of_this_repository_and_another_code_is_another_machine() -> None:
    graph = server()
    code = graph.one("aws:s3/bucketObjectv2:BucketObjectv2").inputs
    assert {"clusterlab/policy.py", "images/sky.lock", "images/server/setup.sh"} <= code["source"].assets.keys()
    assert code["key"] in graph.one(MACHINE).inputs["userData"]
    assert graph.one(MACHINE).inputs["userDataReplaceOnChange"] is True


def test_its_role_launches_as_a_student_and_touches_its_own_things_only() -> None:
    graph = server()
    attached = {each.inputs["policyArn"] for each in graph.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")}
    assert {GIVEN["launch_policy_arn"], "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"} <= attached
    statements = json.loads(graph.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]
    allowed = {action: each["Resource"] for each in statements for action in each["Action"]}
    assert allowed["s3:PutObject"] == ["arn:aws:s3:::runs/server/certificate.pem"]
    assert allowed["secretsmanager:GetSecretValue"] == ["${Secret.server-secret.arn}"]
    assert not any("*" in resources or "*" in action for action, resources in allowed.items())


def test_with_a_domain_it_asks_lets_encrypt_by_a_record_and_opens_no_port_for_it() -> None:
    graph = server(domain="llm.example.org", hosted_zone_id="Z1")
    assert graph.result["endpoint"] is not None
    record = graph.one("aws:route53/record:Record").inputs
    assert (record["name"], record["records"]) == ("llm.example.org", ["${Eip.server-address.publicIp}"])
    assert len(graph.one("aws:ec2/securityGroup:SecurityGroup").inputs["ingress"]) == 1
    [changes] = [
        each
        for each in json.loads(graph.one("aws:iam/rolePolicy:RolePolicy").inputs["policy"])["Statement"]
        if "route53:ChangeResourceRecordSets" in each["Action"]
    ]
    assert changes["Resource"] == ["arn:aws:route53:::hostedzone/Z1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"domain": "llm.example.org"}, r"hosted_zone_id: both or neither"), ({"keep": {}}, r"keep: empty")],
)
def test_what_cannot_be_set_up_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CourseServerArgs(**(GIVEN | changes))
