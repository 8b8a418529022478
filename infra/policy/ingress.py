"""The rule of who may come in: nobody from everywhere but by HTTPS, and by SSH only from where the class is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from infra.policy.rule import Resource, Terms, mappings

SSH, HTTPS = 22, 443
ALL_PORTS = (0, 65535)
WIDEST = {4: 8, 6: 16}
"""The shortest prefix, by version, that is a place and not most of the internet: two halves of it are no two places."""
PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
GROUPS = ("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
FIREWALL = "gcp:compute/firewall:Firewall"

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """From where which ports are reached."""

    sources: tuple[str, ...]
    first: int
    last: int
    closed: bool = False
    """Whether it has sources whose ranges are not said here, such as a prefix list."""

    def reaches(self, port: int) -> bool:
        """Whether a port is among them."""
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return f"port {self.first}" if self.first == self.last else f"ports {self.first} to {self.last}"


def open_ingress(resource: Resource, terms: Terms) -> Iterator[str]:
    """Nothing but 22 and 443 is open to everybody, and 22 only to where the class says that its people are."""
    allowed = [ip_network(each) for each in terms.get("sshFrom", ())]
    for opening in _openings(resource):
        if opening.closed:
            yield f"{opening}: open to a prefix list, whose ranges are not known here; allowed: ranges"
        for network in (ip_network(source, strict=False) for source in opening.sources):
            if _within(network, PRIVATE):
                continue
            if network.prefixlen < WIDEST[network.version] and not _one_of(opening):
                yield f"{opening}: open to {network}; allowed: only {SSH} and {HTTPS} alone are open to everybody"
            if opening.reaches(SSH) and not _within(network, allowed):
                told = ", ".join(map(str, allowed)) or "nowhere"
                yield f"{opening}: SSH from {network}; allowed: from {told}"


def _one_of(opening: Opening) -> bool:
    return opening.first == opening.last and opening.first in (SSH, HTTPS)


def _within(network: Network, allowed: Iterable[Network]) -> bool:
    return any(
        network.subnet_of(each)  # type: ignore[arg-type]  # of one version, as was looked at
        for each in allowed
        if each.version == network.version
    )


def _openings(resource: Resource) -> Iterator[Opening]:
    props = resource.props
    if resource.resource_type in GROUPS:
        yield from map(_opening, mappings(props.get("ingress")))
    elif (resource.resource_type == RULE and props.get("type") == "ingress") or resource.resource_type == INGRESS_RULE:
        yield _opening(props)
    elif resource.resource_type == FIREWALL and props.get("direction") != "EGRESS" and not props.get("disabled"):
        yield from _firewall(props)


def _opening(rule: Mapping[str, Any]) -> Opening:
    """One rule of a security group, in any of the three ways that one is written."""
    sources = [*(rule.get("cidrBlocks") or ()), *(rule.get("ipv6CidrBlocks") or ())]
    sources += [rule[key] for key in ("cidrIpv4", "cidrIpv6") if rule.get(key)]
    protocol = str(rule.get("protocol") or rule.get("ipProtocol") or "-1")
    first, last = ALL_PORTS
    if protocol in ("tcp", "udp", "6", "17"):
        first, last = int(rule.get("fromPort") or 0), int(rule.get("toPort") or 0)
    closed = bool(rule.get("prefixListIds") or rule.get("prefixListId"))
    return Opening(sources=tuple(sources), first=first, last=last, closed=closed)


def _firewall(props: Mapping[str, Any]) -> Iterator[Opening]:
    """Without ranges, tags and accounts a firewall of Google's lets everybody in."""
    named = props.get("sourceTags") or props.get("sourceServiceAccounts")
    sources = tuple(props.get("sourceRanges") or (() if named else ("0.0.0.0/0",)))
    for allow in mappings(props.get("allows")):
        for ports in allow.get("ports") or [f"{ALL_PORTS[0]}-{ALL_PORTS[1]}"]:
            first, _, last = str(ports).partition("-")
            yield Opening(sources=sources, first=int(first), last=int(last or first))
