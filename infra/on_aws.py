"""What a class has in AWS: a network in each of its regions, and in the first of them, its home, all the rest."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

from clusterlab.cluster import Mode
from clusterlab.lease import LEASE_HOURS
from clusterlab.reaper.keeplist import NOTHING
from infra.aws.budget import Budget, BudgetArgs
from infra.aws.class_cluster import ClassCluster, ClassClusterArgs
from infra.aws.identity import Identity, IdentityArgs
from infra.aws.network import Network, NetworkArgs
from infra.aws.reaper import Reaper, ReaperArgs
from infra.aws.registry import Registry, RegistryArgs
from infra.aws.secrets import Secrets, SecretsArgs
from infra.aws.server import CourseServer, CourseServerArgs
from infra.aws.storage import Storage, StorageArgs
from infra.course import Course

IMAGES = ("train", "serve")
"""What `images/` has Dockerfiles for."""
HF_TOKEN = "hf-token"  # noqa: S105 (a name)
REAPER_MINUTES = 15
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
"""Where Canonical says which AMI is its newest."""
RAY_IMAGE = "train"
LOCK = Path(__file__).parents[1] / "images" / "train.lock"
GRANTED_HOURS = int(LEASE_HOURS)
"""Of a launch's lease, where no variable says otherwise."""


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
    home = _home(course)
    storage = _storage(home)
    registry = Registry("registry", RegistryArgs(naming=course.naming, images=IMAGES), home.opts)
    kept = SecretsArgs(naming=course.naming, key_arn=storage.key_arn, names=(HF_TOKEN,))
    secrets = Secrets("secrets", kept, home.opts)
    identity = _identity(home, storage, secrets)
    server = _server(home, storage, identity) if course.cluster.server else None
    _budget(home, identity, server)
    exports = {
        **_skypilot(home, identity),
        "aws_account": home.account_id,
        "aws_region": home.region,
        "aws_regions": list(course.cluster.regions("aws")),
        "aws_student_roles": identity.student_role_arns,
        "aws_instructor_role": identity.instructor_role_arn,
        "aws_bucket": storage.bucket_name,
        "aws_file_system": storage.file_system_id,
        "aws_repositories": registry.repository_urls,
        "aws_secrets": secrets.arns,
        "aws_reaper": _reaper(home, storage).function_name,
    }
    cluster = _class_cluster(home, storage, registry, identity) if course.cluster.mode is Mode.SHARED else {}
    return exports | _of_server(server) | cluster


def _home(course: Course) -> _Home:
    """A provider and a network for each region, of which the first is the class's home."""
    regions = course.cluster.regions("aws")
    providers = {region: aws.Provider(f"aws-{region}", region=region) for region in regions}
    opts = {region: pulumi.ResourceOptions(provider=provider) for region, provider in providers.items()}
    networks = {region: _network(course, region, opts[region]) for region in regions}
    region = regions[0]
    asked = pulumi.InvokeOptions(provider=providers[region])
    return _Home(
        course=course,
        region=region,
        network=networks[region],
        opts=opts[region],
        account_id=aws.get_caller_identity_output(opts=asked).account_id,
    )


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
        account_id=home.account_id,
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


def _budget(home: _Home, identity: Identity, server: CourseServer | None) -> None:
    """Who launches is denied it when the budget is spent: students, and the server that launches for them."""
    course, launching = home.course, list(identity.student_role_names.values())
    if server is not None:
        launching.append(server.role_name)
    args = BudgetArgs(
        naming=course.naming,
        limit_usd=course.limit_usd,
        starts=course.dates.start,
        ends=course.dates.end,
        emails=course.cluster.instructors,
        deny_policy_arn=identity.deny_launch_policy_arn,
        role_names=launching,
    )
    Budget("budget", args, home.opts)


def _reaper(home: _Home, storage: Storage) -> Reaper:
    args = ReaperArgs(
        naming=home.course.naming,
        courses=(home.course.naming.course,),
        regions=home.course.cluster.regions("aws"),
        bucket_name=storage.bucket_name,
        bucket_arn=storage.bucket_arn,
        key_arn=storage.key_arn,
        emails=home.course.cluster.instructors,
        schedule_minutes=REAPER_MINUTES,
        granted_hours=GRANTED_HOURS,
        # What the class stands on has a lease until after its end.
        keep=NOTHING,
    )
    return Reaper("reaper", args, home.opts)


def _server(home: _Home, storage: Storage, identity: Identity) -> CourseServer:
    course, network, plan = home.course, home.network, home.course.cluster.server_plan
    asked = pulumi.InvokeOptions(provider=home.opts.provider)
    args = CourseServerArgs(
        naming=course.naming,
        region=home.region,
        zone=f"{home.region}{course.cluster.network.zones[0]}",
        vpc_id=network.vpc_id,
        subnet_id=network.public_subnet_ids[0],
        clients=tuple(map(str, course.cluster.network.https_from)),
        instance_type=plan.instance_type,
        domain=plan.domain,
        hosted_zone_id=plan.hosted_zone_id,
        image_id=aws.ssm.get_parameter_output(name=UBUNTU, opts=asked).insecure_value,
        bucket_name=storage.bucket_name,
        bucket_arn=storage.bucket_arn,
        key_arn=storage.key_arn,
        launch_policy_arn=identity.server_policy_arn,
        skypilot=_skypilot(home, identity),
        regions=course.cluster.regions("aws"),
        budget_usd=course.limit_usd,
        granted_hours=GRANTED_HOURS,
        emails=course.cluster.instructors,
        # Its own machine bears the course's tag, and would be ended first of all when the budget is spent.
        keep={f"Name={course.naming.of('server')}": "the course server"},
    )
    return CourseServer("server", args, home.opts)


def _of_server(server: CourseServer | None) -> dict[str, Any]:
    if server is None:
        return {}
    return {
        "aws_server_address": server.address,
        "aws_server_endpoint": server.endpoint,
        "aws_server_secret": server.secret_arn,
        "aws_server_certificate": server.certificate,
    }


def _class_cluster(home: _Home, storage: Storage, registry: Registry, identity: Identity) -> dict[str, Any]:
    course, network = home.course, home.network
    # Of the lock that it is built from: a tag that was pushed stays what it is.
    tag = sha256(LOCK.read_bytes()).hexdigest()[:16]
    image = pulumi.Output.concat(registry.repository_urls[RAY_IMAGE], ":", tag)
    args = ClassClusterArgs(
        naming=course.naming,
        region=home.region,
        subnet_ids=network.public_subnet_ids,
        ssh_from=tuple(map(str, course.cluster.network.https_from)),
        key_arn=storage.key_arn,
        gpu_instance_types=course.gpu_instance_types("aws"),
        image=image,
        student_role_arns=identity.student_role_arns,
    )
    cluster = ClassCluster("cluster", args, home.opts)
    return {
        "aws_cluster": cluster.cluster_name,
        "aws_cluster_endpoint": cluster.endpoint,
        "aws_cluster_image": image,
        "kubeconfig": cluster.kubeconfig,
    }


def _skypilot(home: _Home, identity: Identity) -> dict[str, Any]:
    """Of the exports, what SkyPilot's configuration is made of, the students' and the server's."""
    return {
        "aws_vpc_name": home.network.vpc_name,
        "aws_security_group_name": home.network.security_group_name,
        "aws_remote_identity": identity.node_profile_name,
        "aws_labels": {"course": home.course.naming.course},
    }
