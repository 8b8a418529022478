"""Machines of EC2, their templates, disks and addresses."""

from __future__ import annotations

from typing import Any

from infra.emulated.account import Account
from infra.emulated.network import create, tagged
from infra.emulated.resource import Asked, Made

ROOT = "/dev/sda1"
"""What EC2 calls the root disk of most images."""


def instance(account: Account, asked: Asked) -> Made:
    """`aws.ec2.Instance`; its root disk has tags of its own, or none."""
    asked.drop("userDataReplaceOnChange", "forceDestroy")
    tags, root = asked.take("tags"), asked.take("rootBlockDevice")
    profile, zone = asked.take("iamInstanceProfile"), asked.take("availabilityZone")
    inputs: dict[str, Any] = asked.rename(ami="imageId", vpcSecurityGroupIds="securityGroupIds")
    inputs |= {"minCount": 1, "maxCount": 1}
    disk = dict(root or {})
    inputs |= _tagged(instance=tags, volume=disk.pop("tags", None))
    # The provider's default, which moto's images do not have.
    inputs["blockDeviceMappings"] = [{"deviceName": ROOT, "ebs": {"deleteOnTermination": True} | disk}]
    if profile:
        inputs["iamInstanceProfile"] = {"name": profile}
    if zone:
        inputs["placement"] = {"availabilityZone": zone}
    made = account.call("ec2", "run_instances", inputs)["Instances"][0]
    outputs = {"arn": account.arn("ec2", f"instance/{made['InstanceId']}"), "privateIp": made["PrivateIpAddress"]}
    outputs |= {"primaryNetworkInterfaceId": made["NetworkInterfaces"][0]["NetworkInterfaceId"]}
    outputs |= {"availabilityZone": made["Placement"]["AvailabilityZone"], "publicIp": made.get("PublicIpAddress", "")}
    return Made(id=made["InstanceId"], outputs=outputs)


def _tagged(**kinds: dict[str, str] | None) -> dict[str, Any]:
    found = [each for kind, tags in kinds.items() for each in tagged(kind, tags).get("TagSpecifications", [])]
    return {"TagSpecifications": found} if found else {}


def launch_template(account: Account, asked: Asked) -> Made:
    """`aws.ec2.LaunchTemplate`."""
    tags, name = asked.take("tags"), asked.take("name", asked.name)
    about = asked.take("description")
    asked.drop("updateDefaultVersion", "defaultVersion")
    data = asked.rename(vpcSecurityGroupIds="securityGroupIds")
    inputs = {"launchTemplateName": name, "launchTemplateData": data, "versionDescription": about}
    made = create(
        account,
        inputs | {"tags": tags},
        *("create_launch_template", "launch-template", "LaunchTemplate", "LaunchTemplateId"),
    )
    return Made(id=made.id, outputs=made.outputs | {"name": name, "latestVersion": 1, "defaultVersion": 1})


def volume(account: Account, asked: Asked) -> Made:
    """`aws.ebs.Volume`."""
    asked.drop("finalSnapshot")
    return create(account, asked.rename(type="volumeType"), "create_volume", "volume", "VolumeId")


def volume_attachment(account: Account, asked: Asked) -> Made:
    """`aws.ec2.VolumeAttachment`."""
    asked.drop("forceDetach", "skipDestroy", "stopInstanceBeforeDetaching")
    account.call("ec2", "attach_volume", asked.rename(deviceName="device"))
    return Made(id=f"vai-{asked.inputs['volumeId']}")


def address(account: Account, asked: Asked) -> Made:
    """`aws.ec2.Eip`, associated where it has a machine."""
    tags, machine = asked.take("tags"), asked.take("instance")
    answer = account.call("ec2", "allocate_address", asked.inputs | tagged("elastic-ip", tags))
    number, ip = answer["AllocationId"], answer["PublicIp"]
    if machine:
        account.call("ec2", "associate_address", {"allocationId": number, "instanceId": machine})
    return Made(
        id=number, outputs={"allocationId": number, "publicIp": ip, "arn": account.arn("ec2", f"elastic-ip/{number}")}
    )


def address_association(account: Account, asked: Asked) -> Made:
    """`aws.ec2.EipAssociation`."""
    return Made(id=account.call("ec2", "associate_address", asked.inputs)["AssociationId"])


def snapshot_policy(account: Account, asked: Asked) -> Made:
    """`aws.dlm.LifecyclePolicy`, which moto has not."""
    account.check("dlm", "create_lifecycle_policy", asked.inputs, what=str(asked))
    number = f"policy-{asked.name}"
    return Made(id=number, outputs={"arn": account.arn("dlm", f"policy/{number}")})


MAKERS = {
    "aws:ec2/instance:Instance": instance,
    "aws:ec2/launchTemplate:LaunchTemplate": launch_template,
    "aws:ebs/volume:Volume": volume,
    "aws:ec2/volumeAttachment:VolumeAttachment": volume_attachment,
    "aws:ec2/eip:Eip": address,
    "aws:dlm/lifecyclePolicy:LifecyclePolicy": snapshot_policy,
    "aws:ec2/eipAssociation:EipAssociation": address_association,
}
