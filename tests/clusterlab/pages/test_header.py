from __future__ import annotations

from pathlib import Path

import pytest

from clusterlab.lab import lab_paths
from clusterlab.pages.header import Header
from tests.clusterlab.conftest import ROOT

TEXT = """# Toy: add
#
# Claim: one and one
#        are two: always.
# Source: Peano (1889).
#
# Usage: make env-toy                    once: its environment
#        clusterlab run labs/toy.yaml    this machine
#                                        and no other
#        sky launch labs/toy.yaml
#
# First note: of
# two lines.
#
# Second.

name: toy
# Claim: not of the header.
"""


def test_the_parts_of_a_header_are_told_apart() -> None:
    header = Header.of(TEXT)
    assert (header.claim, header.source) == ("one and one are two: always.", "Peano (1889).")
    assert header.usage == (
        ("make env-toy", "once: its environment"),
        ("clusterlab run labs/toy.yaml", "this machine"),
        ("", "and no other"),
        ("sky launch labs/toy.yaml", ""),
    )
    assert header.notes == ("First note: of two lines.", "Second.")


def test_a_header_that_has_nothing_is_empty() -> None:
    assert Header.of("name: toy\n") == Header(claim="", source="", usage=(), notes=())


@pytest.mark.parametrize("path", lab_paths(ROOT / "labs"), ids=lambda path: path.stem)
def test_each_lab_has_every_part_and_what_is_typed_is_a_command(path: Path) -> None:
    header = Header.of(path.read_text())
    assert header.claim
    assert header.source
    assert {command.split()[0] for command, _ in header.usage if command} <= {
        "clusterlab",
        "sky",
        "make",
        "export",
        "ssh",
        "curl",
    }
