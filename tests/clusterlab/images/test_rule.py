"""A lab's images against the file of images, and strictly against registries."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.check import all_paths, check
from clusterlab.images.image import PATH, Images
from clusterlab.lab import lab_paths
from jobs.serving.tgi import IMAGE
from tests.clusterlab.conftest import ROOT, spoil
from tests.clusterlab.images.conftest import DIGEST, IMAGES
from tests.clusterlab.test_cli import invoke

LAB = Path("labs/toy.yaml")
IMAGES_OF_A_JOB = """
    @property
    def images(self) -> tuple[str, ...]:
        return (self.note,)

    def __post_init__"""


@pytest.fixture
def images(house: Path) -> Path:
    """The file of images of the toy's repository."""
    (house / PATH).parent.mkdir()
    (house / PATH).write_text(IMAGES)
    return house / PATH


def test_the_image_in_the_code_is_that_of_the_file() -> None:
    assert Images.load(ROOT / PATH).by_name["tgi"].reference == IMAGE


def test_an_image_of_the_file_is_no_fault_until_strictness_asks_who_verified_it(house: Path, images: Path) -> None:
    spoil(LAB, "cpus: 4+", f"cpus: 4+\n  image_id: docker:ghcr.io/hf/tgi@{DIGEST}")
    assert check([LAB], house) == []
    assert faults(house, strict=True) == [
        "images/images.yaml: tgi.verified: false, and labs/toy.yaml (resources.image_id) uses it; "
        "`clusterlab images resolve tgi` asks its registry"
    ]
    spoil(images, "verified: false\n  used_for: labs", "verified: 2026-11-28\n  used_for: labs")
    assert faults(house, strict=True) == []


def test_an_image_that_the_file_has_not_is_refused(house: Path, images: Path) -> None:
    assert images.is_file()
    spoil(LAB, "cpus: 4+", f"cpus: 4+\n  image_id: docker:ghcr.io/hf/tgi@sha256:{'b' * 64}")
    assert faults(house) == [
        f"labs/toy.yaml: resources.image_id: ghcr.io/hf/tgi@sha256:{'b' * 64} is not in images/images.yaml; "
        f"allowed: ghcr.io/hf/tgi@{DIGEST}"
    ]


def test_an_image_that_a_job_says_it_runs_is_looked_at_too(house: Path, images: Path) -> None:
    assert images.is_file()
    spoil(house / "jobs" / "toy.py", "\n    def __post_init__", IMAGES_OF_A_JOB)
    spoil(LAB, "SCALE: single", f"SCALE: single\n  NOTE: ghcr.io/hf/tgi@{DIGEST}")
    assert [fault.partition(";")[0] for fault in faults(house, strict=True)] == [
        "images/images.yaml: tgi.verified: false, and labs/toy.yaml (envs.NOTE) uses it"
    ]
    spoil(LAB, "hf/tgi", "hf/other")
    assert [fault.partition(" is not")[0] for fault in faults(house)] == [
        f"labs/toy.yaml: envs.NOTE: ghcr.io/hf/other@{DIGEST}"
    ]


def test_a_file_of_images_with_a_fault_is_named_once(house: Path, images: Path) -> None:
    spoil(images, '"13.0"', "13.0")
    assert faults(house) == ['images/images.yaml: cuda.tag: 13.0; allowed: a tag, or ""']


def test_strictness_looks_at_the_labs_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    unverified = [each.name for each in Images.load(PATH).by_name.values() if each.verified is None]
    strict = {path.stem: check([path], ROOT, strict=True) for path in lab_paths(ROOT / "labs")}
    blamed = {name: [problem.key for problem in problems] for name, problems in strict.items() if problems}
    assert blamed == ({"serve-tgi": ["tgi.verified"]} if "tgi" in unverified else {})


def test_the_command_is_strict_when_asked(images: Path) -> None:
    assert images.is_file()
    spoil(LAB, "cpus: 4+", f"cpus: 4+\n  image_id: docker:ghcr.io/hf/tgi@{DIGEST}")
    assert invoke("check")[0] == 0
    code, _, err = invoke("check", "--strict")
    assert (code, err.partition(",")[0]) == (2, "images/images.yaml: tgi.verified: false")


def faults(root: Path, *, strict: bool = False) -> list[str]:
    return [str(problem) for problem in check(all_paths(Path()), root, strict=strict)]
