"""What a class has in Google Cloud: one network over its regions, and in the first of them a bucket of its own."""

from __future__ import annotations

from decimal import ROUND_CEILING
from typing import Any

import pulumi
import pulumi_gcp as gcp

from clusterlab.google_project import GoogleProject
from infra.course import Course
from infra.gcp.budget import Budget, BudgetArgs
from infra.gcp.identity import Identity, IdentityArgs
from infra.gcp.network import Network, NetworkArgs
from infra.gcp.storage import Storage, StorageArgs


def on_gcp(course: Course, google: GoogleProject) -> dict[str, Any]:
    """Register a class's part in Google Cloud, and say what it exports."""
    project, region = google.project, course.cluster.regions("gcp")[0]
    provider = gcp.Provider(
        "gcp",
        project=project,
        region=region,
        # The project pays for what is asked of APIs that belong to none, budgets among them.
        billing_project=project,
        user_project_override=True,
    )
    opts, asked = pulumi.ResourceOptions(provider=provider), pulumi.InvokeOptions(provider=provider)
    number = gcp.organizations.get_project_output(project_id=project, opts=asked).number
    network = _network(course, google, opts)
    storage = _storage(course, google, number, opts)
    identity = _identity(course, google, storage, opts)
    _budget(course, google, number, opts)
    return {
        "gcp_project": project,
        "gcp_region": region,
        "gcp_vpc_name": network.vpc_name,
        "gcp_node_service_account": identity.node_service_account,
        "gcp_bucket": storage.bucket_name,
        "gcp_labels": {"course": course.naming.course},
    }


def _network(course: Course, google: GoogleProject, opts: pulumi.ResourceOptions) -> Network:
    regions, plan = course.cluster.regions("gcp"), course.cluster.network
    parts = plan.cidr.subnets(prefixlen_diff=(len(regions) - 1).bit_length())
    args = NetworkArgs(
        naming=course.naming,
        project=google.project,
        subnets=dict(zip(regions, map(str, parts), strict=False)),
        ssh_from=tuple(map(str, plan.ssh_from)),
    )
    return Network("gcp-network", args, opts)


def _storage(
    course: Course, google: GoogleProject, number: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> Storage:
    args = StorageArgs(
        naming=course.naming,
        project=google.project,
        # The project's id makes the bucket's name the only one in the world.
        bucket=course.naming.of(google.project),
        region=course.cluster.regions("gcp")[0],
        project_number=number,
    )
    return Storage("gcp-storage", args, opts)


def _identity(course: Course, google: GoogleProject, storage: Storage, opts: pulumi.ResourceOptions) -> Identity:
    args = IdentityArgs(
        naming=course.naming,
        project=google.project,
        regions=course.cluster.regions("gcp"),
        instance_types=course.instance_types("gcp"),
        students=(f"group:{google.students}",),
        instructors=tuple(f"user:{each}" for each in course.cluster.instructors),
        bucket_name=storage.bucket_name,
        organization=google.organization,
    )
    return Identity("gcp-identity", args, opts)


def _budget(course: Course, google: GoogleProject, number: pulumi.Output[str], opts: pulumi.ResourceOptions) -> None:
    args = BudgetArgs(
        naming=course.naming,
        project=google.project,
        project_number=number,
        billing_account=google.billing_account,
        # Each cloud watches the whole of it: what both cost together, the ledger knows.
        limit_usd=course.limit_usd.to_integral_value(ROUND_CEILING),
        starts=course.dates.start,
        ends=course.naming.lease_until.date(),
        emails=course.cluster.instructors,
    )
    Budget("gcp-budget", args, opts)
