from __future__ import annotations

import dataclasses
import shutil
import subprocess
from pathlib import Path

import pytest

from clusterlab.catalog import Catalog
from clusterlab.errors import ClusterlabError, InputError
from clusterlab.lab import Lab
from clusterlab.rehearsal import on_slurm
from clusterlab.rehearsal.host import Host
from clusterlab.rehearsal.slurm import GPUS_PER_NODE, JOB_RECORDS, SITE, LocalSlurm
from clusterlab.rehearsal.steps import StepError
from clusterlab.slurm.centre import PATH, Centre
from clusterlab.slurm.usage import Cluster, SlurmJob
from tests.clusterlab.conftest import ROOT

CLUSTER = Cluster(name="toy-1", job_id="1", student="rehearsal", lab="toy")
JOB = SlurmJob(id="1", name="toy-1-abc", user="u", seconds=60, num_nodes=1, num_cpus=4, gpus={"l4": 1})


@pytest.fixture
def lab(house: Path) -> Lab:
    return Lab.load(house / "labs" / "toy.yaml")


def centre() -> Centre:
    return Centre.load(ROOT / PATH, Catalog.load())


def test_the_local_one_is_the_centre_but_for_where_it_is(tmp_path: Path) -> None:
    slurm = LocalSlurm(folder=tmp_path, layers=[], centre=centre(), accelerator="L4")
    same = {"name", "partition", "account", "provision_timeout_seconds", "time_limit", "usd_per_hour"}
    for name in same:
        assert getattr(slurm.here, name) == getattr(centre(), name)
    assert slurm.here.login.identity_file == str(tmp_path / "key")
    assert slurm.here.infra == centre().infra


def test_its_nodes_have_the_accelerator_and_its_partition_the_centres_name(tmp_path: Path) -> None:
    named = dataclasses.replace(centre(), partition="gpu")
    slurm = LocalSlurm(folder=tmp_path, layers=[], centre=named, accelerator="A100-80GB")
    text = slurm.configuration("slurm.conf")
    assert f"Gres=gpu:a100-80gb:{GPUS_PER_NODE}" in text
    assert "PartitionName=gpu Nodes=" in text
    assert f"Type=a100-80gb File=/etc/slurm/gpu[0-{GPUS_PER_NODE - 1}]" in slurm.configuration("gres.conf")
    assert f'scontrol --oneliner --details show job "$SLURM_JOB_ID" >> {JOB_RECORDS}' in slurm.configuration(
        "record-job"
    )


def test_a_machine_that_ends_as_it_boots_is_one_clear_error(tmp_path: Path) -> None:
    slurm = LocalSlurm(folder=tmp_path, layers=[], centre=centre(), accelerator="L4")
    (tmp_path / "n1").mkdir()
    (tmp_path / "n1" / "log").write_text("munged: started\nslurmd: fatal: no cgroup\n")
    slurm.hosts["n1"] = Host(name="n1", folder=tmp_path / "n1", layers=[], address="10.77.0.11", start_script="")
    with pytest.raises(ClusterlabError, match=r"slurm: n1 ended: n1: munged: started / slurmd: fatal: no cgroup"):
        slurm.wait_until_idle()


