"""Serve the policy pack to Pulumi's engine, until it ends; the engine runs this file by itself.

pulumi preview --policy-pack infra/policy --policy-pack-config policy.json
"""

from __future__ import annotations

import sys
from pathlib import Path

# The engine runs the folder of the pack, from which the repository is two up.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pulumi_policy import EnforcementLevel, PolicyPack

from infra.policy.pack import NAME, policies

if __name__ == "__main__":
    PolicyPack(NAME, policies(), enforcement_level=EnforcementLevel.MANDATORY)
