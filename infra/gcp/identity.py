"""Who may do what in a class on Google Cloud."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from infra.naming import Naming


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
    bucket_name: pulumi.Input[str]


class Identity(pulumi.ComponentResource):
    """The nodes' service account, the students' custom role, and what the project's policies refuse."""

    node_service_account: pulumi.Output[str]
    """Its e-mail, which is SkyPilot's `gcp.remote_identity`."""
    student_role_id: pulumi.Output[str]
