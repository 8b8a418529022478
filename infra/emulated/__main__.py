"""Make what a class stands on in the emulated account, and print what its stack exports, as JSON.

AWS_ENDPOINT_URL=http://127.0.0.1:5000 python -m infra.emulated clusters/llm-2026.yaml --region us-east-1
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi

from clusterlab.cluster import Cluster
from clusterlab.errors import ClusterlabError, InputError, Problem
from clusterlab.infra import Infra
from infra.emulated.apply import Applied, apply
from infra.emulated.state import State
from infra.stack import build

CLOUD = "aws"


def main(arguments: list[str]) -> int:
    """Apply the class's program; the exit code is that of `clusterlab`."""
    parser = argparse.ArgumentParser(prog="python -m infra.emulated", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cluster", type=Path, help="the class's file, such as clusters/llm-2026.yaml")
    parser.add_argument("--region", help="only the part in AWS, in this region instead of the class's own")
    parser.add_argument("--state", type=Path, help="a file of what was made: it is kept, and the program goes on")
    parser.add_argument("--cut-off", metavar="TYPE", help="kill this program once it has made one, for rehearsals")
    given = parser.parse_args(arguments)
    try:
        state = State.load(given.state, cut_off=given.cut_off)
        applied = apply_class(given.cluster, region=given.region, state=state)
    except ClusterlabError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(applied.exports, indent=2, sort_keys=True))
    return 0


def apply_class(path: Path, *, region: str | None = None, state: State | None = None) -> Applied:
    """Apply the program of a class; with a region, only its part in AWS, and there; with a state, what it lacks.

    Raises:
        InputError: the file has a fault or no region of AWS, or the cloud does not take a resource.
    """
    cluster = Cluster.load(path, to_provision=True)
    if region:
        cluster = replace(cluster, infra=(Infra(cloud=CLOUD, region=region),))
    regions = cluster.regions(CLOUD)
    if not regions:
        message = f"no region of {CLOUD}; allowed: --region REGION"
        raise InputError(Problem(path=str(path), key="infra", message=message))
    return apply(lambda: _export(build(cluster)), region=regions[0], stack=cluster.course, state=state)


def _export(values: dict[str, Any]) -> None:
    for name, value in values.items():
        pulumi.export(name, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
