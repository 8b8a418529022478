"""Who may do what in a class on Google Cloud, and what nobody may.

A condition of IAM there knows a resource's name, type, location and tags, but not the labels of a machine that is about
to be made: so IAM cannot refuse a launch without the cost tags or a lease, as it can on AWS. The course's policy
refuses it, in the client and on the course server, and the reaper ends what came to be all the same. Where machines may
be, and of which types, is the organization policy's to say, which binds owners too. Who uses it needs the role
Organization Policy Administrator, which a project's owner lacks: without it `limits` is left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.naming import Naming

LAUNCHES = (
    "compute.disks.create",
    "compute.disks.list",
    "compute.disks.setLabels",
    "compute.firewalls.get",
    "compute.firewalls.list",
    "compute.globalOperations.get",
    "compute.images.get",
    "compute.images.useReadOnly",
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.get",
    "compute.instances.list",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.instances.setServiceAccount",
    "compute.instances.setTags",
    "compute.instances.start",
    "compute.instances.stop",
    "compute.networks.get",
    "compute.networks.getEffectiveFirewalls",
    "compute.networks.list",
    "compute.projects.get",
    "compute.regions.list",
    "compute.subnetworks.get",
    "compute.subnetworks.list",
    "compute.subnetworks.use",
    "compute.subnetworks.useExternalIp",
    "compute.zoneOperations.get",
    "compute.zones.list",
    "iam.roles.get",
    "iam.serviceAccounts.get",
    "resourcemanager.projects.get",
    "resourcemanager.projects.getIamPolicy",
    # SkyPilot takes no account that lacks it.
    "serviceusage.services.enable",
    "serviceusage.services.list",
    "serviceusage.services.use",
)
"""What SkyPilot does for a student in a network that is there; it makes no network, firewall rule or policy of IAM."""
NODE_ACCOUNT = "skypilot-v1"
"""By this name SkyPilot 0.14.1 finds the account of its machines in a project; a project thus holds one class."""
WATCHES = ("roles/compute.viewer", "roles/logging.viewer", "roles/monitoring.viewer")


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityArgs:
    """Who takes part, and where."""

    naming: Naming
    project: str
    regions: tuple[str, ...]
    instance_types: tuple[str, ...]
    """Machine types that may be launched; none for any."""
    students: tuple[str, ...]
    """IAM members, such as `user:ana@example.org`, or one `group:`."""
    instructors: tuple[str, ...]
    """IAM members."""
    bucket_name: pulumi.Input[str]
    organization: str | None = None
    """Its number, where whoever runs this may set the organization's policies for the project."""


class Identity(pulumi.ComponentResource):
    """The nodes' service account, the students' custom role, and what the project's policies refuse."""

    node_service_account: pulumi.Output[str]
    """Its e-mail."""
    student_role_id: pulumi.Output[str]

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:gcp:Identity", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        node = self._node()
        self.node_service_account = node.email
        self.student_role_id = self._student_role().name
        self._students(node)
        self._instructors()
        if args.organization is not None:
            self._limits(args.organization)
        outputs = {"node_service_account": self.node_service_account, "student_role_id": self.student_role_id}
        self.register_outputs(outputs)

    def _node(self) -> gcp.serviceaccount.Account:
        """It keeps runs in the bucket, and ends machines, as autostop does; that they be its own IAM cannot say."""
        args = self._args
        account = gcp.serviceaccount.Account(
            f"{self._name}-node",
            account_id=NODE_ACCOUNT,
            project=args.project,
            display_name=f"Nodes of {args.naming.course}",
            opts=self._child,
        )
        gcp.storage.BucketIAMMember(
            f"{self._name}-node-bucket",
            bucket=args.bucket_name,
            role="roles/storage.objectUser",
            member=account.member,
            opts=self._child,
        )
        role = self._role("node", "Ends itself", ("compute.instances.delete", "compute.instances.get"))
        self._grant("node", role.name, account.member)
        return account

    def _student_role(self) -> gcp.projects.IAMCustomRole:
        return self._role("student", "Launches machines", LAUNCHES)

    def _students(self, node: gcp.serviceaccount.Account) -> None:
        for number, member in enumerate(self._args.students):
            self._grant(f"student-{number}", self.student_role_id, member)
            gcp.serviceaccount.IAMMember(
                f"{self._name}-student-{number}-node",
                service_account_id=node.name,
                role="roles/iam.serviceAccountUser",
                member=member,
                opts=self._child,
            )

    def _instructors(self) -> None:
        for number, member in enumerate(self._args.instructors):
            for role in WATCHES:
                self._grant(f"instructor-{number}-{role.partition('/')[2]}", role, member)

    def _role(self, part: str, title: str, permissions: tuple[str, ...]) -> gcp.projects.IAMCustomRole:
        return gcp.projects.IAMCustomRole(
            f"{self._name}-{part}",
            role_id=self._args.naming.of(part).replace("-", "_"),
            project=self._args.project,
            title=f"{self._args.naming.course}: {title}",
            permissions=list(permissions),
            opts=self._child,
        )

    def _grant(self, part: str, role: pulumi.Input[str], member: pulumi.Input[str]) -> None:
        project = self._args.project
        gcp.projects.IAMMember(f"{self._name}-{part}", project=project, role=role, member=member, opts=self._child)

    def _limits(self, organization: str) -> None:
        """Organization policies on the project: where, without keys of service accounts, and which machine types."""
        args = self._args
        where = gcp.orgpolicy.PolicySpecRuleValuesArgs(
            allowed_values=[f"in:{region}-locations" for region in args.regions]
        )
        self._limit("gcp.resourceLocations", gcp.orgpolicy.PolicySpecRuleArgs(values=where))
        enforced = gcp.orgpolicy.PolicySpecRuleArgs(enforce="TRUE")
        self._limit("iam.disableServiceAccountKeyCreation", enforced)
        if args.instance_types:
            constraint = gcp.orgpolicy.CustomConstraint(
                f"{self._name}-machine-types",
                name=constraint_name(args.naming.course),
                parent=f"organizations/{organization}",
                display_name="Machine types of a class",
                resource_types=["compute.googleapis.com/Instance"],
                method_types=["CREATE", "UPDATE"],
                action_type="ALLOW",
                condition=machine_types(args.instance_types),
                opts=self._child,
            )
            self._limit(constraint.name, enforced, part="machine-types-policy")

    def _limit(
        self, constraint: pulumi.Input[str], rule: gcp.orgpolicy.PolicySpecRuleArgs, *, part: str | None = None
    ) -> None:
        project = self._args.project
        gcp.orgpolicy.Policy(
            f"{self._name}-{part or constraint}",
            name=pulumi.Output.format("projects/{0}/policies/{1}", project, constraint),
            parent=f"projects/{project}",
            spec=gcp.orgpolicy.PolicySpecArgs(rules=[rule]),
            opts=self._child,
        )


def constraint_name(course: str) -> str:
    """Of a custom constraint: an organization has one of each name, of letters and figures."""
    return "custom.clusterlab" + "".join(part.capitalize() for part in course.replace("_", "-").split("-"))


def machine_types(types: tuple[str, ...]) -> str:
    """A condition in CEL that allows these."""
    return " || ".join(f"resource.machineType.endsWith('/{each}')" for each in types)
