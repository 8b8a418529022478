"""File systems of EFS and of FSx for Lustre."""

from __future__ import annotations

from infra.emulated.account import Account
from infra.emulated.resource import Asked, Made


def file_system(account: Account, asked: Asked) -> Made:
    """`aws.efs.FileSystem`, with its life cycle."""
    lifecycle = asked.take("lifecyclePolicies")
    inputs = {"creationToken": asked.name} | asked.inputs
    made = account.call("efs", "create_file_system", inputs)
    number = made["FileSystemId"]
    if lifecycle:
        arguments = {"fileSystemId": number, "lifecyclePolicies": lifecycle}
        account.call("efs", "put_lifecycle_configuration", arguments)
    domain = f"{number}.efs.{account.region}.amazonaws.com"
    return Made(id=number, outputs={"arn": made["FileSystemArn"], "dnsName": domain})


def mount_target(account: Account, asked: Asked) -> Made:
    """`aws.efs.MountTarget`."""
    made = account.call("efs", "create_mount_target", asked.inputs)
    return Made(id=made["MountTargetId"], outputs={"ipAddress": made["IpAddress"]})


def lustre(account: Account, asked: Asked) -> Made:
    """`aws.fsx.LustreFileSystem`."""
    common = {
        key: asked.take(key) for key in ("storageCapacity", "storageType", "securityGroupIds", "tags", "kmsKeyId")
    }
    subnet, backup = asked.take("subnetIds"), asked.take("backupId")
    given = common | {"fileSystemType": "LUSTRE", "subnetIds": [subnet], "backupId": backup}
    made = account.call("fsx", "create_file_system", given | {"lustreConfiguration": asked.inputs})["FileSystem"]
    number = made["FileSystemId"]
    outputs = {
        "arn": made["ResourceARN"],
        "dnsName": f"{number}.fsx.{account.region}.amazonaws.com",
        "mountName": "fsx",
    }
    return Made(id=number, outputs=outputs)


MAKERS = {
    "aws:efs/fileSystem:FileSystem": file_system,
    "aws:efs/mountTarget:MountTarget": mount_target,
    "aws:fsx/lustreFileSystem:LustreFileSystem": lustre,
}
