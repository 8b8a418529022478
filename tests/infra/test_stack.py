from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterlab.cluster import FOLDER, Cluster
from infra.stack import build
from tests.clusterlab.conftest import ROOT
from tests.infra.graph import Graph, run

GOLDEN = Path(__file__).with_name("golden")
CLASSES = sorted(path for path in (ROOT / FOLDER).glob("*.yaml") if path.stem != "slurm")


def graph_of(path: Path) -> Graph:
    return run(lambda: _export(build(Cluster.load(path, to_provision=True))), stack=path.stem)


def _export(exports: dict[str, Any]) -> None:
    import pulumi

    for name, value in exports.items():
        pulumi.export(name, value)


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_the_stack_of_each_class_is_the_golden_one(path: Path) -> None:
    text = yaml.safe_dump(graph_of(path).as_data(), width=120, sort_keys=False)
    golden = GOLDEN / f"{path.stem}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert golden.is_file(), "`make golden` writes it"
    assert golden.read_text() == text, "`make golden` rewrites it"
