"""Secrets of a class, made without their values: no program, state or log of ours ever holds one.

The instructor gives each its value, from a terminal that does not echo and with no argument that `ps` could show:

    read -rs token; printf %s "$token" | aws secretsmanager put-secret-value \
        --secret-id clusterlab-llm-2026/hf-token --secret-string file:///dev/stdin
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.naming import Naming


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretsArgs:
    """What secrets there are."""

    naming: Naming
    key_arn: pulumi.Input[str]
    """What they are encrypted with."""
    names: tuple[str, ...]
    """Such as hf-token."""


class Secrets(pulumi.ComponentResource):
    """Secrets without values."""

    arns: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("clusterlab:aws:Secrets", name, None, opts)
        self.arns = {}
        for secret in args.names:
            self.arns[secret] = aws.secretsmanager.Secret(
                f"{name}-{secret}",
                name=f"{args.naming.name}/{secret}",
                kms_key_id=args.key_arn,
                # Who set the value can set it again; a name that waits for its end would stop the next `pulumi up`.
                recovery_window_in_days=0,
                tags=args.naming.tags(secret),
                opts=pulumi.ResourceOptions(parent=self),
            ).arn
        self.register_outputs({"arns": self.arns})
