from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clusterlab.course.skypilot_file import write
from clusterlab.errors import InputError

OURS = {"admin_policy": "clusterlab.policy.CoursePolicy", "aws": {"vpc_name": "v", "labels": {"course": "llm-2026"}}}
THEIRS = """# SkyPilot's configuration of this project.

admin_policy: clusterlab.policy.CoursePolicy
jobs:
  controller: {consolidation_mode: true}
aws:
  use_ssm: true
  labels: {owner: ana}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sky" / "config.yaml"


def test_file_is_made_where_there_is_none(path: Path) -> None:
    assert write(path, OURS, force=False) == ["admin_policy", "aws.vpc_name", "aws.labels.course"]
    assert yaml.safe_load(path.read_text()) == OURS


def test_what_others_wrote_stays(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(THEIRS)
    assert write(path, OURS, force=False) == ["aws.vpc_name", "aws.labels.course"]
    assert path.read_text().startswith("# SkyPilot's configuration of this project.\n\n")
    assert yaml.safe_load(path.read_text()) == {
        "admin_policy": "clusterlab.policy.CoursePolicy",
        "jobs": {"controller": {"consolidation_mode": True}},
        "aws": {"use_ssm": True, "labels": {"owner": "ana", "course": "llm-2026"}, "vpc_name": "v"},
    }


def test_writing_it_again_changes_nothing(path: Path) -> None:
    write(path, OURS, force=False)
    before = path.stat()
    assert write(path, OURS, force=False) == []
    assert path.stat().st_ino == before.st_ino


def test_other_value_is_only_overwritten_by_force(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("aws: {vpc_name: mine, labels: {course: other}}\n")
    with pytest.raises(InputError) as caught:
        write(path, OURS, force=False)
    assert [problem.key for problem in caught.value.problems] == ["aws.vpc_name", "aws.labels.course"]
    assert "'mine', and the stack says 'v'; --force overwrites it" in str(caught.value)
    assert yaml.safe_load(path.read_text())["aws"]["vpc_name"] == "mine"
    assert "aws.vpc_name" in write(path, OURS, force=True)
    assert yaml.safe_load(path.read_text())["aws"]["vpc_name"] == "v"


def test_file_that_is_no_mapping_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("- a\n")
    with pytest.raises(InputError, match=r"must be a mapping"):
        write(path, OURS, force=True)
