"""The infrastructure of a class: `pulumi up --stack llm-2026` provisions what clusters/llm-2026.yaml says."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

ROOT = Path(__file__).resolve().parents[1]
# Pulumi runs this folder as its program, from within.
sys.path.insert(0, str(ROOT))

from clusterlab.cluster import Cluster, class_path  # noqa: E402
from clusterlab.errors import InputError  # noqa: E402
from infra.stack import build  # noqa: E402


def main() -> None:
    """Build the class that the stack is named for, and export what SkyPilot and its instructor need.

    Raises:
        pulumi.RunError: every fault of the class's file, before anything is asked of a cloud.
    """
    try:
        exports = build(Cluster.load(class_path(pulumi.get_stack(), ROOT), to_provision=True))
    except InputError as error:
        raise pulumi.RunError(str(error)) from None
    for name, value in exports.items():
        pulumi.export(name, value)


if __name__ == "__main__":
    main()
