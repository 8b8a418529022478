from __future__ import annotations

from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from clusterlab.course.preflight.check import Check, Verdict
from clusterlab.course.preflight.everything import skipped
from clusterlab.course.preflight.images import look, look_there
from clusterlab.images.image import PATH
from clusterlab.images.registry import Registry
from tests.clusterlab.conftest import spoil
from tests.clusterlab.course.preflight.conftest import Make, serving, told

BODY = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{sha256(BODY).hexdigest()}"
LISTED = f"""tgi:
  repository: ghcr.io/hf/tgi
  tag: ""
  digest: {DIGEST}
  verified: 2026-09-01
  used_for: labs/toy.yaml
"""


@pytest.fixture
def named(house: Path) -> Path:
    """The file of images, with the one that the toy lab runs."""
    spoil(house / "labs" / "toy.yaml", "  cpus: 4+", f"  image_id: docker:ghcr.io/hf/tgi@{DIGEST}\n  cpus: 4+")
    (house / PATH).parent.mkdir()
    (house / PATH).write_text(LISTED)
    return house / PATH


@pytest.mark.usefixtures("named")
def test_an_image_by_a_digest_that_its_registry_gave_passes(make: Make) -> None:
    [check] = look(make())
    assert (check.verdict, check.seen) == (Verdict.PASS, "1 by a digest that its registry gave")
    assert ("registry", "WARN") in told(skipped(make()))


def test_a_digest_that_nobody_verified_warns(make: Make, named: Path) -> None:
    spoil(named, "verified: 2026-09-01", "verified: false")
    [check] = look(make())
    assert (check.verdict, "tgi.verified: false" in check.seen) == (Verdict.WARN, True)


def test_an_image_that_can_move_fails(make: Make, named: Path, house: Path) -> None:
    assert named.is_file()
    spoil(house / "labs" / "toy.yaml", f"@{DIGEST}", ":latest")
    [check] = look(make())
    assert (check.verdict, "can move" in check.seen) == (Verdict.FAIL, True)


def test_no_image_at_all_is_said(make: Make) -> None:
    [check] = look(make())
    assert (check.verdict, check.seen.partition(";")[0]) == (Verdict.PASS, "none is named")
    assert list(look_there(make())) == []


def test_a_machine_s_own_image_is_not_asked_for(make: Make, house: Path) -> None:
    spoil(house / "labs" / "toy.yaml", "  cpus: 4+", "  image_id: ami-12c6146b\n  cpus: 4+")
    [check] = look(make())
    assert (check.verdict, check.seen) == (Verdict.WARN, "not asked: a machine's own image, toy: ami-12c6146b")


def at_registry(make: Make, code: int, body: Any) -> Check:
    def answer(handler: BaseHTTPRequestHandler, _: bytes) -> tuple[int, Any]:
        assert handler.path == f"/v2/hf/tgi/manifests/{DIGEST}"
        return code, body

    with serving(answer) as url:
        [check] = look_there(make(), registry=Registry(url=url))
        return check


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("code", "body", "verdict"),
    [
        (200, {"schemaVersion": 2}, "PASS"),
        (404, {}, "FAIL"),
        (200, {"schemaVersion": 1}, "FAIL"),
        (500, {}, "WARN"),
    ],
    ids=["there", "gone", "another", "broken"],
)
def test_each_is_asked_for_at_its_registry(make: Make, code: int, body: Any, verdict: str) -> None:
    check = at_registry(make, code, body)
    assert (check.verdict, "ghcr.io/hf/tgi" in check.seen or "tgi:" in check.seen) == (verdict, True)
