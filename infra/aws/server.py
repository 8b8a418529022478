"""The course server: SkyPilot's API server with the course's policy, and the ledger, on one small machine.

PostgreSQL runs on the same machine, with its data on a disk of its own, rather than as RDS: the ledger is a few
megabytes with few writers, RDS would be a second machine to pay and a password to keep, and a disk has snapshots as
well. With the machine nothing is lost: the disk is attached to the next one. With the disk a day is lost at most, since
it is copied every night; docs/server.md has how it is put back.

The machine is never changed: other code, or another setting, is another machine with the same disk and address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.aws.server_disk import data_volume
from infra.aws.server_role import ServerRole
from infra.aws.server_setup import ROOT, Setup, certificate, code_files, code_key, user_data
from infra.naming import Naming

HTTPS, SSH = 443, 22
ANYWHERE = "0.0.0.0/0"
ROOT_DISK_GIB = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseServerArgs:
    """What a course server is made of.

    Raises:
        ValueError: a domain without a hosted zone, or nothing to keep.
    """

    naming: Naming
    region: str
    zone: str
    """The zone of `subnet_id`, where its disk is too."""
    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    """A public one."""
    clients: tuple[str, ...]
    """CIDRs that reach it by HTTPS."""
    ssh_from: tuple[str, ...] = ()
    """CIDRs that reach it by SSH; none, since Systems Manager does."""
    image_id: pulumi.Input[str]
    """An AMI of Ubuntu 24.04, which has cloud-init and the SSM Agent."""
    instance_type: str = "t3.large"
    disk_gib: int = 50
    """Of the data volume, with the ledger and SkyPilot's state."""
    bucket_name: pulumi.Input[str]
    bucket_arn: pulumi.Input[str]
    """Of the class's bucket: the server's code is in it, and its certificate."""
    key_arn: pulumi.Input[str]
    """Of the KMS key that encrypts disks, bucket and secret."""
    launch_policy_arn: pulumi.Input[str]
    """What lets it start students' machines: `Identity.server_policy_arn`."""
    boundary_arn: pulumi.Input[str] | None = None
    domain: str | None = None
    """Its name in the DNS, with a certificate of Let's Encrypt; None for one that it signs itself."""
    hosted_zone_id: pulumi.Input[str] | None = None
    """Of Route 53, where `domain` lies; with a domain it must be there."""
    skypilot: Mapping[str, Any]
    """What the stack exports of AWS for SkyPilot's configuration: network, role, security group and labels."""
    regions: tuple[str, ...]
    """Of the class, which are metered."""
    budget_usd: Decimal
    """The course's cap, with which a new ledger begins."""
    granted_hours: int = 12
    """Of a launch's lease."""
    emails: tuple[str, ...] = ()
    """Who gets the notices of budgets, where the secret has CLUSTERLAB_NOTIFY."""
    keep: Mapping[str, str]
    """What is kept though a budget is spent: the reaper's keep-list, never empty."""

    def __post_init__(self) -> None:
        if (self.domain is None) != (self.hosted_zone_id is None):
            raise ValueError("domain, hosted_zone_id: both or neither; the certificate is got by a record in the zone")
        if not self.keep:
            raise ValueError("keep: empty; allowed: what is kept, and why")


