from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.errors import InputError
from clusterlab.slurm.usage import Cluster, SlurmJob, usage

# As slurm-wlm 22.05.8 says it.
RECORD = (
    "JobId={id} JobName={name} UserId=ubuntu(1000) GroupId=ubuntu(1000) MCS_label=N/A Priority=4294901759 Nice=0 "
    "Account=(null) QOS=(null) JobState={state} Reason=None Dependency=(null) Requeue=1 Restarts=0 BatchFlag=0 "
    "Reboot=0 ExitCode=0:0 DerivedExitCode=0:0 RunTime={time} TimeLimit=1-00:00:00 TimeMin=N/A "
    "SubmitTime=2026-11-25T07:46:48 EligibleTime=2026-11-25T07:46:48 AccrueTime=Unknown StartTime=2026-11-25T07:46:48 "
    "EndTime=2026-11-25T07:46:48 Deadline=N/A SuspendTime=None SecsPreSuspend=0 Scheduler=Main Partition=batch "
    "AllocNode:Sid=login:0 ReqNodeList=(null) ExcNodeList=(null) NodeList= BatchHost=n1 NumNodes={nodes} "
    "NumCPUs={cpus} NumTasks=2 CPUs/Task=2 ReqB:S:C:T=0:0:*:* TRES=cpu={cpus},mem=2G,node=2,billing=4 Socks/Node=* "
    "NtasksPerN:B:S:C=0:0:*:* CoreSpec=* JOB_GRES={gres}   Nodes=n[1-2] CPU_IDs=0-1 Mem=1024 GRES= MinCPUsNode=2 "
    "MinMemoryNode=1G MinTmpDiskNode=0 Features=(null) Command=bash WorkDir=/home/ubuntu "
    "Power= TresPerNode=gres:gpu:l4:1 "
)


def record(**values: object) -> str:
    usual = {"id": 1, "name": "c1-abc", "state": "COMPLETED", "time": "00:30:00", "nodes": 2, "cpus": 4}
    return RECORD.format(**({"gres": "gpu:l4:2"} | usual | values)) + "\n"


def cluster(job_id: str, student: str = "ana", lab: str = "qlora") -> Cluster:
    return Cluster(name="c", job_id=job_id, student=student, lab=lab)


def test_a_record_is_read() -> None:
    (job,) = SlurmJob.parse(record(time="1-02:03:04"))
    assert job == SlurmJob(id="1", name="c1-abc", user="ubuntu", seconds=93784, num_nodes=2, num_cpus=4, gpus={"l4": 2})


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("(null)", {}),
        ("gpu:4", {"": 4}),
        ("gpu:l4:2,gpu:a100:1", {"l4": 2, "a100": 1}),
        ("gpu:nvidia_h100_80gb_hbm3:8", {"nvidia_h100_80gb_hbm3": 8}),
        ("shard:3", {}),
    ],
)
def test_gpus_are_counted_by_type(gres: str, gpus: dict[str, int]) -> None:
    assert SlurmJob.parse(record(gres=gres))[0].gpus == gpus


def test_jobs_that_never_ran_and_an_empty_record_count_for_nothing() -> None:
    assert SlurmJob.parse(record(state="PENDING", nodes="1-1", time="00:00:00")) == []
    assert SlurmJob.parse("No jobs in the system\n") == []


@pytest.mark.parametrize("line", ["nonsense", record(time="INVALID"), record(nodes="many")])
def test_what_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(InputError, match="no record of a job"):
        SlurmJob.parse(line)


def test_usage_is_summed_by_student_and_lab() -> None:
    jobs = SlurmJob.parse(
        record(id=1)
        + record(id=2, time="01:00:00", cpus=8, gres="gpu:l4:1", nodes=1)
        + record(id=3, gres="(null)")
        + record(id=4)
    )
    rows = usage(jobs, [cluster("1"), cluster("2"), cluster("3", student="ben")])
    assert [(row.student, row.lab, row.num_jobs, row.cpu_hours, row.gpu_hours) for row in rows] == [
        ("", "", 1, Decimal(2), Decimal(1)),
        ("ana", "qlora", 2, Decimal(10), Decimal(2)),
        ("ben", "qlora", 1, Decimal(2), Decimal(0)),
    ]


@given(st.lists(st.tuples(st.sampled_from("1234"), st.integers(0, 10**6), st.integers(1, 64), st.integers(0, 8))))
def test_every_job_is_in_exactly_one_row(asked: list[tuple[str, int, int, int]]) -> None:
    jobs = [
        SlurmJob(id=number, name="c", user="u", seconds=seconds, num_nodes=1, num_cpus=cpus, gpus={"l4": gpus})
        for number, seconds, cpus, gpus in asked
    ]
    rows = usage(jobs, [cluster("1"), cluster("2"), cluster("3", student="ben")])
    assert sum(row.num_jobs for row in rows) == len(jobs)
    exact = Decimal(sum(job.seconds * job.num_cpus for job in jobs)) / 3600
    assert abs(sum(row.cpu_hours for row in rows) - exact) <= Decimal("0.0001") * max(len(rows), 1)


def test_clusters_on_slurm_are_read_with_their_job_and_tags() -> None:
    record = {"name": "c1", "node_names": "job12-n1,job12-n2", "user_name": "root", "cloud": "Slurm"}
    tagged = record | {"labels": {"student": "ana", "lab": "qlora"}}
    begun = record | {"labels": None, "node_names": None}
    assert Cluster.parse([tagged, record | {"cloud": "AWS"}, begun]) == [
        Cluster(name="c1", job_id="12", student="ana", lab="qlora"),
        Cluster(name="c1", job_id="", student="root", lab=""),
    ]
