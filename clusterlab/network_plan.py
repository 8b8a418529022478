"""The addresses of a class: its own range, how it is shared out over zones, and from where SSH may come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from clusterlab.document import Document

CIDR = IPv4Network("10.60.0.0/16")
ZONES = ("a", "b", "c")
"""Every region of the catalog has these three."""
WIDEST, NARROWEST = 16, 28
"""Prefixes of a VPC and of a subnet, by AWS."""
OPEN = 8
"""A source wider than this is the internet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkPlan:
    """The network of a class in a region."""

    cidr: IPv4Network = CIDR
    ssh_from: tuple[IPv4Network, ...] = ()
    """From where SSH may come; from nowhere, where there is none."""
    https_from: tuple[IPv4Network, ...] = ()
    """From where the class's API server may be reached; like SSH, where nobody has said."""
    zones: tuple[str, ...] = ZONES
    """Letters of zones, as in us-east-1a."""

    def subnet_prefix(self) -> int:
        """Of a public and a private subnet in each zone, all of one size."""
        return self.cidr.prefixlen + (2 * len(self.zones) - 1).bit_length()


def read_network(document: Document, key: str) -> NetworkPlan:
    """The network; what is wrong goes to the document's problems."""
    document.refuse_unknown(key, {"cidr", "ssh_from", "https_from", "zones"})
    cidr = _cidr(document, f"{key}.cidr")
    ssh_from = tuple(_sources(document, f"{key}.ssh_from"))
    plan = NetworkPlan(
        cidr=cidr or CIDR,
        ssh_from=ssh_from,
        https_from=tuple(_sources(document, f"{key}.https_from")) or ssh_from,
        zones=_zones(document, f"{key}.zones"),
    )
    if plan.subnet_prefix() > NARROWEST:
        widest = NARROWEST - plan.subnet_prefix() + plan.cidr.prefixlen
        message = f"{plan.cidr} is too small for two subnets in each of {len(plan.zones)} zones"
        document.complain(f"{key}.cidr", f"{message}; allowed: /{WIDEST} to /{widest}")
    return plan


def _cidr(document: Document, key: str) -> IPv4Network | None:
    given = document.at(key)
    found = None if given is None else _network(document, key, given)
    if found and not (found.is_private and found.prefixlen >= WIDEST):
        message = f"{found}; allowed: a private network of /{WIDEST} or smaller, such as {CIDR}"
        document.complain(key, message)
        return None
    return found


def _sources(document: Document, key: str) -> Iterator[IPv4Network]:
    given = document.at(key) or []
    for each in given if isinstance(given, list) else [given]:
        source = _network(document, key, each)
        if source and source.prefixlen < OPEN:
            document.complain(key, f"{source} is open to the internet; allowed: networks that you know")
        elif source:
            yield source


def _zones(document: Document, key: str) -> tuple[str, ...]:
    given = document.at(key)
    if given is None:
        return ZONES
    wrong = not isinstance(given, list) or not given or not all(re.fullmatch("[a-z]", str(each)) for each in given)
    if wrong or len(set(given)) < len(given):
        document.complain(key, f"{given!r}; allowed: letters of zones, each once, such as [a, b, c]")
        return ZONES
    return tuple(given)


def _network(document: Document, key: str, given: object) -> IPv4Network | None:
    try:
        return IPv4Network(str(given))
    except ValueError as error:
        document.complain(key, f"{error}; allowed: an IPv4 network, such as {CIDR}")
        return None
