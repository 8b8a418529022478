"""What the course server may do: launch as a student may, read its code and its secret, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.naming import Naming

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
SYSTEMS_MANAGER = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
"""A shell on the machine without a port that is open."""


class ServerRole(pulumi.ComponentResource):
    """A role, and the instance profile that carries it."""

    role_name: pulumi.Output[str]
    profile_name: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        naming: Naming,
        bucket_arn: pulumi.Input[str],
        key_arn: pulumi.Input[str],
        secret_arn: pulumi.Input[str],
        policy_arn: pulumi.Input[str],
        boundary_arn: pulumi.Input[str] | None,
        hosted_zone_id: pulumi.Input[str] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("clusterlab:aws:ServerRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            name,
            name=naming.of("server"),
            assume_role_policy=json.dumps(TRUST),
            permissions_boundary=boundary_arn,
            tags=naming.tags("server"),
            opts=child,
        )
        known = pulumi.Output.all(bucket=bucket_arn, key=key_arn, secret=secret_arn, zone=hosted_zone_id)
        document = known.apply(lambda made: json.dumps(own_policy(**made)))
        aws.iam.RolePolicy(f"{name}-own", name="own", role=role.name, policy=document, opts=child)
        for part, arn in (("launch", policy_arn), ("shell", SYSTEMS_MANAGER)):
            aws.iam.RolePolicyAttachment(f"{name}-{part}", role=role.name, policy_arn=arn, opts=child)
        profile = aws.iam.InstanceProfile(name, name=role.name, role=role.name, tags=naming.tags("server"), opts=child)
        self.role_name, self.profile_name = role.name, profile.name
        self.register_outputs({"profile_name": self.profile_name})


def own_policy(*, bucket: str, key: str, secret: str, zone: str | None) -> dict[str, Any]:
    """What the machine does with its own things; `zone` is the hosted zone where a certificate is asked for."""
    statements = [
        _allow("ReadItsCode", ["s3:GetObject"], [f"{bucket}/server/*"]),
        _allow("ShowItsCertificate", ["s3:PutObject"], [f"{bucket}/server/certificate.pem"]),
        _allow("KeepItsSecret", ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"], [secret]),
        _allow("UseTheKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key]),
    ]
    if zone is not None:
        hosted = f"arn:aws:route53:::hostedzone/{zone}"
        # Names of zones have no resource that a policy could say.
        statements.append(_allow("FindTheZone", ["route53:ListHostedZones", "route53:GetChange"], ["*"]))
        statements.append(_allow("AnswerLetsEncrypt", ["route53:ChangeResourceRecordSets"], [hosted]))
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
