from __future__ import annotations

import pytest

from clusterlab.closest import hint

KNOWN = ("qlora", "quantize", "H100", "A100-80GB")


@pytest.mark.parametrize(("name", "nearest"), [("qlorra", "qlora"), ("QLORA", "qlora"), ("h10", "H100")])
def test_a_misspelt_name_is_told_the_nearest_as_it_is_written(name: str, nearest: str) -> None:
    assert hint(name, KNOWN) == f"did you mean {nearest}? "


def test_a_name_that_is_near_none_is_told_none() -> None:
    assert not hint("rag", KNOWN)
    assert not hint("qlorra", ())


def test_how_near_it_must_be_can_be_said() -> None:
    assert not hint("quant", KNOWN, cutoff=0.9)
    assert hint("quant", KNOWN, cutoff=0.5)
