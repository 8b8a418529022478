"""`clusterlab images` with a real registry: what is written, and what is refused and left as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clusterlab.images.image import Images
from tests.clusterlab.conftest import spoil
from tests.clusterlab.images.conftest import DIGEST, IMAGES, Answer, Fake
from tests.clusterlab.test_cli import invoke
from tests.registry import Server


def test_the_images_are_listed(listed: Path) -> None:
    spoil(listed, "verified: false\n  used_for: labs", "verified: 2026-11-28\n  used_for: labs")
    code, out, _ = invoke("images")
    assert code == 0
    assert [line.split()[:3] for line in out.splitlines() if "/" in line] == [
        ["cuda", "docker.io/nvidia/cuda:13.0", "no"],
        ["tgi", "ghcr.io/hf/tgi", "2026-11-28"],
    ]


def test_the_images_are_listed_as_json(listed: Path) -> None:
    code, out, _ = invoke("images", "--json")
    assert listed.is_file()
    assert code == 0
    assert json.loads(out)["images"][0] == {
        "name": "cuda",
        "repository": "docker.io/nvidia/cuda",
        "tag": "13.0",
        "digest": "",
        "verified": None,
        "used_for": "the base",
    }


def test_a_digest_is_looked_up_and_written(listed: Path, real: Server) -> None:
    pushed = real.push("nvidia/cuda", "13.0", content="first")
    assert invoke("images", "resolve", "cuda", "--registry", real.url) == (0, f"cuda: {pushed}\n", "")
    image = Images.load(listed).by_name["cuda"]
    assert (image.digest, image.verified) == (pushed, datetime.now(UTC).date())
    assert invoke("images", "reference", "cuda")[1] == f"docker.io/nvidia/cuda:13.0@{pushed}\n"


def test_an_image_known_by_its_digest_alone_is_verified_by_it(listed: Path, real: Server) -> None:
    pushed = real.push("hf/tgi", "any", content="tgi")
    spoil(listed, DIGEST, pushed)
    assert invoke("images", "resolve", "tgi", "--registry", real.url)[0] == 0
    assert Images.load(listed).by_name["tgi"].verified == datetime.now(UTC).date()


def test_a_tag_that_moved_is_refused_without_update(listed: Path, real: Server) -> None:
    first = real.push("nvidia/cuda", "13.0", content="before")
    spoil(listed, '""  # None', f"{first}  # None")
    second = real.push("nvidia/cuda", "13.0", content="after")
    before = listed.read_text()
    code, out, err = invoke("images", "resolve", "cuda", "--registry", real.url)
    assert (code, out, listed.read_text()) == (2, "", before)
    assert err == (
        "images/images.yaml: cuda.digest: the tag 13.0 moved: "
        f"the file has {first}, the registry {second}; --update takes it\n"
    )
    assert invoke("images", "resolve", "cuda", "--registry", real.url, "--update")[0] == 0
    assert Images.load(listed).by_name["cuda"].digest == second


def test_what_one_registry_says_is_written_though_another_refuses(listed: Path, real: Server) -> None:
    """Both images are asked for at one place; it has only the first."""
    real.push("nvidia/cuda", "13.0", content="first")
    code, out, err = invoke("images", "resolve", "--registry", real.url)
    assert (code, out.partition(":")[0]) == (2, "cuda")
    assert err == f"images/images.yaml: tgi.digest: {real.url} has no such image (404)\n"
    assert Images.load(listed).by_name["cuda"].verified is not None


def test_a_registry_that_lies_writes_nothing(listed: Path, fake: Fake) -> None:
    fake.answers["/v2/nvidia/cuda/manifests/13.0"] = Answer(body=b"{}", headers={"Docker-Content-Digest": DIGEST})
    code, _, err = invoke("images", "resolve", "cuda", "--registry", fake.url)
    assert (code, listed.read_text()) == (2, IMAGES)
    assert err.startswith(f"images/images.yaml: cuda.tag: {fake.url} promises {DIGEST} and sends sha256:")


def test_a_registry_that_is_down_is_exit_4(listed: Path) -> None:
    code, _, err = invoke("images", "resolve", "--registry", "http://127.0.0.1:1")
    assert (code, listed.read_text(), len(err.splitlines())) == (4, IMAGES, 2)
    assert "images/images.yaml: cuda.tag: http://127.0.0.1:1 does not answer: ConnectionRefusedError" in err


@pytest.mark.parametrize("verb", ["resolve", "reference"])
def test_an_unknown_name_is_refused(listed: Path, verb: str) -> None:
    assert invoke("images", verb, "cuba") == (2, "", "images/images.yaml: cuba: no such image; allowed: cuda, tgi\n")
    assert listed.read_text() == IMAGES


@pytest.mark.parametrize("url", ["http://ghcr.io", "ghcr.io", "file:///etc"])
def test_a_registry_that_anybody_on_the_way_could_be_is_refused(listed: Path, url: str) -> None:
    code, _, err = invoke("images", "resolve", "--registry", url)
    assert (code, listed.read_text()) == (2, IMAGES)
    assert err == f"--registry: {url!r}; allowed: https://<host>, or http:// on this machine's loopback\n"


def test_the_reference_of_an_unverified_image_is_refused_but_when_asked_for(listed: Path) -> None:
    why = "images/images.yaml: tgi.verified: false; `clusterlab images resolve tgi` asks its registry\n"
    assert invoke("images", "reference", "tgi") == (2, "", why)
    assert invoke("images", "reference", "tgi", "--unverified") == (0, f"ghcr.io/hf/tgi@{DIGEST}\n", "")
    assert listed.read_text() == IMAGES