def test_an_accelerator_is_chosen_that_the_centre_has_and_every_lab_takes(lab: Lab) -> None:
    assert on_slurm.accelerator(centre(), [lab]) == "L4"
    other = dataclasses.replace(lab, resources=dataclasses.replace(lab.resources, accelerators={"A100": 1}))
    assert on_slurm.accelerator(centre(), [other]) == "A100"
    with pytest.raises(InputError, match=r"usd_per_hour\.accelerators: none of L4, A100 suits toy, toy"):
        on_slurm.accelerator(centre(), [lab, other])


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, None),
        ({"gpus": {"a10g": 1}}, None),
        ({"name": "other"}, "toy-1: 0 Slurm jobs of this name; expected one, 1"),
        ({"id": "2"}, "toy-1: 1 Slurm jobs of this name; expected one, 1"),
        ({"num_nodes": 2}, "has 2 nodes; the lab asks for 1"),
        ({"gpus": {"h100": 1}}, "Slurm gave {'h100': 1} a node"),
        ({"gpus": {"l4": 2}}, "Slurm gave {'l4': 2} a node"),
        ({"gpus": {}}, "Slurm gave no GPU a node"),
        ({"gpus": {"l4": 1, "a10g": 1}}, "a node; the lab asks for"),
        ({"num_cpus": 2}, "Slurm gave 2 CPUs, less than the lab asks for"),
    ],
)
def test_what_slurm_gave_is_what_the_lab_asks_for(lab: Lab, values: dict[str, object], wrong: str | None) -> None:
    job = dataclasses.replace(JOB, **values)  # type: ignore[arg-type]
    if wrong is None:
        assert "1 nodes, 4 CPUs, 1 " in on_slurm.check_allocated([job], [CLUSTER], lab)
        return
    with pytest.raises(StepError) as caught:
        on_slurm.check_allocated([job], [CLUSTER], lab)
    assert wrong in str(caught.value)


def test_each_of_several_nodes_has_what_the_lab_asks_for(lab: Lab) -> None:
    two = dataclasses.replace(lab, num_nodes=2)
    job = dataclasses.replace(JOB, num_nodes=2, num_cpus=8, gpus={"l4": 2})
    assert on_slurm.check_allocated([job], [CLUSTER], two).startswith("1 jobs: 2 nodes, 8 CPUs, 1 L4 a node")
    with pytest.raises(StepError, match="Slurm gave 4 CPUs"):
        on_slurm.check_allocated([dataclasses.replace(job, num_cpus=4)], [CLUSTER], two)


def test_usage_is_that_of_the_rehearsed_clusters(lab: Lab) -> None:
    others = dataclasses.replace(JOB, id="2")
    assert on_slurm.check_usage([JOB, others], [CLUSTER], lab) == [
        "rehearsal x toy: 1 jobs, 0.0667 CPU-hours, 0.0167 GPU-hours"
    ]


@pytest.mark.parametrize(
    ("job", "cluster", "wrong"),
    [
        (dataclasses.replace(JOB, id="2"), CLUSTER, "not in Slurm's record: toy-1"),
        (dataclasses.replace(JOB, gpus={}), CLUSTER, "nothing was used"),
        (dataclasses.replace(JOB, seconds=0), CLUSTER, "nothing was used"),
        (JOB, dataclasses.replace(CLUSTER, student="root"), "expected rehearsal x toy"),
    ],
)
def test_usage_that_cannot_be_is_a_fault(lab: Lab, job: SlurmJob, cluster: Cluster, wrong: str) -> None:
    with pytest.raises(StepError, match=wrong):
        on_slurm.check_usage([job], [cluster], lab)


@pytest.mark.parametrize("script", ["task-prolog", "record-job", "uv"])
def test_the_administrators_scripts_are_shell_that_can_be_run(script: str) -> None:
    assert (SITE / script).stat().st_mode & 0o111 == 0o111
    subprocess.run(["bash", "-n", SITE / script], check=True)


def test_a_cluster_finds_uv_and_a_pid_that_is_nobodys(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".sky_clusters" / "c1").mkdir(parents=True)
    subprocess.run(["sh", SITE / "task-prolog"], env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, check=True)
    uv = home / ".sky_clusters" / "c1" / ".local/bin/uv"
    assert uv.is_symlink()
    assert str(uv.readlink()) == "/usr/local/bin/uv"


def test_uv_takes_the_systems_python_for_the_one_that_it_would_fetch(tmp_path: Path) -> None:
    script = tmp_path / "uv"
    shutil.copy(SITE / "uv", script)
    script.write_text(script.read_text().replace("/usr/local/lib/uv", "/bin/echo"))
    said = subprocess.run(
        [script, "venv", "--seed", "x", "--python", "3.10"], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["venv", "--seed", "x", "--python", "/usr/bin/python3"]
