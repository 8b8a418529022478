from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from clusterlab.course.config import skypilot_config
from clusterlab.reaper.keeplist import KeepList
from infra.aws.server_setup import CODE, FETCH, Setup, code_files, code_key, user_data, variables
from tests.repository import ROOT

FILES = ROOT / "images" / "server"
MAX_USER_DATA = 16 * 1024
"""Bytes that EC2 takes."""
SETUP = Setup(
    course="llm-2026",
    region="us-east-1",
    regions=("us-east-1", "eu-west-1"),
    bucket="runs",
    code="server/code-1.zip",
    volume_id="vol-0abc",
    address="198.51.100.7",
    domain=None,
    secret_arn="arn:aws:secretsmanager:us-east-1:123456789012:secret:clusterlab-llm-2026-server-abc",
    budget_usd=Decimal("2500.50"),
    granted_hours=12,
    emails=("ana@example.org", "ben@example.org"),
    keep={"lab=infra": "the class's own"},
    skypilot={
        "aws_vpc_name": "clusterlab-llm-2026-network",
        "aws_security_group_name": "clusterlab-llm-2026",
        "aws_remote_identity": "clusterlab-llm-2026-node",
        "aws_labels": {"course": "llm-2026"},
    },
)


def written(setup: Setup = SETUP) -> dict[str, str]:
    files = yaml.safe_load(user_data(setup))["write_files"]
    return {Path(each["path"]).name: each["content"] for each in files}


PACKAGES = {"systemd-analyze": "systemd"}
"""Of Debian, where a program's has another name."""


def needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}: `apt-get install {PACKAGES.get(program, program)}`")
    return found


@pytest.mark.parametrize("domain", [None, "llm.example.org"])
def test_cloud_init_takes_it_and_it_is_small_enough(tmp_path: Path, domain: str | None) -> None:
    document = user_data(dataclasses.replace(SETUP, domain=domain))
    assert len(document.encode()) < MAX_USER_DATA
    (tmp_path / "user-data").write_text(document)
    command = [needs("cloud-init"), "schema", "--config-file", str(tmp_path / "user-data")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_shell_reads_the_variables_as_they_were_meant() -> None:
    script = f"set -a\n{written()['server.env']}\nenv -0"
    environment = {"PATH": os.environ["PATH"]}
    read = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout
    found = dict(line.split("=", 1) for line in read.split("\0") if line)
    assert variables(SETUP).items() <= found.items()
    assert found["METER"] == "--aws us-east-1 --aws eu-west-1"
    assert found["ENFORCE"] == "--to ana@example.org --to ben@example.org"


@pytest.mark.parametrize("course", ['llm"2026', "$(reboot)", "llm\n2026", "`id`"])
def test_a_value_that_a_shell_would_run_is_refused(course: str) -> None:
    with pytest.raises(ValueError, match=r"no values of variables"):
        dataclasses.replace(SETUP, course=course)


def test_skypilot_is_given_the_served_policy_and_makes_no_administrators() -> None:
    config = yaml.safe_load(written()["sky.yaml"])
    assert config["admin_policy"] == "clusterlab.api_server.ServedPolicy"
    assert config["rbac"] == {"default_role": "user"}
    assert config["allowed_clouds"] == ["aws"]


def test_skypilot_s_machines_are_those_of_everybody_else_s_configuration() -> None:
    config = yaml.safe_load(written()["sky.yaml"])
    assert config["aws"] == skypilot_config(SETUP.skypilot)["aws"]
    assert (config["aws"]["disk_encrypted"], config["aws"]["labels"]) == (True, {"course": "llm-2026"})


def test_the_reaper_reads_the_keep_list() -> None:
    assert KeepList.parse(written()["keep.json"], path="keep.json").reasons == SETUP.keep
    assert json.loads(written()["keep.json"])["keep"] == SETUP.keep


def test_the_code_is_all_that_the_server_imports_and_nothing_that_was_compiled() -> None:
    files = code_files(ROOT)
    assert {
        "clusterlab/api_server.py",
        "images/sky.lock",
        "images/server/nginx.conf",
        "labs/qlora.yaml",
    } <= files.keys()
    assert not any("__pycache__" in each for each in files)
    assert {each.split("/")[0] for each in files} == set(CODE)
    compile(FETCH, "fetch", "exec")


def test_other_code_has_another_key(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("1")
    two.write_text("2")
    keys = [code_key({"clusterlab/a.py": one}), code_key({"clusterlab/a.py": two}), code_key({"clusterlab/b.py": one})]
    assert len(set(keys)) == 3
    assert code_key({"clusterlab/a.py": one}) == keys[0]


def test_scripts_have_nothing_that_shellcheck_knows_to_be_wrong() -> None:
    scripts = sorted(FILES.glob("*.sh"))
    assert [each.name for each in scripts] == ["secret.sh", "setup.sh"]
    done = subprocess.run([needs("shellcheck"), *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    verify = [needs("systemd-analyze"), "verify"]
    units = [*FILES.glob("*.service"), *FILES.glob("*.timer")]
    assert len(units) == 7
    for unit in units:
        # What they start is not on this machine.
        lines = [
            "ExecStart=/bin/true" if line.startswith("ExecStart=") else line for line in unit.read_text().splitlines()
        ]
        (tmp_path / unit.name).write_text("\n".join(lines))
    done = subprocess.run([*verify, *tmp_path.iterdir()], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_request_that_nginx_passes_on_says_that_it_came_from_outside() -> None:
    lines = [line.strip() for line in (FILES / "nginx.conf").read_text().splitlines()]
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in lines
    assert sum(line.startswith("proxy_pass") for line in lines) == 1
    assert not any(line.startswith("listen") and "ssl" not in line for line in lines)


@pytest.mark.parametrize("verb", ["meter", "enforce"])
def test_timers_ask_for_what_the_command_has(verb: str) -> None:
    command = [sys.executable, "-m", "clusterlab.cli", verb, "--help"]
    shown = subprocess.run(
        command, env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True, check=True
    ).stdout
    [line] = [each for each in (FILES / f"clusterlab-{verb}.service").read_text().splitlines() if "ExecStart=" in each]
    given = {word for word in [*line.split(), "--to" if verb == "enforce" else "--aws"] if word.startswith("--")}
    assert given <= set(re.findall(r"--[a-z-]+", shown))
