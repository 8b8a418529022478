from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.rehearsal.stack import class_of, configuration, make_class
from clusterlab.rehearsal.steps import StepError
from tests.clusterlab.conftest import ROOT

EXPORTS = {
    "aws_vpc_name": "clusterlab-llm-2026-network",
    "aws_remote_identity": "clusterlab-llm-2026-node",
    "aws_security_group_name": "clusterlab-llm-2026-nodes",
    "aws_labels": {"course": "llm-2026"},
}
NOWHERE = "http://127.0.0.1:9"


def task(folder: Path, name: str, course: str) -> str:
    (folder / name).write_text(f"resources:\n  labels: {{course: {course}, lab: x}}\n")
    return name


def test_labs_and_the_shared_cluster_are_of_the_class_that_their_label_names() -> None:
    assert class_of(["labs/qlora.yaml", "labs/fsdp.yaml", "sky.yaml"], ROOT) == Path("clusters/llm-2026.yaml")


def test_labs_of_two_classes_are_refused(tmp_path: Path) -> None:
    tasks = [task(tmp_path, "a.yaml", "llm-2026"), task(tmp_path, "b.yaml", "nlp-2026")]
    with pytest.raises(
        InputError, match=r"^a\.yaml, b\.yaml: resources\.labels\.course: llm-2026, nlp-2026; allowed: one"
    ):
        class_of(tasks, tmp_path)


def test_a_class_without_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^a\.yaml: .*'nlp-2026' has no file clusters/nlp-2026\.yaml"):
        class_of([task(tmp_path, "a.yaml", "nlp-2026")], tmp_path)


def test_skypilot_is_configured_by_what_the_stack_exports() -> None:
    assert configuration(EXPORTS)["aws"] == {
        "vpc_name": "clusterlab-llm-2026-network",
        "remote_identity": "clusterlab-llm-2026-node",
        "security_group_name": "clusterlab-llm-2026-nodes",
        "disk_encrypted": True,
        "labels": {"course": "llm-2026"},
    }
    assert "admin_policy" not in configuration(EXPORTS)


def test_a_program_that_fails_is_one_error_with_what_it_said() -> None:
    with pytest.raises(StepError, match=r"ended with 2:\nclusters/none\.yaml: "):
        make_class(Path("clusters/none.yaml"), root=ROOT, region="us-east-1", endpoint=NOWHERE)
