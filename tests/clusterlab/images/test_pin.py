"""A digest is written where it belongs, and nothing else changes."""

from __future__ import annotations

import difflib
from datetime import date

import pytest

from clusterlab.errors import ClusterlabError
from clusterlab.images.image import PATH
from clusterlab.images.pin import pinned
from tests.clusterlab.conftest import ROOT
from tests.clusterlab.images.conftest import DIGEST, IMAGES

DAY = date(2026, 11, 28)
OTHER = f"sha256:{'b' * 64}"


def test_two_values_of_one_image_change_and_every_comment_stays() -> None:
    assert changes(IMAGES, pinned(IMAGES, "cuda", digest=OTHER, verified=DAY)) == [
        '-  digest: ""  # None yet.',
        "-  verified: false",
        f"+  digest: {OTHER}  # None yet.",
        "+  verified: 2026-11-28",
    ]


def test_the_last_image_is_written_too_and_a_digest_replaced() -> None:
    assert changes(IMAGES, pinned(IMAGES, "tgi", digest=OTHER, verified=DAY)) == [
        f"-  digest: {DIGEST}",
        "-  verified: false",
        f"+  digest: {OTHER}",
        "+  verified: 2026-11-28",
    ]


@pytest.mark.parametrize("name", ["cuda", "tgi"])
def test_the_projects_own_file_can_be_written(name: str) -> None:
    text = (ROOT / PATH).read_text()
    assert len(changes(text, pinned(text, name, digest=OTHER, verified=DAY))) == 4


@pytest.mark.parametrize(
    "text",
    [
        "cuda: {digest: '', verified: false}\n",
        "cuda:\n  digest: ''\n",
        "cuda:\n  verified: false\n",
        "tgi:\n  digest: 1\n",
    ],
)
def test_an_image_that_is_not_in_lines_is_refused(text: str) -> None:
    with pytest.raises(ClusterlabError, match=r"^cuda(\.\w+)?: cannot be written; allowed: an image with each key"):
        pinned(text, "cuda", digest=OTHER, verified=DAY)


def changes(old: str, new: str) -> list[str]:
    lines = list(difflib.ndiff(old.splitlines(), new.splitlines()))
    return [f"{line[0]}{line[2:]}" for sign in "-+" for line in lines if line[0] == sign]
