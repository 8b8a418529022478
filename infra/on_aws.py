"""What a class has in AWS: a network in each of its regions, and in the first of them, its home, all the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.budget import Budget, BudgetArgs
from infra.aws.identity import Identity, IdentityArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.registry import Registry, RegistryArgs
from infra.aws.secrets import Secrets, SecretsArgs
from infra.aws.storage import Storage, StorageArgs
from infra.course import Course

IMAGES = ("train", "serve")
"""What `images/` has Dockerfiles for."""
HF_TOKEN = "hf-token"  # noqa: S105 (a name)
GRANTED_HOURS = 12
"""Of a launch's lease, as `clusterlab.lease.LEASE_HOURS` grants it where no variable says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Home:
    """What the parts of a class that it has one of are made with."""

    course: Course
    region: str
    network: Network
    opts: pulumi.ResourceOptions
    """With the provider of its region."""
    account_id: pulumi.Output[str]


def on_aws(course: Course) -> dict[str, Any]:
    """Register a class's part in AWS, and say what it exports."""
    regions = course.cluster.regions("aws")
    providers = {region: aws.Provider(f"aws-{region}", region=region) for region in regions}
    opts = {region: pulumi.ResourceOptions(provider=provider) for region, provider in providers.items()}
    networks = {region: _network(course, region, opts[region]) for region in regions}
    asked = pulumi.InvokeOptions(provider=providers[regions[0]])
    home = _Home(
        course=course,
        region=regions[0],
        network=networks[regions[0]],
        opts=opts[regions[0]],
        account_id=aws.get_caller_identity_output(opts=asked).account_id,
    )
    storage = _storage(home)
    registry = Registry("registry", RegistryArgs(naming=course.naming, images=IMAGES), home.opts)
    secrets = Secrets(
        "secrets", SecretsArgs(naming=course.naming, key_arn=storage.key_arn, names=(HF_TOKEN,)), home.opts
    )
    identity = _identity(home, storage, secrets)
    _budget(home, identity)
    return {
        "aws_account": home.account_id,
        "aws_region": home.region,
        "aws_regions": list(regions),
        "aws_vpc_name": home.network.vpc_name,
        "aws_security_group_name": home.network.security_group_name,
        "aws_remote_identity": identity.node_profile_name,
        "aws_student_roles": identity.student_role_arns,
        "aws_instructor_role": identity.instructor_role_arn,
        "aws_bucket": storage.bucket_name,
        "aws_file_system": storage.file_system_id,
        "aws_repositories": registry.repository_urls,
        "aws_secrets": secrets.arns,
        "aws_labels": {"course": course.naming.course},
    }


def _network(course: Course, region: str, opts: pulumi.ResourceOptions) -> Network:
    plan = course.cluster.network
    args = NetworkArgs(
        naming=course.naming,
        cidr=str(plan.cidr),
        zones=tuple(f"{region}{zone}" for zone in plan.zones),
        region=region,
        ssh_from=tuple(map(str, plan.ssh_from)),
    )
    return Network(f"network-{region}", args, opts)


def _storage(home: _Home) -> Storage:
    args = StorageArgs(
        naming=home.course.naming,
        # The account's number makes the bucket's name the only one in the world.
        bucket=home.account_id.apply(home.course.naming.of),
        subnet_ids=home.network.private_subnet_ids,
        security_group_id=home.network.security_group_id,
        vpc_id=home.network.vpc_id,
        file_system=home.course.cluster.file_system,
    )
    return Storage("storage", args, home.opts)


def _identity(home: _Home, storage: Storage, secrets: Secrets) -> Identity:
    course, images = home.course, f"repository/{home.course.naming.name}/*"
    args = IdentityArgs(
        naming=course.naming,
        account_id=home.account_id,
        regions=course.cluster.regions("aws"),
        instance_types=course.instance_types("aws"),
        students=course.students,
        instructors=course.cluster.instructors,
        bucket_arn=storage.bucket_arn,
        key_arn=storage.key_arn,
        repository_arn=pulumi.Output.format("arn:aws:ecr:{0}:{1}:{2}", home.region, home.account_id, images),
        secret_arn=secrets.arns[HF_TOKEN],
        granted_hours=GRANTED_HOURS,
    )
    return Identity("identity", args, home.opts)


def _budget(home: _Home, identity: Identity) -> None:
    course = home.course
    args = BudgetArgs(
        naming=course.naming,
        limit_usd=course.limit_usd,
        starts=course.dates.start,
        ends=course.dates.end,
        emails=course.cluster.instructors,
        deny_policy_arn=identity.deny_launch_policy_arn,
        role_names=list(identity.student_role_names.values()),
    )
    Budget("budget", args, home.opts)
