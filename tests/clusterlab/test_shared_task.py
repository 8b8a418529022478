"""`sky.yaml` is no lab, but keeps the rules that cost money or safety."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from clusterlab import rules
from clusterlab.catalog import Catalog
from clusterlab.document import Document
from clusterlab.rules import Rule, Subject
from clusterlab.tags import Tags
from tests.clusterlab.conftest import ROOT

RULES = (
    rules.machine_ends_when_idle,
    rules.no_ports,
    rules.bound_to_no_place,
    rules.installs_are_pinned,
    rules.secrets_are_not_written,
)


@pytest.fixture
def task() -> Document:
    return Document.load(ROOT / "sky.yaml", [])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_shared_cluster_keeps_the_rule(rule: Rule, task: Document) -> None:
    assert list(rule(Subject.of(task, Document.empty(Path("none")), ROOT))) == []


def test_its_labels_are_cost_tags(task: Document) -> None:
    assert Tags(**task.mapping_at("resources.labels"), student="shared").lab == "shared"


def test_the_catalog_knows_a_machine_for_each_alternative(task: Document) -> None:
    catalog = Catalog.load()
    for name, count in task.mapping_at("resources.accelerators").items():
        assert catalog.machines(accelerator=name, count=count, min_vcpus=Decimal(4), min_memory_gib=Decimal(16))
