"""The file of images: the project's own, and every fault of a bad one in one go."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from clusterlab.errors import InputError
from clusterlab.images.image import PATH, Images
from tests.clusterlab.conftest import ROOT, spoil
from tests.clusterlab.images.conftest import DIGEST


def test_the_project_has_images() -> None:
    assert {"cuda", "tgi"} <= Images.load(ROOT / PATH).by_name.keys()


def test_an_image_has_its_parts_and_a_reference(listed: Path) -> None:
    spoil(listed, "verified: false\n  used_for: labs", "verified: 2026-11-28\n  used_for: labs")
    images = Images.load(listed)
    cuda, tgi = images.by_name["cuda"], images.by_name["tgi"]
    assert (cuda.host, cuda.path, cuda.reference) == ("docker.io", "nvidia/cuda", "docker.io/nvidia/cuda:13.0")
    assert (tgi.reference, tgi.verified) == (f"ghcr.io/hf/tgi@{DIGEST}", date(2026, 11, 28))
    assert images.meant_by(f"ghcr.io/hf/tgi@{DIGEST}") == tgi
    assert images.meant_by(f"ghcr.io/hf/tgi:other@{DIGEST}") is None
    assert images.meant_by(f"ghcr.io/hf/other@{DIGEST}") is None
    assert images.meant_by("docker.io/nvidia/cuda:13.0") is None, "no digest is no digest of ours"


FAULTS = {
    "number for a tag": ('"13.0"', "13.0", 'cuda.tag: 13.0; allowed: a tag, or ""'),
    "tag with a space": ('"13.0"', '"13 0"', "cuda.tag: '13 0'; allowed: a tag"),
    "no tag": ('  tag: "13.0"\n', "", "cuda.tag: missing; allowed: a tag"),
    "neither": ('"13.0"', '""', "cuda: has neither a tag nor a digest"),
    "no host": ("docker.io/nvidia/cuda", "nvidia/cuda", "cuda.repository: 'nvidia/cuda'; allowed: <host>/<path>"),
    "upper case": ("nvidia/cuda", "NVIDIA/cuda", "cuda.repository: 'docker.io/NVIDIA/cuda'; allowed: <host>/<path>"),
    "short digest": (DIGEST, DIGEST[:-1], f"tgi.digest: '{DIGEST[:-1]}'; allowed: sha256:<64 hex>"),
    "verified nothing": (
        "verified: false",
        "verified: 2026-11-28",
        "cuda.verified: 2026-11-28, and there is no digest",
    ),
    "verified by a word": ("verified: false", "verified: yes", "cuda.verified: True; allowed: false, or the day"),
    "not used": ("used_for: the base", "used_for:", "cuda.used_for: missing"),
    "unknown key": ("used_for: the base", "used_for: the base\n  sha: 1", "cuda.sha: unknown; allowed: digest,"),
    "name": ("tgi:  #", "TGI.x:  #", "TGI.x: is no name; allowed: 1 to 63 of a-z"),
    "twice": ("tgi:  #", "cuda:  #", "the key 'cuda' stands twice"),
}


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_with_its_place(listed: Path, old: str, new: str, message: str) -> None:
    spoil(listed, old, new)
    assert any(message in fault for fault in faults(listed)), faults(listed)


def test_all_faults_come_in_one_go(listed: Path) -> None:
    spoil(listed, '"13.0"', "13.0")
    spoil(listed, DIGEST, "sha256:abc")
    assert [fault.partition(": ")[2].partition(":")[0] for fault in faults(listed)] == ["cuda.tag", "tgi.digest"]


def test_a_file_without_images_is_refused(listed: Path) -> None:
    listed.write_text("{}\n")
    assert faults(listed) == [f"{listed}: has no image"]


def faults(path: Path) -> list[str]:
    with pytest.raises(InputError) as error:
        Images.load(path)
    return [str(problem) for problem in error.value.problems]
