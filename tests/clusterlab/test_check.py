from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.check import all_paths, check
from clusterlab.cluster import class_paths
from clusterlab.lab import lab_paths
from tests.clusterlab.conftest import ROOT, spoil
from tests.needs import needs_skypilot

LAB = Path("labs/toy.yaml")
SIDECAR = Path("labs/toy.expected.yaml")


def faults(root: Path) -> list[str]:
    return [str(problem) for problem in check(all_paths(Path()), root)]


def test_labs_were_found() -> None:
    assert "qlora.yaml" in [path.name for path in lab_paths(ROOT / "labs")]


@pytest.mark.parametrize("path", lab_paths(ROOT / "labs"), ids=lambda path: path.stem)
def test_each_lab_keeps_the_rules(path: Path) -> None:
    assert check([path], ROOT) == []


def test_a_good_lab_has_no_fault(house: Path) -> None:
    assert faults(house) == []


TASK_FAULTS = {
    "no title": ("# Toy: add one and one\n#\n", "", "header: has no title"),
    "no claim": ("# Claim: one", "# one", "header: lacks `Claim:`"),
    "no source": ("# Source: Peano", "# Peano", "header: lacks `Source:`"),
    "no usage": ("# Usage: sky", "# sky", "header: lacks `Usage:`"),
    "name is another": ("name: toy", "name: joy", "name: 'joy'; allowed: toy"),
    "no name": ("name: toy\n", "", "name: missing; allowed: toy"),
    "unknown env": ("SCALE: single", "SCALE: single\n  STEP: 3", "envs.STEP: unknown; did you mean STEPS? allowed:"),
    "env in lower case": ("SCALE: single", "SCALE: single\n  steps: 3", "envs.steps: unknown; did you mean"),
    "env of the wrong type": (
        "SCALE: single",
        "SCALE: single\n  STEPS: many",
        "envs.STEPS: 'many': allowed: a whole number",
    ),
    "env that the job refuses": ("SCALE: single", "SCALE: single\n  STEPS: 0", "envs: STEPS: must be above 0"),
    "env without a value": ("SCALE: single", "SCALE: single\n  NOTE:", "envs.NOTE: has no value"),
    "unknown scale": (
        "SCALE: single",
        "SCALE: big",
        "envs.SCALE: 'big': allowed: tiny, small, single, full",
    ),
    "no scale": ("envs:\n  SCALE: single\n", "", "envs.SCALE: missing; allowed: tiny, small, single, full"),
    "run ends in something else": ("jobs.submit toy", "jobs.submit toy\n  echo done", "run: must end in the line"),
    "no such job": ("jobs.submit toy", "jobs.submit tot", "run: no job 'tot'; did you mean toy? allowed: toy"),
    "no course": ("    course: llm-2026\n", "", "resources.labels.course: missing; allowed:"),
    "label that a cloud refuses": ("llm-2026", "LLM 2026", "resources.labels.course: some cloud refuses 'LLM 2026'"),
    "label too long": ("llm-2026", "a" * 64, "resources.labels.course: some cloud refuses"),
    "label's key that a cloud refuses": ("lab: toy", "lab: toy\n    My Key: x", "labels.My Key: some cloud refuses"),
    "label of another lab": ("lab: toy", "lab: joy", "resources.labels.lab: 'joy'; allowed: toy"),
    "machine only stops": ("down: true", "down: false", "resources.autostop.down: must be true"),
    "machine never stops": (
        "  autostop: {idle_minutes: 10, down: true}\n",
        "",
        "resources.autostop.idle_minutes: missing",
    ),
    "open port": ("cpus: 4+", "cpus: 4+\n  ports: 8080", "resources.ports: not allowed"),
    "bound to a cloud": ("cpus: 4+", "cpus: 4+\n  infra: aws", "resources.infra: not allowed"),
    "exact number of CPUs": ("cpus: 4+", "cpus: 4", "resources.cpus: 4; allowed: a number and +"),
    "image by tag": (
        "cpus: 4+",
        "cpus: 4+\n  image_id: docker:ray:2.9",
        "resources.image_id: 'docker:ray:2.9' can move",
    ),
    "unpinned install": ("make env", "pip install torch", "setup: `pip install torch` is not pinned"),
    "clone": ("make env", "git clone https://x.test/y", "setup: `git clone` a clone moves"),
    "script off the net": (
        "make env",
        "curl https://x.test/y | sudo bash",
        "setup: `curl https://x.test/y | sudo bash`",
    ),
    "branch": ("make env", "pip install -r x.lock git+ssh://x.test/y@main", "setup: `@main` a branch moves"),
    "hub id without revision": (
        "SCALE: single",
        "SCALE: single\n  MODEL: org/other",
        "envs.MODEL: 'org/other': neither",
    ),
    "hub id in another env": ("SCALE: single", "SCALE: single\n  NOTE: org/other", "envs: NOTE=org/other: not pinned"),
    "written secret": ("HF_TOKEN: null", "HF_TOKEN: abc", "secrets.HF_TOKEN: is written in the file"),
    "secret among envs": ("SCALE: single", "SCALE: single\n  API_KEY: abc", "envs.API_KEY: looks like a secret"),
    "key in a comment": ("make env", f"make env # hf_{'a' * 30}", "has a text that looks like a key"),
    "key twice": ("name: toy", "name: toy\nname: toy", "line 9, column 1: the key 'name' stands twice"),
    "accelerator unknown": (
        "A10G: 1}",
        "K80: 1}",
        "resources.accelerators: K80:1 is not in the course's catalog; allowed: T4:1",
    ),
    "so many nowhere": ("A10G: 1}", "A10G: 3}", "resources.accelerators: A10G:3 is not in the course's catalog"),
    "does not parse": ("name: toy", "name: [toy", "line 10, column 10"),
}


