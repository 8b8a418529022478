"""What the program asks AWS before it makes anything: its account, and parameters of Systems Manager."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from infra.emulated.account import Account, RefusedError

Answer = Callable[[Account, dict[str, Any]], dict[str, Any]]
CANONICAL = "/aws/service/canonical/"
CANONICAL_ACCOUNT = "099720109477"


def caller_identity(account: Account, asked: dict[str, Any]) -> dict[str, Any]:
    """`aws.get_caller_identity`."""
    del asked
    answer = account.call("sts", "get_caller_identity", {})
    return {"accountId": answer["Account"], "arn": answer["Arn"], "id": answer["Account"], "userId": answer["UserId"]}


def parameter(account: Account, asked: dict[str, Any]) -> dict[str, Any]:
    """`aws.ssm.get_parameter`; moto has none of Canonical's, so that an image of Canonical's stands for its newest."""
    if str(asked["name"]).startswith(CANONICAL):
        account.not_emulated.append(f"{asked['name']}: ssm get_parameter")
        value = _image_of(account, CANONICAL_ACCOUNT)
    else:
        value = account.call("ssm", "get_parameter", asked)["Parameter"]["Value"]
    arn = account.arn("ssm", f"parameter{asked['name']}")
    return {"id": asked["name"], "name": asked["name"], "arn": arn, "value": value, "insecureValue": value}


def _image_of(account: Account, owner: str) -> str:
    found = account.call("ec2", "describe_images", {"owners": [owner]})["Images"]
    if not found:
        raise RefusedError(f"no image of {owner}; allowed: an account with AMIs (MOTO_EC2_LOAD_DEFAULT_AMIS)")
    return str(min(each["ImageId"] for each in found))


def project(account: Account, asked: dict[str, Any]) -> dict[str, Any]:
    """`gcp.organizations.get_project`; no Google Cloud is emulated, so that it is only what was asked for."""
    name = asked.get("projectId", "")
    account.not_emulated.append(f"gcp project {name}: gcp getProject")
    return {"id": f"projects/{name}", "projectId": name, "name": name, "number": account.number}


ANSWERS: Mapping[str, Answer] = {
    "aws:index/getCallerIdentity:getCallerIdentity": caller_identity,
    "aws:ssm/getParameter:getParameter": parameter,
    "gcp:organizations/getProject:getProject": project,
}
