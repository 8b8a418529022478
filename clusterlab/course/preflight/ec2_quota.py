"""The quotas of EC2 that count vCPUs, by what a machine's type begins with and by market.

Codes and names are those of Service Quotas, as it lists them for `ec2`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SERVICE = "ec2"
TYPE = re.compile(r"([a-z]+)(\d+)[a-z0-9-]*\.")
"""The letters and the generation of a type such as `g4dn.xlarge`."""
STANDARD = frozenset({"a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"})
G_AND_VT = frozenset({"g", "vt"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """One quota, which each region has."""

    code: str
    name: str


ON_DEMAND_STANDARD = Quota(code="L-1216C47A", name="Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances")
ON_DEMAND_G = Quota(code="L-DB2E81BA", name="Running On-Demand G and VT instances")
ON_DEMAND_P = Quota(code="L-417A185B", name="Running On-Demand P instances")
SPOT_STANDARD = Quota(code="L-34B43A08", name="All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests")
SPOT_G = Quota(code="L-3819A6DF", name="All G and VT Spot Instance Requests")
SPOT_P2_TO_P4 = Quota(code="L-7212CCBC", name="All P4, P3 and P2 Spot Instance Requests")
SPOT_P5 = Quota(code="L-C4BD4855", name="All P5 Spot Instance Requests")


def quota_of(instance_type: str, *, spot: bool) -> Quota | None:
    """The quota that a machine counts in; None where it is one that nobody here knows."""
    match = TYPE.match(instance_type)
    if match is None:
        return None
    letters, generation = match[1], int(match[2])
    if letters in STANDARD:
        return SPOT_STANDARD if spot else ON_DEMAND_STANDARD
    if letters in G_AND_VT:
        return SPOT_G if spot else ON_DEMAND_G
    if letters == "p":
        return _spot_p(generation) if spot else ON_DEMAND_P
    return None


def _spot_p(generation: int) -> Quota | None:
    """P5 has a quota of its own on the spot market."""
    return SPOT_P2_TO_P4 if generation < 5 else SPOT_P5 if generation == 5 else None
