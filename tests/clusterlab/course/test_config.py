from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from clusterlab import skypilot
from clusterlab.course.config import skypilot_config
from clusterlab.errors import InputError

AWS = {
    "aws_region": "us-east-1",
    "aws_vpc_name": "clusterlab-llm-2026",
    "aws_security_group_name": "clusterlab-llm-2026-nodes",
    "aws_remote_identity": "clusterlab-llm-2026-node",
    "aws_bucket": "clusterlab-llm-2026-runs",
    "aws_labels": {"course": "llm-2026"},
}
GCP = {
    "gcp_vpc_name": "clusterlab-llm-2026",
    "gcp_node_service_account": "skypilot-v1@llm-2026-example.iam.gserviceaccount.com",
    "gcp_labels": {"course": "llm-2026"},
}
DUMP = "import json, sys; from sky.utils import schemas; json.dump(schemas.get_config_schema(), sys.stdout)"


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return config_schema(tmp_path_factory.mktemp("sky"))


def config_schema(home: Path) -> Any:
    """SkyPilot's own, of the package that is installed."""
    environment = skypilot.environment(home)
    done = subprocess.run([sys.executable, "-c", DUMP], env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("exports", [AWS, GCP, AWS | GCP], ids=["aws", "gcp", "both"])
def test_skypilot_takes_what_a_stack_exports(schema: Any, exports: dict[str, Any]) -> None:
    config = skypilot_config(exports)
    jsonschema.validate(config, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(config | {"awz": {}}, schema)


def test_names_are_the_stack_s() -> None:
    aws = skypilot_config(AWS)["aws"]
    assert aws["vpc_name"] == "clusterlab-llm-2026"
    assert aws["remote_identity"] == "clusterlab-llm-2026-node"
    assert aws["security_group_name"] == "clusterlab-llm-2026-nodes"
    assert aws["disk_encrypted"] is True
    assert "gcp" not in skypilot_config(AWS)


def test_policy_is_named() -> None:
    module, _, name = skypilot_config(AWS)["admin_policy"].rpartition(".")
    assert name == "CoursePolicy"
    assert Path(f"{module.replace('.', '/')}.py").is_file()


def test_a_student_s_machine_does_not_get_the_lease_of_the_class() -> None:
    labels = {"course": "llm-2026", "lab": "infra", "lease-until": "20270101t000000z", "Name": "x"}
    assert skypilot_config(AWS | {"aws_labels": labels})["aws"]["labels"] == {"course": "llm-2026"}


def test_every_fault_is_told_in_one_go() -> None:
    with pytest.raises(InputError) as caught:
        skypilot_config({"aws_vpc_name": "", "aws_remote_identity": 3, "aws_labels": ["course"], "gcp_region": "x"})
    assert [problem.key for problem in caught.value.problems] == [
        "aws_vpc_name",
        "aws_remote_identity",
        "aws_security_group_name",
        "aws_labels",
        "gcp_vpc_name",
    ]


def test_outputs_of_no_class_are_refused() -> None:
    with pytest.raises(InputError, match=r"outputs of the stack: none of a cloud"):
        skypilot_config({"server": "x"})