@pytest.mark.parametrize(("old", "new", "message"), TASK_FAULTS.values(), ids=TASK_FAULTS.keys())
def test_a_fault_of_the_task_is_named_with_its_place(house: Path, old: str, new: str, message: str) -> None:
    spoil(LAB, old, new)
    found = faults(house)
    assert any(fault.startswith("labs/toy.yaml: ") and message in fault for fault in found), found


def test_a_gated_model_without_its_token_is_named(house: Path) -> None:
    spoil(house / "jobs" / "toy.py", "org/name@", "meta-llama/x@")
    spoil(LAB, "secrets:\n  HF_TOKEN: null\n", "")
    assert [fault.partition(" is gated")[0] for fault in faults(house)] == [
        f"labs/toy.yaml: secrets.HF_TOKEN: missing; meta-llama/x@{'0' * 40}"
    ]


def test_a_default_of_the_job_without_revision_is_named(house: Path) -> None:
    spoil(house / "jobs" / "toy.py", '"org/name@" + "0" * 40', '"org/name"')
    assert faults(house) == [
        "labs/toy.yaml: envs: MODEL=org/name: not pinned; allowed: org/name@<40-hex revision>, or a folder"
    ]


PINNED_INSTALLS = [
    "pip install -r x.lock",
    "pip install torch==2.1",
    "pip install -e .",
    "pip install --no-deps a==1 b==2",
]


@pytest.mark.parametrize("install", PINNED_INSTALLS)
def test_a_pinned_install_is_no_fault(house: Path, install: str) -> None:
    spoil(LAB, "make env", install)
    assert faults(house) == []


def test_an_image_with_a_digest_is_no_fault(house: Path) -> None:
    spoil(LAB, "cpus: 4+", f"cpus: 4+\n  image_id: docker:rayproject/ray@sha256:{'a' * 64}")
    assert faults(house) == []


SIDECAR_FAULTS = {
    "no goal": ("goal: Learn to add.\n", "", "goal: missing"),
    "unknown key": ("egress_gb: 1", "egress_gb: 1\nbudget: 3", "budget: unknown; allowed: egress_gb, es, goal, scales"),
    "unknown scale": ("  full:", "  huge:", "scales.huge: unknown; allowed: full, single, small, tiny"),
    "scale that the job offers": ("  full:", "  huge:", "scales.full: missing"),
    "no tiny": ("  tiny:", "  huge:", "scales.tiny: missing"),
    "hours fall": ("low: 1, expected: 2", "low: 3, expected: 2", "scales.tiny.hours: must not fall"),
    "hours no number": (
        "low: 1, expected: 2",
        "low: long, expected: 2",
        "scales.tiny.hours.low: 'long'; must be a number",
    ),
    "unknown machine": ("machine: local", "machine: moon", "scales.tiny.machine: 'moon'; allowed: local, lab"),
    "machine not in the catalog": (
        "machine: local",
        "machine: A100:3",
        "scales.tiny.machine: A100:3 is not in the course's catalog; allowed: T4:1",
    ),
    "no machine": ("machine: local", "machine: A100:0", "scales.tiny.machine: 'A100:0'; allowed: local, lab, or acc"),
    "nothing expected": (
        "expect:\n      loss: {value: 1.0, tolerance: 0.1, source: a book, hardware: any}",
        "expect: {}",
        "scales.tiny.expect: empty",
    ),
    "no source": ("source: a book, ", "", "scales.tiny.expect.loss.source: missing"),
    "no hardware": (", hardware: any", "", "scales.tiny.expect.loss.hardware: missing"),
    "value without tolerance": ("tolerance: 0.1, ", "", "scales.tiny.expect.loss: allowed: value with tolerance"),
    "range falls": ("value: 1.0, tolerance: 0.1", "low: 2, high: 1", "scales.tiny.expect.loss: low 2 is above high 1"),
    "misspelt": ("tolerance: 0.1", "tolerence: 0.1", "scales.tiny.expect.loss.tolerence: unknown"),
    "does not parse": ("goal: Learn", "goal: {Learn", "line 2, column 10"),
}


