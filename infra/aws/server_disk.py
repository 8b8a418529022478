"""The course server's data: a disk that outlives the machine, copied every night, and once more when it ends."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from infra.naming import Naming

PART = "server-data"
COPIES = 14
AT = "03:00"
"""In UTC."""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "dlm.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
MANAGED = "arn:aws:iam::aws:policy/service-role/AWSDataLifecycleManagerServiceRole"


def data_volume(
    name: str, *, naming: Naming, zone: str, gib: int, key_arn: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> aws.ebs.Volume:
    """The disk, with what copies it; `pulumi destroy` leaves a last snapshot, whose tags are the disk's."""
    _copied(name, naming, opts)
    return aws.ebs.Volume(
        f"{name}-data",
        availability_zone=zone,
        size=gib,
        type="gp3",
        encrypted=True,
        kms_key_id=key_arn,
        final_snapshot=True,
        tags=naming.tags(PART),
        opts=opts,
    )


def _copied(name: str, naming: Naming, opts: pulumi.ResourceOptions) -> None:
    """Amazon Data Lifecycle Manager, which finds the disk by its `Name`."""
    role = aws.iam.Role(
        f"{name}-copies",
        name=naming.of("server-copies"),
        assume_role_policy=json.dumps(TRUST),
        tags=naming.tags(PART),
        opts=opts,
    )
    aws.iam.RolePolicyAttachment(f"{name}-copies", role=role.name, policy_arn=MANAGED, opts=opts)
    schedule = aws.dlm.LifecyclePolicyPolicyDetailsScheduleArgs(
        name="every night",
        create_rule=aws.dlm.LifecyclePolicyPolicyDetailsScheduleCreateRuleArgs(
            interval=24, interval_unit="HOURS", times=AT
        ),
        retain_rule=aws.dlm.LifecyclePolicyPolicyDetailsScheduleRetainRuleArgs(count=COPIES),
        copy_tags=True,
    )
    aws.dlm.LifecyclePolicy(
        f"{name}-copies",
        description=f"The ledger of {naming.course} every night",
        execution_role_arn=role.arn,
        state="ENABLED",
        policy_details=aws.dlm.LifecyclePolicyPolicyDetailsArgs(
            resource_types=["VOLUME"], target_tags={"Name": naming.of(PART)}, schedules=[schedule]
        ),
        tags=naming.tags(PART),
        opts=opts,
    )
