"""Programs, and what the class that runs them has agreed to: every part of a good one, which can be changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi_aws as aws
import pulumi_gcp as gcp

from clusterlab.tags import LEASE_FORMAT

ENDS = datetime.now(UTC) + timedelta(days=60)
TAGS = {"course": "llm-2026", "lab": "infra", "lease-until": ENDS.strftime(LEASE_FORMAT)}
AGREED: dict[str, dict[str, Any]] = {
    "cost-tags": {"course": "llm-2026"},
    "lease": {"latest": (ENDS + timedelta(days=1)).isoformat()},
    "open-ingress": {"sshFrom": ["203.0.113.0/24", "2001:db8::/32"]},
    "price": {"maxUsdPerHour": "10", "regions": {"aws": "us-east-1", "gcp": "us-east1"}},
    "budget": {"limitUsd": "2500"},
    "stack-price": {"maxStackUsdPerHour": "1.5", "regions": {"aws": "us-east-1", "gcp": "us-east1"}},
}
BLOCKS = {
    "block_public_acls": True,
    "block_public_policy": True,
    "ignore_public_acls": True,
    "restrict_public_buckets": True,
}


def instance(name: str = "server", **changed: Any) -> Any:
    settings: dict[str, Any] = {
        "ami": "ami-1",
        "instance_type": "m5.large",
        "tags": TAGS,
        "volume_tags": TAGS,
        "metadata_options": {"http_tokens": "required"},
        "root_block_device": {"encrypted": True, "volume_type": "gp3", "volume_size": 50},
    }
    return aws.ec2.Instance(name, **settings | changed)


def template(name: str = "nodes", **changed: Any) -> Any:
    specifications = [{"resource_type": kind, "tags": TAGS} for kind in ("instance", "volume")]
    settings: dict[str, Any] = {
        "tags": TAGS,
        "tag_specifications": specifications,
        "metadata_options": {"http_tokens": "required"},
        "block_device_mappings": [{"device_name": "/dev/xvda", "ebs": {"encrypted": "true", "volume_size": 100}}],
    }
    return aws.ec2.LaunchTemplate(name, **settings | changed)


def bucket(name: str = "runs", **changed: Any) -> Any:
    made = aws.s3.Bucket(name, bucket=name, tags=TAGS, **changed)
    rule = {"apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms"}}
    aws.s3.BucketServerSideEncryptionConfiguration(name, bucket=made.id, rules=[rule])
    aws.s3.BucketPublicAccessBlock(name, bucket=made.id, **BLOCKS)
    return made


def group(name: str = "nodes", **ingress: Any) -> Any:
    rule = {"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["203.0.113.0/28"]}
    return aws.ec2.SecurityGroup(name, tags=TAGS, ingress=[rule | ingress])


def budget(limit: str = "2500.0", **changed: Any) -> Any:
    settings: dict[str, Any] = {"budget_type": "COST", "limit_amount": limit, "limit_unit": "USD"}
    return aws.budgets.Budget("course", time_unit="MONTHLY", tags=TAGS, **settings | changed)


def node_group(name: str = "gpus", desired: int = 0, launch_template: bool = True, **changed: Any) -> Any:
    settings: dict[str, Any] = {
        "cluster_name": "c",
        "node_role_arn": "arn:aws:iam::123456789012:role/node",
        "subnet_ids": ["subnet-1"],
        "instance_types": ["g6.xlarge"],
        "scaling_config": {"desired_size": desired, "min_size": 0, "max_size": 8},
        "tags": TAGS,
    }
    if launch_template:
        settings["launch_template"] = {"id": template(f"{name}-template").id, "version": "1"}
    return aws.eks.NodeGroup(name, **settings | changed)


def google(**changed: Any) -> Any:
    settings: dict[str, Any] = {
        "location": "US",
        "labels": TAGS,
        "public_access_prevention": "enforced",
        "uniform_bucket_level_access": True,
    }
    amount = {"specified_amount": {"currency_code": "USD", "units": "2500"}}
    gcp.billing.Budget("course", billing_account="1", amount=amount)
    return gcp.storage.Bucket("google", **settings | changed)


def channel(**changed: Any) -> Any:
    """What Google Monitoring calls `labels` is where the mail goes."""
    settings: dict[str, Any] = {"labels": {"email_address": "a@example.org"}, "user_labels": TAGS}
    return gcp.monitoring.NotificationChannel("mail", type="email", **settings | changed)


def firewall(**changed: Any) -> Any:
    settings: dict[str, Any] = {"source_ranges": ["203.0.113.9/32"], "allows": [{"protocol": "tcp", "ports": ["22"]}]}
    return gcp.compute.Firewall("google-ssh", network="n", **settings | changed)


def ingress_rule(**changed: Any) -> Any:
    settings: dict[str, Any] = {"ip_protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_ipv4": "0.0.0.0/0"}
    return aws.vpc.SecurityGroupIngressRule("https", security_group_id="sg-1", tags=TAGS, **settings | changed)


def class_rule(**changed: Any) -> Any:
    settings: dict[str, Any] = {"type": "ingress", "protocol": "-1", "from_port": 0, "to_port": 0}
    return aws.ec2.SecurityGroupRule("inside", security_group_id="sg-1", **settings | {"self": True} | changed)


def good() -> None:
    budget()
    instance()
    node_group()
    bucket()
    group()
    ingress_rule()
    class_rule()
    google()
    channel()
    firewall()
    aws.ebs.Volume("data", availability_zone="us-east-1a", encrypted=True, type="gp3", size=10, tags=TAGS)
    aws.efs.FileSystem("shared", encrypted=True, tags=TAGS)
    aws.sqs.Queue("dead", sqs_managed_sse_enabled=True, tags=TAGS)
    aws.sns.Topic("alarms", kms_master_key_id="key-1", tags=TAGS)
    aws.rds.Instance("ledger", instance_class="db.t4g.micro", storage_encrypted=True, tags=TAGS)
    aws.iam.Role("node", assume_role_policy="{}", tags=TAGS)
    statement = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "s3:*", "Resource": "*"}
    aws.s3.BucketPolicy("runs", bucket="runs", policy=json.dumps({"Statement": [statement]}))


def anybody(**changed: Any) -> str:
    statement = {"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    return json.dumps({"Statement": [statement | changed]})


def without(*keys: str) -> dict[str, str]:
    return {key: value for key, value in TAGS.items() if key not in keys}


def until(instant: datetime) -> dict[str, str]:
    return TAGS | {"lease-until": instant.strftime(LEASE_FORMAT)}
