"""The image of a node: what Packer itself and shellcheck say, and that what it installs is to be had."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import hcl2
import pytest

from clusterlab.tags import LEASE_FORMAT
from infra.naming import LAB
from tests.images.dockerfile import IMAGES

BIN = Path(sys.executable).parent
TEMPLATE = IMAGES / "node.pkr.hcl"
SCRIPT = IMAGES / "node.sh"
SCRIPTS = sorted(IMAGES.glob("*.sh"))
PACKER = shutil.which("packer")
NEWER = (r"^packer \{.*?^\}\n", r"^  metadata_options \{.*?^  \}\n", r"^  imds_support .*?\n")
"""What Debian's Packer, 1.6.6 with both builders in it, does not know yet: plugins, and how the AMI asks for IMDSv2."""
GOOD = {"course": "llm-2026", "lease_until": "20270228t000000z", "ssh_from": '["203.0.113.7/32"]', "project_id": "p"}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    with TEMPLATE.open() as file:
        return hcl2.load(file)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as Debian's Packer can read it, beside what it uploads."""
    if PACKER is None:
        pytest.skip("needs packer: `apt-get install packer`")
    folder = tmp_path_factory.mktemp("packer")
    for path in (*SCRIPTS, *IMAGES.glob("*.lock")):
        shutil.copy(path, folder)
    text = TEMPLATE.read_text()
    for pattern in NEWER:
        text, count = re.subn(pattern, "", text, flags=re.DOTALL | re.MULTILINE)
        assert count == 1, pattern
    (folder / TEMPLATE.name).write_text(text)
    return folder / TEMPLATE.name


def test_packer_accepts_it(older: Path) -> None:
    assert packer(older, GOOD) == (0, "")


def test_packer_refuses_an_argument_that_a_builder_has_not(older: Path) -> None:
    spoiled = older.with_name("spoiled.pkr.hcl")
    spoiled.write_text(older.read_text().replace("encrypt_boot", "encrypt_root"))
    code, said = packer(spoiled, GOOD)
    assert code == 1
    assert 'An argument named "encrypt_root" is not expected here' in said


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"course": "LLM 2026"}, "The course is a label"),
        ({"course": ""}, "The course is a label"),
        ({"lease_until": "2027-02-28"}, "The lease is written as 20270228t000000z"),
        ({"ssh_from": '["0.0.0.0/0"]'}, "open to named networks, not to the world"),
        ({"ssh_from": "[]"}, "open to named networks, not to the world"),
    ],
)
def test_a_bad_value_is_refused(older: Path, changed: dict[str, str], message: str) -> None:
    code, said = packer(older, GOOD | changed)
    assert code == 1
    assert message in said


def test_every_variable_is_used_and_every_one_used_is_declared(template: dict[str, Any]) -> None:
    declared = {unquoted(name) for block in template["variable"] for name in block}
    assert declared == set(re.findall(r"(?<=var\.)\w+", outside_of_validations(TEMPLATE.read_text())))


def test_disks_are_encrypted_and_metadata_asks_for_a_token(template: dict[str, Any]) -> None:
    aws = source(template, "amazon-ebs")
    (disk,), (metadata,) = aws["launch_block_device_mappings"], aws["metadata_options"]
    assert (aws["encrypt_boot"], disk["encrypted"], disk["delete_on_termination"]) == (True, True, True)
    assert (unquoted(aws["imds_support"]), unquoted(metadata["http_tokens"])) == ("v2.0", "required")