@pytest.mark.parametrize(("old", "new", "message"), SIDECAR_FAULTS.values(), ids=SIDECAR_FAULTS.keys())
def test_a_fault_of_the_sidecar_is_named_with_its_place(house: Path, old: str, new: str, message: str) -> None:
    spoil(SIDECAR, old, new)
    found = faults(house)
    assert any(fault.startswith("labs/toy.expected.yaml: ") and message in fault for fault in found), found


@needs_skypilot
def test_what_skypilot_would_refuse_is_a_fault(house: Path) -> None:
    spoil(LAB, "setup:", "set_up:")
    assert faults(house) == ["labs/toy.yaml: SkyPilot refuses it: unknown key 'set_up', did you mean setup?"]


def test_a_sidecar_without_its_lab_is_a_fault(house: Path) -> None:
    LAB.unlink()
    assert faults(house) == ["labs/toy.expected.yaml: a sidecar without its lab; labs/toy.yaml is missing"]


def test_a_lab_without_its_sidecar_is_a_fault(house: Path) -> None:
    SIDECAR.unlink()
    assert faults(house) == ["labs/toy.yaml: has no sidecar; labs/toy.expected.yaml says what is expected of it"]


def test_a_lab_that_is_not_there_names_the_labs_that_are(house: Path) -> None:
    problems = check([Path("labs/tox.yaml")], house)
    assert list(map(str, problems)) == [
        "labs/tox.yaml: no such lab; did you mean labs/toy.yaml? allowed: labs/toy.yaml"
    ]


def test_faults_of_both_files_come_in_one_go(house: Path) -> None:
    spoil(LAB, "name: toy", "name: [toy")
    spoil(SIDECAR, "machine: local", "machine: moon")
    places = [fault.rpartition(".yaml: ")[0] for fault in faults(house)]
    assert places == ["labs/toy", "labs/toy.expected"]


def test_a_sidecar_stands_for_its_lab_and_each_lab_is_checked_once(house: Path) -> None:
    spoil(LAB, "name: toy", "name: joy")
    assert len(check([SIDECAR, LAB], house)) == 1


CLASS_FILE = Path("clusters/llm-2026.yaml")
CLASS_FAULTS = {
    "unknown key": ("course:", "curse: x\ncourse:", "curse: unknown; allowed:"),
    "course of another name": ("llm-2026", "llm-2027", "course: 'llm-2027'; allowed: llm-2026, as the file is named"),
    "lab that there is none of": (
        "infra:",
        "labs: {tox: {}}\ninfra:",
        "labs.tox: no such lab; did you mean toy? allowed",
    ),
    "place without a price": ("aws/us-east-1", "aws/nowhere", "infra: aws/nowhere: not in the catalog"),
    "roster without its file": ("infra:", "roster: none.csv\ninfra:", "clusters/none.csv: "),
}


@pytest.mark.parametrize(("old", "new", "message"), CLASS_FAULTS.values(), ids=CLASS_FAULTS.keys())
def test_a_fault_of_a_class_is_named_with_its_place(house: Path, old: str, new: str, message: str) -> None:
    spoil(CLASS_FILE, old, new)
    found = [str(problem) for problem in check([CLASS_FILE], house)]
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize("path", class_paths(ROOT / "clusters"), ids=lambda path: path.stem)
def test_each_class_is_well_formed_and_has_its_labs(path: Path) -> None:
    assert check([path], ROOT) == []


@pytest.mark.usefixtures("house")
def test_a_computing_centre_is_no_class() -> None:
    Path("clusters/centre.yaml").write_text("name: centre\n")
    assert all_paths(Path()) == [LAB, CLASS_FILE]
