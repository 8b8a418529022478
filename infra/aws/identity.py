"""Who may do what in a class's account: a role for nodes, one for each student, one for instructors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pulumi
import pulumi_aws as aws

from infra.aws import statements_launch, statements_node
from infra.aws.statements import (
    Document,
    Scope,
    fitting,
    path_of,
    trust_instructor,
    trust_service,
    trust_student,
)
from infra.naming import Naming

MAX_SESSION_HOURS = 12
"""What IAM lets a session last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityArgs:
    """What identities are made of."""

    naming: Naming
    account_id: pulumi.Input[str]
    regions: tuple[str, ...]
    """Where students may launch."""
    instance_types: tuple[str, ...]
    """What they may launch."""
    students: tuple[str, ...]
    instructors: tuple[str, ...]
    """By e-mail address, which their sessions are named for."""
    bucket_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    """Of the key that encrypts the bucket and the secret."""
    repository_arn: pulumi.Input[str]
    """Of the class's images; `*` at its end for all of them."""
    secret_arn: pulumi.Input[str]
    """The one that nodes read."""
    granted_hours: int
    """Of a launch's lease; a student's session lasts as long, so that no job outlives it."""


class Identity(pulumi.ComponentResource):
    """Roles, their documents, and what is denied whatever else is attached to them."""

    node_role_name: str
    """Of the role and of its instance profile: SkyPilot's `remote_identity`."""
    node_profile_name: str
    node_role_arn: pulumi.Output[str]
    student_role_arns: dict[str, pulumi.Output[str]]
    student_role_names: dict[str, pulumi.Output[str]]
    student_policy_arn: pulumi.Output[str]
    server_policy_arn: pulumi.Output[str]
    """What the course server's role needs, to launch for every student."""
    instructor_role_arn: pulumi.Output[str]
    deny_launch_policy_arn: pulumi.Output[str]
    """What the budget's action attaches."""
    boundary_arn: pulumi.Output[str]

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:Identity", name, None, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self._path = path_of(args.naming.course)
        self._known = pulumi.Output.all(
            account=args.account_id,
            bucket=args.bucket_arn,
            key=args.key_arn,
            repository=args.repository_arn,
            secret=args.secret_arn,
        )
        self.boundary_arn = self._policy("boundary", lambda _: statements_launch.boundary())
        self.deny_launch_policy_arn = self._policy("deny-launch", lambda _: statements_launch.deny_launch())
        guard = self._policy("guard", statements_launch.guard)
        self._node(guard)
        self._students(guard)
        # The course server makes its own role.
        self.server_policy_arn = self._policy("server", statements_launch.server)
        self._instructor()
        self.register_outputs(
            {
                "node_role_arn": self.node_role_arn,
                "student_role_arns": self.student_role_arns,
                "student_policy_arn": self.student_policy_arn,
                "server_policy_arn": self.server_policy_arn,
                "instructor_role_arn": self.instructor_role_arn,
                "deny_launch_policy_arn": self.deny_launch_policy_arn,
                "boundary_arn": self.boundary_arn,
            }
        )

    def _node(self, guard: pulumi.Output[str]) -> None:
        role = self._role("node", pulumi.Output.from_input(trust_service("ec2")), bounded=True)
        self._attach("node", role, {"node": self._policy("node", statements_node.node), "guard": guard})
        self.node_role_name = self.node_profile_name = self._called("node")
        self.node_role_arn = role.arn
        aws.iam.InstanceProfile(
            f"{self._name}-node",
            name=self.node_profile_name,
            path=self._path,
            role=role.name,
            tags=self._args.naming.tags("node"),
            opts=self._child,
        )

    def _students(self, guard: pulumi.Output[str]) -> None:
        self.student_policy_arn = self._policy("student", statements_launch.student)
        self.student_role_arns, self.student_role_names = {}, {}
        for student in self._args.students:
            part = f"student-{student}"
            trust = self._known.apply(partial(_trust_student, student))
            role = self._role(part, trust, bounded=True, path=f"{self._path}student/", tags={"student": student})
            self._attach(part, role, {"student": self.student_policy_arn, "guard": guard})
            self.student_role_arns[student], self.student_role_names[student] = role.arn, role.name

    def _instructor(self) -> None:
        course, emails = self._args.naming.course, self._args.instructors
        trust = self._known.apply(lambda known: trust_instructor(known["account"], course, emails))
        role = self._role("instructor", trust)
        self._attach("instructor", role, {"instructor": self._policy("instructor", statements_node.instructor)})
        self.instructor_role_arn = role.arn

    def _policy(self, part: str, document: Callable[[Scope], Document]) -> pulumi.Output[str]:
        """A managed policy of the class; its ARN."""
        policy = aws.iam.Policy(
            f"{self._name}-{part}",
            name=self._args.naming.of(part),
            path=self._path,
            policy=self._known.apply(lambda known: json.dumps(document(self._scope(known)))),
            tags=self._args.naming.tags(part),
            opts=self._child,
        )
        arn: pulumi.Output[str] = policy.arn
        return arn

    def _role(
        self,
        part: str,
        trust: pulumi.Output[Document],
        *,
        bounded: bool = False,
        path: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> aws.iam.Role:
        return aws.iam.Role(
            f"{self._name}-{part}",
            name=self._called(part),
            path=path or self._path,
            assume_role_policy=trust.apply(json.dumps),
            permissions_boundary=self.boundary_arn if bounded else None,
            max_session_duration=3600 * min(self._args.granted_hours, MAX_SESSION_HOURS),
            tags=self._args.naming.tags(part) | (tags or {}),
            opts=self._child,
        )

    def _attach(self, part: str, role: aws.iam.Role, policies: dict[str, pulumi.Output[str]]) -> None:
        """One by one, and never as the role's whole list: what the budget's action attached must stay."""
        for each, arn in policies.items():
            aws.iam.RolePolicyAttachment(
                f"{self._name}-{part}-{each}", role=role.name, policy_arn=arn, opts=self._child
            )

    def _called(self, part: str) -> str:
        return fitting(self._args.naming.of(part))

    def _scope(self, known: dict[str, str]) -> Scope:
        naming = self._args.naming
        return Scope(
            course=naming.course,
            regions=self._args.regions,
            instance_types=self._args.instance_types,
            ends=naming.lease_until,
            **known,
        )


def _trust_student(student: str, known: dict[str, str]) -> Document:
    return trust_student(known["account"], student)