def test_what_is_made_and_what_makes_it_carry_cost_tags_and_a_lease(template: dict[str, Any]) -> None:
    tags = next(each["tags"] for each in template["locals"] if "tags" in each)
    assert {"course", "lab", "lease-until"} <= tags.keys()
    assert unquoted(tags["lab"]) == LAB
    aws, gcp = source(template, "amazon-ebs"), source(template, "googlecompute")
    for kept in (aws["tags"], aws["snapshot_tags"], gcp["image_labels"]):
        assert "local.tags" in kept
    for passing in (aws["run_tags"], aws["run_volume_tags"], gcp["labels"]):
        assert "local.build_tags" in passing
    as_packer = {"%Y": "YYYY", "%m": "MM", "%d": "DD", "%H": "hh", "%M": "mm", "%S": "ss", "t": "'t'", "z": "'z'"}
    form = re.sub(r"%\w|[a-z]", lambda match: as_packer[match.group()], LEASE_FORMAT)
    assert f'formatdate("{form}", timeadd(timestamp(), "3h"))' in TEMPLATE.read_text()


def test_what_the_script_reads_is_uploaded_and_set(template: dict[str, Any]) -> None:
    provisioners = template["build"][0]["provisioner"]
    (uploaded,) = (each['"file"']["sources"] for each in provisioners if '"file"' in each)
    names = {unquoted(path).removeprefix("${path.root}/") for path in uploaded}
    assert names - {SCRIPT.name} == set(re.findall(r"\$here/([\w.]+)", SCRIPT.read_text()))
    assert all((IMAGES / name).is_file() for name in names)
    settings = [word for each in provisioners for word in each.get('"shell"', {}).get("environment_vars", [])]
    assert {unquoted(word).partition("=")[0] for word in settings} == set(
        re.findall(r"\$\{(\w+):\?\}", SCRIPT.read_text())
    )


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_clean_and_end_at_their_first_failure(path: Path) -> None:
    assert shellcheck(path) == (0, "")
    assert re.search(r"^set -euo pipefail$", path.read_text(), re.MULTILINE)


def test_shellcheck_says_what_is_wrong_where_something_is(tmp_path: Path) -> None:
    (tmp_path / "bad.sh").write_text("#!/bin/bash\nrm -rf $1/*\n")
    code, said = shellcheck(tmp_path / "bad.sh")
    assert code == 1
    assert "SC2086" in said


def test_the_runtime_of_skypilot_is_to_be_had_there(tmp_path: Path) -> None:
    """Every version of the lock for Ubuntu 24.04 and the Python that the script asks for; nothing is downloaded."""
    version = re.search(r"--seed --python (\S+)", SCRIPT.read_text())
    assert version is not None
    pins = [line for line in (IMAGES / "node.lock").read_text().splitlines() if not line.startswith("skypilot==")]
    (tmp_path / "node.lock").write_text("\n".join(pins) + "\n")
    platform = ["--python-version", version.group(1), "--python-platform", "x86_64-manylinux_2_39"]
    command = [str(IMAGES / "install.sh"), str(tmp_path / "node.lock"), str(tmp_path / "runtime")]
    variables = os.environ | {"UV": str(BIN / "uv"), "PYTHON": sys.executable}
    done = subprocess.run(
        [*command, "--dry-run", *platform], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("ray==2.9.3") for line in pins)


def packer(path: Path, values: dict[str, str]) -> tuple[int, str]:
    """What `packer validate` answers; it asks nobody whether there is a newer Packer."""
    assert PACKER is not None
    given = [f"-var={name}={value}" for name, value in values.items()]
    variables = os.environ | {"CHECKPOINT_DISABLE": "1", "PACKER_CONFIG_DIR": str(path.parent)}
    command = [PACKER, "validate", *given, str(path)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def shellcheck(path: Path) -> tuple[int, str]:
    done = subprocess.run([BIN / "shellcheck", path], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def source(template: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = (value for each in template["source"] for key, value in each.items() if unquoted(key) == kind)
    (only,) = found.values()
    return dict(only)


def unquoted(text: str) -> str:
    return text.strip('"')


def outside_of_validations(text: str) -> str:
    return re.sub(r"^  validation \{.*?^  \}\n", "", text, flags=re.DOTALL | re.MULTILINE)
