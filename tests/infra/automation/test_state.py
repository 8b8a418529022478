from __future__ import annotations

from infra.automation.state import SECRET, known, pending, without_pending

SERVER = {
    "urn": "urn:pulumi:s::p::aws:ec2/instance:Instance::server",
    "type": "aws:ec2/instance:Instance",
    "custom": True,
    "id": "i-1",
    "outputs": {"rootBlockDevice": {"volumeId": "vol-1"}, "ebsBlockDevices": [{"volumeId": "vol-2"}], "size": 8},
}
TOKEN = {"type": "x", "custom": True, "id": "sec-1", "outputs": {"value": {SECRET: "sig", "plaintext": "hf_secret"}}}
COMPONENT = {"type": "clusterlab:aws:Network", "custom": False, "outputs": {"vpc_name": "mine"}}


def test_ids_are_known_and_what_hangs_on_them() -> None:
    assert known({"resources": [SERVER]}) == {"i-1", "vol-1", "vol-2"}


def test_no_secret_is_told() -> None:
    assert known({"resources": [TOKEN]}) == {"sec-1"}


def test_component_is_no_resource_of_a_cloud() -> None:
    assert known({"resources": [COMPONENT]}) == set()


def test_document_is_no_id() -> None:
    assert known({"resources": [SERVER | {"outputs": {"policy": "x" * 300}}]}) == {"i-1"}


def test_empty_state_knows_nothing() -> None:
    assert known({}) == set()
    assert pending({"resources": None}) == []


def test_pending_is_told_and_taken_out() -> None:
    deployment = {"resources": [SERVER], "pending_operations": [{"resource": SERVER, "type": "creating"}]}
    assert pending(deployment) == ["creating aws:ec2/instance:Instance server"]
    assert without_pending(deployment) == {"resources": [SERVER]}
