from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.config import (
    Scale,
    Source,
    by_scale,
    from_environment,
    from_flags,
    parse,
    range_problems,
    to_flags,
)
from clusterlab.errors import InputError

MADE = Source("made")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    scale: Scale
    base: Source = MADE
    steps: int = by_scale(tiny=1, small=2, single=3, full=4)
    rate: float = 0.5
    quick: bool = False
    note: str = ""
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.steps <= 0:
            raise ValueError("STEPS: must be above 0")


@pytest.mark.parametrize(("scale", "steps"), [("tiny", 1), ("small", 2), ("single", 3), ("full", 4)])
def test_the_scale_sets_what_was_not_given(scale: str, steps: int) -> None:
    assert parse(Config, {"SCALE": scale}).steps == steps
    assert parse(Config, {"SCALE": scale, "STEPS": "9"}).steps == 9


def test_values_are_of_their_fields_types() -> None:
    config = parse(Config, {"SCALE": "tiny", "RATE": "1e-3", "QUICK": "True", "NOTE": "a=b", "LIMIT": "3"})
    assert config == Config(scale=Scale.TINY, steps=1, rate=0.001, quick=True, note="a=b", limit=3)
    assert parse(Config, {"SCALE": "tiny", "LIMIT": ""}).limit is None


def test_every_fault_comes_in_one_go() -> None:
    with pytest.raises(InputError) as error:
        parse(Config, {"SCALE": "big", "STEP": "1", "RATE": "fast", "QUICK": "yes", "BASE": "org/name"})
    assert str(error.value).splitlines() == [
        "envs: SCALE: 'big': allowed: tiny, small, single, full",
        "envs: STEP: unknown; did you mean STEPS? allowed: SCALE, BASE, STEPS, RATE, QUICK, NOTE, LIMIT",
        "envs: RATE: 'fast': allowed: a number",
        "envs: QUICK: 'yes': allowed: true or false",
        "envs: BASE: 'org/name': neither pinned nor a folder; "
        "allowed: org/name@<40-hex revision>, or a folder that exists",
    ]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_is_a_finite_one(text: str) -> None:
    with pytest.raises(InputError, match=r"RATE: .*allowed: a number"):
        parse(Config, {"SCALE": "tiny", "RATE": text})


def test_a_field_without_default_is_missed() -> None:
    with pytest.raises(InputError, match="envs: SCALE: missing; allowed: tiny, small, single, full"):
        parse(Config, {})


def test_what_the_config_refuses_is_an_input_error() -> None:
    with pytest.raises(InputError, match="envs: STEPS: must be above 0"):
        parse(Config, {"SCALE": "tiny", "STEPS": "0"})


def test_each_number_that_is_out_of_its_range_is_named_with_what_is_allowed() -> None:
    @dataclass(frozen=True, kw_only=True, slots=True)
    class Asked:
        steps: int = 0
        share: float = 1.5
        rate: float = 0.0

    wrong = range_problems(Asked(), least={"steps": 1}, most={"share": 1, "steps": 0}, above_zero=["rate", "share"])
    assert wrong == ["STEPS=0: must be 1 or more", "SHARE=1.5: must be at most 1", "RATE=0.0: must be above 0"]
    assert not range_problems(
        Asked(steps=1, share=1, rate=0.1), least={"steps": 1}, most={"share": 1}, above_zero=["rate"]
    )


def test_a_source_is_pinned_or_a_folder_or_a_name(tmp_path: Path) -> None:
    for source in (f"org/name@{'0' * 40}", str(tmp_path), "made"):
        assert parse(Config, {"SCALE": "tiny", "BASE": source}).base == source
    for source in ("", "org/name", "org/name@main", str(tmp_path / "gone")):
        with pytest.raises(InputError):
            parse(Config, {"SCALE": "tiny", "BASE": source})


def test_the_environment_is_read_by_the_fields_names_only() -> None:
    assert from_environment(Config, {"SCALE": "small", "HOME": "/x", "NOTE": "n"}).note == "n"


@given(
    steps=st.integers(min_value=1),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    quick=st.booleans(),
    note=st.text(),
    limit=st.none() | st.integers(),
)
def test_flags_are_read_back_as_they_were(steps: int, rate: float, quick: bool, note: str, limit: int | None) -> None:
    config = Config(scale=Scale.FULL, steps=steps, rate=rate, quick=quick, note=note, limit=limit)
    assert from_flags(Config, to_flags(config)) == config


@pytest.mark.parametrize("flag", ["steps=1", "--steps"])
def test_what_is_no_flag_is_refused(flag: str) -> None:
    with pytest.raises(InputError, match="not a flag; write --name=value"):
        from_flags(Config, [flag])
