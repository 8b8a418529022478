"""The course server: SkyPilot's API server with the course's policy, and the ledger, on one small machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.naming import Naming


@dataclass(frozen=True, kw_only=True, slots=True)
class CourseServerArgs:
    """What a course server is made of."""

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
    """What lets it start students' machines: `Identity.student_policy_arn`."""
    boundary_arn: pulumi.Input[str] | None = None
    domain: str | None = None
    """Its name in the DNS, with a certificate of Let's Encrypt; None for one that it signs itself."""
    hosted_zone_id: pulumi.Input[str] | None = None
    """Of Route 53, where `domain` lies; with a domain it must be there."""
    skypilot: Mapping[str, pulumi.Input[str]]
    """SkyPilot's `aws` settings: `vpc_name`, `security_group_name`, `remote_identity`."""
    regions: tuple[str, ...]
    """Of the class, which are metered."""
    granted_hours: int = 12
    """Of a launch's lease."""
    emails: tuple[str, ...] = ()
    """Who gets the notices of budgets, where the secret has CLUSTERLAB_NOTIFY."""
    keep: Mapping[str, str]
    """What is kept though a budget is spent: the reaper's keep-list, never empty."""


class CourseServer(pulumi.ComponentResource):
    """The machine, its disk, its address and its role."""

    address: pulumi.Output[str]
    """Its Elastic IP."""
    endpoint: pulumi.Output[str]
    """What `sky api login --endpoint` is given."""
    secret_arn: pulumi.Output[str]
    """Of the first administrator's name and password."""
    certificate: pulumi.Output[str]
    """Where the certificate lies that it signed itself, an s3:// place; empty where it has a domain."""