class CourseServer(pulumi.ComponentResource):
    """The machine, its disk, its address and its role."""

    address: pulumi.Output[str]
    """Its Elastic IP."""
    endpoint: pulumi.Output[str]
    """What `sky api login --endpoint` is given."""
    secret_arn: pulumi.Output[str]
    """Of the first administrator's password, which the machine makes and nobody else has seen."""
    role_name: pulumi.Output[str]
    """Of its role, whose launches end with the budget as students' do."""
    certificate: pulumi.Output[str]
    """Where the certificate lies that it signed itself, an s3:// place; empty where it has a domain."""

    def __init__(self, name: str, args: CourseServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:CourseServer", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        address = aws.ec2.Eip(f"{name}-address", domain="vpc", tags=args.naming.tags("server"), opts=self._child)
        self.address = address.public_ip
        self.secret_arn = self._secret().arn
        disk = data_volume(
            name, naming=args.naming, zone=args.zone, gib=args.disk_gib, key_arn=args.key_arn, opts=self._child
        )
        role = self._role()
        self.role_name = role.role_name
        machine = self._machine(role, self._setup(self._code().key, disk.id))
        self._attach(machine, address, disk)
        self._named()
        self.endpoint = pulumi.Output.concat("https://", args.domain or self.address)
        self.certificate = pulumi.Output.from_input(args.bucket_name).apply(
            lambda bucket: "" if args.domain else certificate(bucket)
        )
        outputs = {"address": self.address, "endpoint": self.endpoint, "secret_arn": self.secret_arn}
        self.register_outputs({**outputs, "certificate": self.certificate})

    def _secret(self) -> aws.secretsmanager.Secret:
        """Empty: neither Pulumi's state nor the user data ever has the password."""
        return aws.secretsmanager.Secret(
            f"{self._name}-secret",
            name=self._args.naming.of("server"),
            description="ADMIN_PASSWORD and what else the course server shall have, as lines NAME=value",
            kms_key_id=self._args.key_arn,
            # The next class of that name begins at once.
            recovery_window_in_days=0,
            tags=self._args.naming.tags("server"),
            opts=self._child,
        )

    def _code(self) -> aws.s3.BucketObjectv2:
        """The course's code as an object of the bucket."""
        files = code_files(ROOT)
        return aws.s3.BucketObjectv2(
            f"{self._name}-code",
            bucket=self._args.bucket_name,
            key=code_key(files),
            source=pulumi.AssetArchive({path: pulumi.FileAsset(str(file)) for path, file in files.items()}),
            tags=self._args.naming.tags("server"),
            opts=self._child,
        )

    def _setup(self, code: pulumi.Output[str], volume_id: pulumi.Output[str]) -> pulumi.Output[str]:
        args = self._args
        known = pulumi.Output.all(
            bucket=args.bucket_name,
            code=code,
            volume_id=volume_id,
            address=self.address,
            secret_arn=self.secret_arn,
            skypilot=dict(args.skypilot),
        )
        return known.apply(
            lambda made: user_data(
                Setup(
                    course=args.naming.course,
                    region=args.region,
                    regions=args.regions,
                    domain=args.domain,
                    budget_usd=args.budget_usd,
                    granted_hours=args.granted_hours,
                    emails=args.emails,
                    keep=args.keep,
                    **made,
                )
            )
        )

    def _machine(self, role: ServerRole, user_data: pulumi.Output[str]) -> aws.ec2.Instance:
        args, tags = self._args, self._args.naming.tags("server")
        disk = aws.ec2.InstanceRootBlockDeviceArgs(
            volume_size=ROOT_DISK_GIB, volume_type="gp3", encrypted=True, kms_key_id=args.key_arn, tags=tags
        )
        return aws.ec2.Instance(
            f"{self._name}-machine",
            ami=args.image_id,
            instance_type=args.instance_type,
            subnet_id=args.subnet_id,
            vpc_security_group_ids=[self._security_group().id],
            iam_instance_profile=role.profile_name,
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            root_block_device=disk,
            user_data=user_data,
            user_data_replace_on_change=True,
            tags=tags,
            # The disk is attached to one machine at a time; and a newer AMI is no reason to end the server of a class.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True, ignore_changes=["ami"]),
        )

    def _role(self) -> ServerRole:
        args = self._args
        return ServerRole(
            f"{self._name}-role",
            naming=args.naming,
            bucket_arn=args.bucket_arn,
            key_arn=args.key_arn,
            secret_arn=self.secret_arn,
            policy_arn=args.launch_policy_arn,
            boundary_arn=args.boundary_arn,
            hosted_zone_id=args.hosted_zone_id,
            opts=self._child,
        )

    def _attach(self, machine: aws.ec2.Instance, address: aws.ec2.Eip, disk: aws.ebs.Volume) -> None:
        aws.ec2.VolumeAttachment(
            f"{self._name}-disk",
            device_name="/dev/sdf",
            instance_id=machine.id,
            volume_id=disk.id,
            # PostgreSQL writes what it has before the disk goes.
            stop_instance_before_detaching=True,
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        aws.ec2.EipAssociation(
            f"{self._name}-address", allocation_id=address.allocation_id, instance_id=machine.id, opts=self._child
        )

    def _security_group(self) -> aws.ec2.SecurityGroup:
        args = self._args
        wanted = {HTTPS: (args.clients, "SkyPilot's clients"), SSH: (args.ssh_from, "SSH from known networks")}
        ingress = [
            aws.ec2.SecurityGroupIngressArgs(
                protocol="tcp", from_port=port, to_port=port, cidr_blocks=list(cidrs), description=description
            )
            for port, (cidrs, description) in wanted.items()
            if cidrs
        ]
        return aws.ec2.SecurityGroup(
            f"{self._name}-group",
            name=args.naming.of("server"),
            description="The course server",
            vpc_id=args.vpc_id,
            ingress=ingress,
            egress=[aws.ec2.SecurityGroupEgressArgs(protocol="-1", from_port=0, to_port=0, cidr_blocks=[ANYWHERE])],
            tags=args.naming.tags("server"),
            opts=self._child,
        )

    def _named(self) -> None:
        if self._args.domain is not None and self._args.hosted_zone_id is not None:
            aws.route53.Record(
                f"{self._name}-domain",
                zone_id=self._args.hosted_zone_id,
                name=self._args.domain,
                type="A",
                ttl=300,
                records=[self.address],
                opts=self._child,
            )
