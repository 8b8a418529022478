from __future__ import annotations

import pytest

from jobs.llamacpp.contents import Contents


def test_what_fell_back_is_a_share_of_all_matrices() -> None:
    contents = Contents(num_bytes=1, bits_per_parameter=5.0, weights_by_type={"Q4_K": 60, "Q6_K": 15, "Q5_0": 25})
    assert contents.fallback_share("Q4_K_M") == pytest.approx(0.25)
    assert contents.fallback_share("Q5_0") == 0


def test_a_file_that_is_all_k_types_fell_back_nowhere() -> None:
    assert Contents(num_bytes=1, bits_per_parameter=3.0, weights_by_type={"Q2_K": 9}).fallback_share("Q2_K") == 0
