from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from clusterlab.document import Document
from clusterlab.network_plan import NetworkPlan, read_network


def document(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "class.yaml"
    path.write_text(f"network: {text}")
    return Document.load(path, [])


def test_a_network_is_a_range_its_zones_and_who_may_come_by_ssh(tmp_path: Path) -> None:
    given = document(tmp_path, "{cidr: 10.7.0.0/20, zones: [b, d], ssh_from: [192.0.2.0/24, 198.51.100.7/32]}")
    ssh_from = IPv4Network("192.0.2.0/24"), IPv4Network("198.51.100.7/32")
    expected = NetworkPlan(cidr=IPv4Network("10.7.0.0/20"), zones=("b", "d"), ssh_from=ssh_from, https_from=ssh_from)
    assert (read_network(given, "network"), given.problems) == (expected, [])


def test_the_server_may_be_reached_from_elsewhere_than_ssh(tmp_path: Path) -> None:
    plan = read_network(document(tmp_path, "{ssh_from: 192.0.2.0/24, https_from: 198.51.100.0/24}"), "network")
    assert (plan.ssh_from, plan.https_from) == ((IPv4Network("192.0.2.0/24"),), (IPv4Network("198.51.100.0/24"),))


@pytest.mark.parametrize(("zones", "prefix"), [("a", 17), ("ab", 18), ("abc", 19), ("abcd", 19), ("abcde", 20)])
def test_two_subnets_in_each_zone_share_the_range(zones: str, prefix: int) -> None:
    plan = NetworkPlan(zones=tuple(zones))
    assert plan.subnet_prefix() == prefix
    assert len(list(plan.cidr.subnets(new_prefix=prefix))) >= 2 * len(zones)


FAULTS = {
    "no CIDR": ("{cidr: 10.60.0.0.0/16}", "network.cidr: "),
    "host bits": ("{cidr: 10.60.0.1/16}", "network.cidr: 10.60.0.1/16 has host bits set; allowed: an IPv4 network"),
    "too wide": ("{cidr: 10.0.0.0/8}", "network.cidr: 10.0.0.0/8; allowed: a private network of /16 or smaller"),
    "public": ("{cidr: 8.8.0.0/16}", "network.cidr: 8.8.0.0/16; allowed: a private network"),
    "too small": (
        "{cidr: 10.60.0.0/26}",
        "network.cidr: 10.60.0.0/26 is too small for two subnets in each of 3 zones; allowed: /16 to /25",
    ),
    "open": ("{ssh_from: [0.0.0.0/0]}", "network.ssh_from: 0.0.0.0/0 is open to the internet; allowed: networks that"),
    "half of it": ("{ssh_from: 128.0.0.0/1}", "network.ssh_from: 128.0.0.0/1 is open to the internet"),
    "zone": ("{zones: [us-east-1a]}", "network.zones: ['us-east-1a']; allowed: letters of zones, each once"),
    "zones": ("{zones: [a, a]}", "network.zones: ['a', 'a']; allowed: letters of zones, each once"),
    "key": ("{cird: 10.0.0.0/16}", "network.cird: unknown; allowed: cidr, https_from, ssh_from, zones"),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_of_the_network_is_named(tmp_path: Path, text: str, message: str) -> None:
    given = document(tmp_path, text)
    read_network(given, "network")
    [problem] = given.problems
    assert message in str(problem)


def test_the_smallest_network_that_is_said_to_fit_does(tmp_path: Path) -> None:
    given = document(tmp_path, "{cidr: 10.60.0.0/25}")
    assert (read_network(given, "network").subnet_prefix(), given.problems) == (28, [])
