from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.cluster import Cluster
from clusterlab.errors import InputError
from tests.clusterlab.conftest import CLASS, spoil

PROVISIONED = (
    CLASS
    + """
dates: {start: 2026-09-01, end: 2026-12-18}
instructors: [ana@example.org]
budget_usd: {course: 100}
gcp: {project: llm-2026, billing_account: 000000-000000-000000, students: llm@example.org}
"""
)


FAULTS = {
    "course": ("course: llm-2026", "course: llm-2025", "course: 'llm-2025'; allowed: llm-2026, as the file is named"),
    "no infra": ("infra: [aws/us-east-1, gcp/us-east1]", "infra: []", "infra: missing; allowed: a list of clouds"),
    "infra": ("aws/us-east-1", "aws/a/b", "infra: 'aws/a/b'; allowed: a cloud or a region of it"),
    "student": (
        "course:",
        "roster: [ana, Ben, ana]\ncourse:",
        "roster: 'ana' stands twice; allowed: each once",
    ),
    "no label": ("course:", "roster: [ana, Ben]\ncourse:", "roster: 'Ben' is not a label; allowed: 1 to 63 of a-z"),
    "number": ("course:", "roster: -3\ncourse:", "roster: -3; must be a whole number from 0"),
    "scale": (
        "course:",
        "labs: {qlora: {scale: big}}\ncourse:",
        "labs.qlora.scale: 'big'; allowed: tiny, small",
    ),
    "runs": ("course:", "labs: {qlora: {runs: few}}\ncourse:", "labs.qlora.runs: 'few'; must be a whole number from 0"),
    "lab key": ("course:", "labs: {qlora: {run: 1}}\ncourse:", "labs.qlora.run: unknown; allowed: due, runs, scale"),
    "budget": ("course:", "budget_usd: {course: -1}\ncourse:", "budget_usd.course: -1; allowed: USD from 0"),
    "no budget": ("course:", "budget_usd: {student: much}\ncourse:", "budget_usd.student: 'much'; must be a number"),
    "budgets": ("course:", "budget_usd: {ana: 1}\ncourse:", "budget_usd.ana: unknown; allowed: course, student, team"),
    "team's budget": ("course:", "budget_usd: {team: 0}\ncourse:", "budget_usd.team: 0 lets nobody launch anything"),
    "limit": ("course:", "limits: {gpu: 1}\ncourse:", "limits.gpu: unknown; allowed: gpu_hours, gpus, window_days"),
    "limits": ("course:", "limits: 3\ncourse:", "limits: must be a mapping of keys to values"),
    "gpus": ("course:", "limits: {gpus: 0}\ncourse:", "limits.gpus: 0; allowed: a number above 0, or no such key"),
    "gpu hours": ("course:", "limits: {gpu_hours: few}\ncourse:", "limits.gpu_hours: 'few'; must be a number"),
    "window": ("course:", "limits: {window_days: 0}\ncourse:", "limits.window_days: 0; allowed: 1 to 365"),
    "warm": ("course:", "warm_minutes: 241\ncourse:", "warm_minutes: 241; allowed: 0 to 240, 0 for never"),
    "warmth": ("course:", "warm_minutes: -1\ncourse:", "warm_minutes: -1; must be a whole number from 0"),
    "keep": ("course:", "keep: vol-0abc\ncourse:", "keep: 'vol-0abc'; allowed: ids, or tags as lab=shared, in a list"),
    "kept twice": (
        "course:",
        "keep: [vol-0abc, vol-0abc]\ncourse:",
        "keep: 'vol-0abc' stands twice; allowed: each once",
    ),
    "kept tag": ("course:", "keep: [lab=]\ncourse:", "keep: 'lab=' is neither an id nor a tag; allowed: ids, or tags"),
    "kept why": ("course:", "keep: {vol-0abc: }\ncourse:", "keep: vol-0abc: None; allowed: why it is kept"),
    "budget of 0": ("course:", "budget_usd: {course: 0}\ncourse:", "budget_usd.course: 0 lets nobody launch anything"),
    "region": ("aws/us-east-1", "aws/us-east-9", "infra: aws/us-east-9: not in the catalog; allowed: aws/us-east-1, "),
    "machine": ("course:", "instances: [g7.big]\ncourse:", "instances: 'g7.big': not in the catalog at the class's"),
    "elsewhere": ("course:", "instances: [gpu_1x_h100_pcie]\ncourse:", "instances: 'gpu_1x_h100_pcie': not in the"),
    "no machine": ("course:", "instances: []\ncourse:", "instances: []; allowed: a list of machines, such as"),
    "mode": ("course:", "mode: alone\ncourse:", "mode: 'alone'; allowed: per-student, shared"),
    "server": ("course:", "server: perhaps\ncourse:", "server: 'perhaps'; allowed: true or false"),
    "server's key": ("course:", "server: {name: x}\ncourse:", "server.name: unknown; allowed: domain, hosted_zone_id,"),
    "domain": (
        "course:",
        "server: {domain: LLM, hosted_zone_id: Z0}\ncourse:",
        "server.domain: 'LLM'; allowed: {domain: llm.example.org,",
    ),
    "zone": (
        "course:",
        "server: {domain: llm.example.org}\ncourse:",
        "server: domain and hosted_zone_id: both or neither;",
    ),
    "server's machine": (
        "course:",
        "server: {instance_type: m9.large}\ncourse:",
        "server.instance_type: 'm9.large': not in the catalog at the class's places in AWS",
    ),
    "due": (
        "course:",
        "dates: {start: 2026-09-01, end: 2026-12-18}\nlabs: {qlora: {due: 2027-01-07}}\ncourse:",
        "labs.qlora.due: 2027-01-07 is outside the class's dates; allowed: 2026-09-01 to 2026-12-18",
    ),
    "key": ("infra:", "infras: x\ninfra:", "infras: unknown; allowed: budget_usd, course, "),
}


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_with_file_and_key(file: Path, old: str, new: str, message: str) -> None:
    spoil(file, old, new)
    with pytest.raises(InputError) as error:
        Cluster.load(file)
    assert f"{file}: {message}" in str(error.value)


def test_all_faults_are_found_in_one_reading(file: Path) -> None:
    wrong = {
        "course": "llm-2025",
        "infra": "[aws/us-east-9]",
        "dates": "{start: 2026-12-18, end: 2026-09-01}",
        "hours": '["tue 10:00-12:00", "tue 11:00-13:00"]',
        "time_zone": "Europe/Atlantis",
        "roster": "[ana, ana]",
        "instructors": "[ana]",
        "budget_usd": "{course: 0}",
        "network": "{cidr: 10.60.0.0/27}",
        "limits": "{gpus: -1}",
        "warm_minutes": "soon",
        "keep": "all",
        "sever": "true",
    }
    file.write_text("".join(f"{key}: {value}\n" for key, value in wrong.items()))
    with pytest.raises(InputError) as error:
        Cluster.load(file)
    keys = {problem.key.partition(".")[0] for problem in error.value.problems}
    assert keys == wrong.keys()
