"""What the pack says of a Pulumi program: run under mocks, and judged by the policy server's own calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2
from pulumi.runtime import mocks
from pulumi.runtime.proto import analyzer_pb2, resource_pb2
from pulumi_policy import EnforcementLevel
from pulumi_policy.policy import _PolicyAnalyzerServicer

from infra.in_process import run
from infra.policy.pack import NAME, policies
from tests.infra.graph import STACK, EchoMocks


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    policy: str
    message: str
    mandatory: bool
    urn: str


class Monitor(mocks.MockMonitor):
    """Keeps each request as it was sent, with which input is of what: a bucket's encryption is by that."""

    def __init__(self, made: mocks.Mocks) -> None:
        super().__init__(made)
        self.requests: dict[str, resource_pb2.RegisterResourceRequest] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        self.requests[answer.urn] = request
        return answer


def judge(program: Callable[[], object], agreed: Mapping[str, Mapping[str, Any]]) -> list[Violation]:
    """Run a program, and ask every rule of every resource and of the stack."""
    made = EchoMocks()
    monitor = Monitor(made)
    run(program, answers=made, monitor=monitor, stack="llm-2026")
    return judge_requests(monitor.requests, agreed)


def judge_requests(
    requests: Mapping[str, resource_pb2.RegisterResourceRequest], agreed: Mapping[str, Mapping[str, Any]]
) -> list[Violation]:
    """Ask every rule of each request, by URN, and of all of them together."""
    server: Any = _PolicyAnalyzerServicer(NAME, "0.1.0", policies(), EnforcementLevel.ADVISORY)
    server.Configure(_configuration(agreed), None)
    made = {urn: each for urn, each in requests.items() if each.type != STACK}
    found = []
    for urn, each in made.items():
        asked = analyzer_pb2.AnalyzeRequest(
            type=each.type, properties=each.object, urn=urn, name=each.name, provider=_provider(each, requests)
        )
        found += list(server.Analyze(asked, None).diagnostics)
    resources = [_of_stack(urn, each, requests) for urn, each in made.items()]
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


def _provider(
    each: resource_pb2.RegisterResourceRequest, requests: Mapping[str, resource_pb2.RegisterResourceRequest]
) -> analyzer_pb2.AnalyzerProviderResource | None:
    """What the engine looks up by the URN before the last `::`, which is an id."""
    urn = each.provider.rpartition("::")[0]
    found = requests.get(urn)
    if found is None:
        return None
    return analyzer_pb2.AnalyzerProviderResource(type=found.type, properties=found.object, urn=urn, name=found.name)


def _of_stack(
    urn: str,
    each: resource_pb2.RegisterResourceRequest,
    requests: Mapping[str, resource_pb2.RegisterResourceRequest],
) -> analyzer_pb2.AnalyzerResource:
    made = analyzer_pb2.AnalyzerResource(
        type=each.type,
        properties=each.object,
        urn=urn,
        name=each.name,
        parent=each.parent,
        dependencies=each.dependencies,
        provider=_provider(each, requests),
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
