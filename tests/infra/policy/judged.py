"""What the pack says of a Pulumi program: run under mocks, and judged by the policy server's own calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from google.protobuf import struct_pb2
from pulumi.runtime import mocks
from pulumi.runtime.proto import analyzer_pb2, resource_pb2
from pulumi.runtime.settings import SETTINGS, set_root_resource
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _sync_await
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer

from infra.policy.pack import NAME, policies

STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    policy: str
    message: str
    mandatory: bool
    urn: str


class Echo(pulumi.runtime.Mocks):
    """A cloud that makes what it is asked to, and knows nothing else."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"{args.token}: not expected")


class Monitor(mocks.MockMonitor):
    """Keeps each request as it was sent."""

    def __init__(self, made: mocks.Mocks) -> None:
        super().__init__(made)
        self.requests: dict[str, resource_pb2.RegisterResourceRequest] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        answer = super().RegisterResource(request)
        self.requests[answer.urn] = request
        return answer


def judge(program: Callable[[], object], agreed: Mapping[str, Mapping[str, Any]]) -> list[Violation]:
    """Run a program, and ask every rule of every resource and of the stack."""
    made = Echo()
    monitor = Monitor(made)
    mocks.set_mocks(made, project="clusterlab", stack="llm-2026", monitor=monitor)
    set_root_resource(None)
    SETTINGS.rpc_manager.clear()
    SETTINGS.outputs.clear()
    _sync_await(run_in_stack(program))
    return judge_requests(monitor.requests, agreed)


def judge_requests(
    requests: Mapping[str, resource_pb2.RegisterResourceRequest], agreed: Mapping[str, Mapping[str, Any]]
) -> list[Violation]:
    """Ask every rule of each request, by URN, and of all of them together."""
    server = _PolicyAnalyzerServicer(NAME, "0.1.0", policies(), EnforcementLevel.ADVISORY)
    server.Configure(_configuration(agreed), None)
    made = {urn: each for urn, each in requests.items() if each.type != STACK}
    found = []
    for urn, each in made.items():
        asked = analyzer_pb2.AnalyzeRequest(type=each.type, properties=each.object, urn=urn, name=each.name)
        found += list(server.Analyze(asked, None).diagnostics)
    resources = [_of_stack(urn, each) for urn, each in made.items()]
    found += list(server.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources), None).diagnostics)
    return [
        Violation(
            policy=each.policyName,
            message=each.message.partition("\n")[2] or each.message,
            mandatory=each.enforcementLevel == analyzer_pb2.MANDATORY,
            urn=each.urn,
        )
        for each in found
    ]


def _of_stack(urn: str, each: resource_pb2.RegisterResourceRequest) -> analyzer_pb2.AnalyzerResource:
    made = analyzer_pb2.AnalyzerResource(
        type=each.type,
        properties=each.object,
        urn=urn,
        name=each.name,
        parent=each.parent,
        dependencies=each.dependencies,
    )
    for key, named in each.propertyDependencies.items():
        made.propertyDependencies[key].urns.extend(named.urns)
    return made


def _configuration(agreed: Mapping[str, Mapping[str, Any]]) -> analyzer_pb2.ConfigureAnalyzerRequest:
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for name, terms in agreed.items():
        properties = struct_pb2.Struct()
        properties.update(terms)
        request.policyConfig[name].enforcementLevel = analyzer_pb2.MANDATORY
        request.policyConfig[name].properties.CopyFrom(properties)
    return request
