"""A Pulumi program's graph without an engine, as plain data: every resource that it registers, and its exports.

Outputs that only a cloud knows read `${<Type>.<name>.<property>}`, so that a graph shows who takes what from whom.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pulumi
import yaml
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc

from infra import in_process

ACCOUNT = "123456789012"
STACK = "pulumi:pulumi:Stack"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
"""Pulumi's mark of a secret in what goes to the engine."""
HASH = re.compile(r"(?<=[-:])[0-9a-f]{16}\b")
"""Of the code or of a lock, in a name."""
CLOUD_CONFIG = "#cloud-config"
TEXTS = (
    "arn",
    "name",
    "bucket",
    "keyId",
    "repositoryUrl",
    "dnsName",
    "privateIp",
    "publicIp",
    "publicDns",
    "email",
    "selfLink",
    "uniqueId",
    "url",
    "version",
    "endpoint",
)
"""Outputs that are texts, wherever a type has them."""
OUTPUTS: dict[str, dict[str, Any]] = {
    "aws:eks/cluster:Cluster": {"certificateAuthority": {"data": "${Cluster.certificateAuthority}"}},
}
"""Outputs that a program looks into, and so must look like a cloud's."""
CALLS: dict[str, dict[str, Any]] = {
    "gcp:organizations/getProject:getProject": {"number": "210987654321", "projectId": "p", "name": "p", "id": "p"},
    "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT, "arn": "", "id": ACCOUNT, "userId": ""},
    "aws:ssm/getParameter:getParameter": {"insecureValue": "ami-0123456789abcdef0", "value": "ami-0123456789abcdef0"},
}
"""What a program may ask a cloud."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One resource, as the program asked the engine for it."""

    urn: str
    type: str
    name: str
    parent: str
    """The parent's URN."""
    inputs: dict[str, Any]
    """Under the provider's own names (camelCase)."""
    secrets: tuple[str, ...]
    """Inputs that are, or hold, secrets."""
    protect: bool
    retain_on_delete: bool
    provider: str
    """By its name; empty for the default one."""
    needs: tuple[str, ...]
    """URNs of what must be there first."""

    def as_data(self, labels: dict[str, str]) -> dict[str, Any]:
        """What a golden file shows; `labels` has a short name for each URN."""
        shown = {
            "parent": labels.get(self.parent),
            "provider": self.provider,
            "inputs": _plain(self.inputs),
            "secrets": list(self.secrets),
            "protect": self.protect,
            "retain_on_delete": self.retain_on_delete,
            "needs": sorted(labels[urn] for urn in self.needs if urn in labels),
        }
        return {key: value for key, value in shown.items() if value}


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """What a whole program asked for."""

    resources: tuple[Resource, ...]
    """In no order that means anything, the stack left out."""
    exports: dict[str, Any]
    result: Any
    """What the program returned."""

    def of(self, token: str) -> tuple[Resource, ...]:
        """The resources of a type, such as aws:s3/bucket:Bucket, or clusterlab:aws:Network."""
        return tuple(each for each in self.resources if each.type == token)

    def one(self, token: str) -> Resource:
        """The only one of a type."""
        [found] = self.of(token)
        return found

    def as_data(self) -> dict[str, Any]:
        """Plain data, sorted, so that equal programs have equal files."""
        labels = {each.urn: f"{_kind(each.type)}.{each.name}" for each in self.resources}
        by_label: dict[str, Any] = {}
        for each in sorted(self.resources, key=lambda each: (each.type, each.name)):
            by_label.setdefault(each.type, {})[each.name] = each.as_data(labels)
        return {"exports": _plain(self.exports), "resources": by_label}


@dataclass(kw_only=True)
class EchoMocks(mocks.Mocks):
    """A cloud that takes what it is given, and names what it would make."""

    calls: dict[str, dict[str, Any]] = field(default_factory=lambda: dict(CALLS))

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The resource's inputs, with an output for each text that it could have."""
        known = {text: f"${{{_kind(args.typ)}.{args.name}.{text}}}" for text in ("id", *TEXTS)}
        known |= OUTPUTS.get(args.typ, {})
        return known.pop("id"), known | args.inputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Only what is known is answered."""
        return self.calls[args.token], []


class _Monitor(mocks.MockMonitor):
    """Pulumi's own monitor for tests, which keeps what it is asked for."""

    def __init__(self, answers: mocks.Mocks) -> None:
        super().__init__(answers)
        self.found: list[Resource] = []
        self.exports: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != STACK:
            self.found.append(_resource(request, answer.urn))
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if f"::{STACK}::" in request.urn:
            self.exports = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def run(program: Callable[[], Any], *, stack: str = "llm-2026", answers: mocks.Mocks | None = None) -> Graph:
    """Run a program to its end as Pulumi's language host does; whatever it raises is raised."""
    answers = answers or EchoMocks()
    monitor = _Monitor(answers)
    results: list[Any] = []

    def ran() -> None:
        results.append(program())

    in_process.run(ran, answers=answers, monitor=monitor, stack=stack)
    return Graph(resources=tuple(monitor.found), exports=monitor.exports, result=results[0])


def _resource(request: Any, urn: str) -> Resource:
    raw = json_format.MessageToDict(request.object)
    by_inputs = {urn for each in request.propertyDependencies.values() for urn in each.urns}
    return Resource(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent,
        inputs=rpc.deserialize_properties(request.object),
        secrets=tuple(sorted(key for key, value in raw.items() if SECRET in json.dumps(value))),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        provider=request.provider.split("::")[3] if request.provider else "",
        needs=tuple(sorted(set(request.dependencies) - by_inputs)),
    )


def _kind(token: str) -> str:
    return token.rpartition(":")[2]


def _plain(value: Any) -> Any:
    """Documents by what they say; of files, which change with each commit, only where they lie."""
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, pulumi.AssetArchive):
        return {"archive": sorted({name.partition("/")[0] for name in value.assets})}
    if isinstance(value, pulumi.FileArchive | pulumi.FileAsset):
        return {"file": value.path}
    if isinstance(value, pulumi.StringAsset):
        return {"text": value.text}
    # To the engine every number is a double.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _parsed(HASH.sub("<hash>", value)) if isinstance(value, str) else value


def _parsed(text: str) -> Any:
    """A policy is compared by what it says, not by how it is written."""
    if text.startswith(CLOUD_CONFIG):
        return _plain(yaml.safe_load(text))
    if text[:1] not in ("{", "["):
        return text
    try:
        return _plain(json.loads(text))
    except ValueError:
        return text


def names(resources: Iterable[Resource]) -> list[str]:
    """Of each, sorted."""
    return sorted(each.name for each in resources)
