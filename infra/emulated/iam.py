"""Roles, policies and instance profiles of IAM."""

from __future__ import annotations

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made


def role(account: Account, asked: Asked) -> Made:
    """`aws.iam.Role`, with the policies that it is given in place."""
    name, attached = asked.take("name", asked.name), asked.take("managedPolicyArns", [])
    inline = asked.take("inlinePolicies", [])
    asked.drop("forceDetachPolicies")
    inputs = asked.rename(assumeRolePolicy="assumeRolePolicyDocument") | {"roleName": name}
    made = account.call("iam", "create_role", inputs)["Role"]
    for each in inline:
        account.call(
            "iam", "put_role_policy", {"roleName": name, "policyName": each["name"], "policyDocument": each["policy"]}
        )
    for arn in attached:
        account.call("iam", "attach_role_policy", {"roleName": name, "policyArn": arn})
    return Made(id=name, outputs={"arn": made["Arn"], "name": name, "uniqueId": made["RoleId"]})


def policy(account: Account, asked: Asked) -> Made:
    """`aws.iam.Policy`."""
    name = asked.take("name", asked.name)
    inputs = asked.rename(policy="policyDocument") | {"policyName": name}
    made = account.call("iam", "create_policy", inputs)["Policy"]
    return Made(id=made["Arn"], outputs={"arn": made["Arn"], "name": name, "policyId": made["PolicyId"]})


def role_policy(account: Account, asked: Asked) -> Made:
    """`aws.iam.RolePolicy`, which is within its role."""
    name, role = asked.take("name", asked.name), asked.take("role")
    inputs = asked.rename(policy="policyDocument") | {"policyName": name, "roleName": role}
    account.call("iam", "put_role_policy", inputs)
    return Made(id=f"{role}:{name}", outputs={"name": name})


def role_policy_attachment(account: Account, asked: Asked) -> Made:
    """`aws.iam.RolePolicyAttachment`."""
    account.call("iam", "attach_role_policy", asked.rename(role="roleName"))
    return Made(id=f"{asked.inputs['role']}-{asked.inputs['policyArn']}")


def instance_profile(account: Account, asked: Asked) -> Made:
    """`aws.iam.InstanceProfile`, with its role."""
    name, role = asked.take("name", asked.name), asked.take("role")
    made = account.call("iam", "create_instance_profile", asked.inputs | {"instanceProfileName": name})[
        "InstanceProfile"
    ]
    if role:
        account.call("iam", "add_role_to_instance_profile", {"instanceProfileName": name, "roleName": role})
    return Made(id=name, outputs={"arn": made["Arn"], "name": name, "uniqueId": made["InstanceProfileId"]})


MAKERS = {
    "aws:iam/role:Role": role,
    "aws:iam/policy:Policy": policy,
    "aws:iam/rolePolicy:RolePolicy": role_policy,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": role_policy_attachment,
    "aws:iam/instanceProfile:InstanceProfile": instance_profile,
}
