from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from clusterlab.cluster import FOLDER, Cluster
from clusterlab.errors import InputError
from infra.stack import build
from tests.clusterlab.conftest import CLASS, ROOT
from tests.infra.graph import Graph, run

GOLDEN = Path(__file__).with_name("golden")
OURS = sorted(path for path in (ROOT / FOLDER).glob("*.yaml") if path.stem != "slurm")
CLASSES = [*OURS, *sorted(Path(__file__).with_name("classes").glob("*.yaml"))]
SHARED = Path(__file__).with_name("classes") / "shared.yaml"


def graph_of(path: Path) -> Graph:
    def program() -> None:
        for name, value in build(Cluster.load(path, to_provision=True)).items():
            pulumi.export(name, value)

    return run(program, stack=path.stem)


@pytest.fixture(scope="module")
def shared() -> Graph:
    return graph_of(SHARED)


@pytest.mark.parametrize("path", CLASSES, ids=lambda path: path.stem)
def test_the_stack_of_each_class_is_the_golden_one(path: Path) -> None:
    text = yaml.dump(graph_of(path).as_data(), Dumper=_Dumper, width=120, sort_keys=False)
    golden = GOLDEN / f"{path.stem}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert golden.is_file(), "`make golden` writes it"
    assert golden.read_text() == text, "`make golden` rewrites it"


def test_no_golden_stack_is_left_without_its_class() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {path.stem for path in CLASSES}


def test_a_class_has_a_network_in_each_region_and_the_rest_in_the_first(shared: Graph) -> None:
    assert shared.exports["aws_regions"] == ["us-west-2", "us-east-1"]
    assert {each.provider for each in shared.of("aws:ec2/vpc:Vpc")} == {"aws-us-west-2", "aws-us-east-1"}
    elsewhere = [each for each in shared.resources if each.provider == "aws-us-east-1"]
    assert {each.parent.rpartition("::")[2] for each in elsewhere} == {"network-us-east-1"}


def test_each_resource_of_a_cloud_has_the_provider_of_its_region(shared: Graph) -> None:
    made = [each for each in shared.resources if each.type.startswith("aws:")]
    assert made
    assert [each.name for each in made if not each.provider] == []


def test_the_server_is_as_the_class_says(tmp_path: Path) -> None:
    path = tmp_path / "shared.yaml"
    named = "server: {domain: llm.example.org, hosted_zone_id: Z0123456789ABC, instance_type: m5.xlarge}"
    text = SHARED.read_text().replace(", aws/us-east-1", "").replace("mode: shared", "mode: per-student")
    path.write_text(text.replace("server: false", named).rstrip() + "\n  https_from: 192.0.2.0/24\n")
    graph = graph_of(path)
    assert graph.one("aws:ec2/instance:Instance").inputs["instanceType"] == "m5.xlarge"
    record = graph.one("aws:route53/record:Record").inputs
    assert (record["name"], record["zoneId"]) == ("llm.example.org", "Z0123456789ABC")
    assert graph.exports["aws_server_endpoint"] == "https://llm.example.org"


def test_a_class_that_was_not_loaded_to_be_provisioned_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "llm-2026.yaml"
    path.write_text(CLASS)
    with pytest.raises(InputError, match=r"llm-2026.yaml: lacks dates or budget_usd.course"):
        run(lambda: build(Cluster.load(path)))


class _Dumper(yaml.SafeDumper):
    """Writes what stands twice twice: a golden file without anchors is read from the top."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
