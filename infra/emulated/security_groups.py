"""Security groups of EC2 and their rules."""

from __future__ import annotations

from typing import Any

from infra.emulated.account import Account
from infra.emulated.network import create
from infra.emulated.resource import Asked, Made

ALL = "-1"
"""Every protocol, which has no ports."""
RANGES = {
    "cidrBlocks": ("IpRanges", "CidrIp"),
    "ipv6CidrBlocks": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListIds": ("PrefixListIds", "PrefixListId"),
    "securityGroups": ("UserIdGroupPairs", "GroupId"),
}
"""By the provider's name of a list, EC2's and the member that has the text."""
DIRECTIONS = ("ingress", "egress")


def security_group(account: Account, asked: Asked) -> Made:
    """`aws.ec2.SecurityGroup`; its own rules are all that it has, so that what EC2 lets out by itself is taken away."""
    rules = {direction: asked.take(direction, []) for direction in DIRECTIONS}
    asked.drop("revokeRulesOnDelete")
    description = asked.take("description", "Managed by Pulumi")
    name = asked.take("name", asked.name)
    inputs = asked.inputs | {"groupName": name, "description": description}
    made = create(account, inputs, "create_security_group", "security-group", "GroupId")
    _revoke_egress(account, made.id)
    for direction, given in rules.items():
        for each in given:
            _authorize(account, direction, made.id, each)
    return Made(id=made.id, outputs=made.outputs | {"name": name, "description": description})


def _authorize(account: Account, direction: str, group: str, rule: dict[str, Any]) -> None:
    arguments = {"groupId": group, "ipPermissions": [_permission(group, dict(rule))]}
    account.call("ec2", f"authorize_security_group_{direction}", arguments)


def _permission(group: str, rule: dict[str, Any]) -> dict[str, Any]:
    """A rule of the provider's as a permission of EC2's; what is left over is refused with it."""
    protocol, about = str(rule.pop("protocol")), rule.pop("description", None)
    told = {"Description": about} if about else {}
    first, last = rule.pop("fromPort", None), rule.pop("toPort", None)
    found: dict[str, Any] = {"IpProtocol": protocol}
    if protocol != ALL:
        found |= {"FromPort": first, "ToPort": last}
    for key, (name, member) in RANGES.items():
        values = rule.pop(key, None)
        if values:
            found[name] = [{member: value} | told for value in values]
    if rule.pop("self", False):
        found.setdefault("UserIdGroupPairs", []).append({"GroupId": group} | told)
    return found | rule


def _revoke_egress(account: Account, group: str) -> None:
    client = account.client("ec2")
    (found,) = client.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    if found["IpPermissionsEgress"]:
        client.revoke_security_group_egress(GroupId=group, IpPermissions=found["IpPermissionsEgress"])


MAKERS = {"aws:ec2/securityGroup:SecurityGroup": security_group}
