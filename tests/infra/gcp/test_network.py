from __future__ import annotations

from infra.gcp.network import Network, NetworkArgs
from tests.infra.conftest import NAMING
from tests.infra.graph import Graph, run

FIREWALL = "gcp:compute/firewall:Firewall"


def network(ssh_from: tuple[str, ...] = ("192.0.2.0/24",)) -> Graph:
    subnets = {"us-east1": "10.20.0.0/20", "europe-west4": "10.20.16.0/20"}
    args = NetworkArgs(naming=NAMING, project="llm", subnets=subnets, ssh_from=ssh_from)

    def program() -> str:
        return Network("network", args).vpc_name

    return run(program)


def test_skypilot_finds_the_network_by_the_name_that_is_exported() -> None:
    graph = network()
    made = graph.one("gcp:compute/network:Network").inputs
    assert made["name"] == graph.result == "clusterlab-llm-2026-network"
    assert made["autoCreateSubnetworks"] is False


def test_each_region_has_a_subnet_that_reaches_google_without_an_address() -> None:
    subnets = [each.inputs for each in network().of("gcp:compute/subnetwork:Subnetwork")]
    assert {each["region"]: each["ipCidrRange"] for each in subnets} == {
        "us-east1": "10.20.0.0/20",
        "europe-west4": "10.20.16.0/20",
    }
    assert all(each["privateIpGoogleAccess"] for each in subnets)


def test_from_outside_comes_only_ssh_of_known_networks() -> None:
    rules = {each.name: each.inputs for each in network().of(FIREWALL)}
    assert rules["network-ssh"]["sourceRanges"] == ["192.0.2.0/24"]
    assert rules["network-ssh"]["allows"] == [{"protocol": "tcp", "ports": ["22"]}]
    assert rules["network-inside"]["sourceRanges"] == ["10.20.0.0/20", "10.20.16.0/20"]
    assert [each.name for each in network(ssh_from=()).of(FIREWALL)] == ["network-inside"]
