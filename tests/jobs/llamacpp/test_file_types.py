from __future__ import annotations

import re

import pytest
from gguf import GGMLQuantizationType, LlamaFileType

from jobs.llamacpp.file_types import QUANTIZED, is_super_blocked, parse_types, source_type


def test_every_type_is_one_of_the_format() -> None:
    assert all(f"MOSTLY_{name}" in LlamaFileType.__members__ for name in QUANTIZED)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("F16,Q4_X", "'Q4_X' unknown; allowed: F32, F16, Q8_0"),
        ("f16", "'f16' unknown"),
        ("", "'' unknown"),
        ("F16,Q8_0,F16", "once"),
        ("Q8_0,Q4_K_M", "one of F32, F16 must be there"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(given: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_types(given)


def test_the_most_exact_type_is_what_the_others_come_from() -> None:
    assert source_type(parse_types("Q8_0, F16,F32")) == "F32"
    assert source_type(parse_types("Q8_0,F16")) == "F16"


def test_k_types_are_those_with_blocks_of_256() -> None:
    from gguf.constants import GGML_QUANT_SIZES

    names = {kind.name: size for kind, (size, _) in GGML_QUANT_SIZES.items() if kind.name.startswith("Q")}
    assert {name for name, size in names.items() if size == 256} == {name for name in names if is_super_blocked(name)}
    assert GGMLQuantizationType.Q4_K.name in names
