from __future__ import annotations

import signal
import subprocess
import sys

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from infra.policy.pack import NAME, policies
from tests.clusterlab.conftest import ROOT


def test_pack_is_served_as_the_engine_starts_it() -> None:
    """The engine runs the folder, reads a port from its stdout, and asks there."""
    command = [sys.executable, "-u", "-W", "ignore", str(ROOT / "infra" / "policy")]
    with subprocess.Popen(command, cwd="/", stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
                info = analyzer_pb2_grpc.AnalyzerStub(channel).GetAnalyzerInfo(empty_pb2.Empty())
        finally:
            process.send_signal(signal.SIGINT)
    assert info.name == NAME
    assert [each.name for each in info.policies] == [each.name for each in policies()]
    assert {each.enforcementLevel for each in info.policies} == {analyzer_pb2.MANDATORY}
    assert process.returncode == 0
