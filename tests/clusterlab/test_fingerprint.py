from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.config import Scale
from clusterlab.fingerprint import digest_files, fingerprint

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@dataclasses.dataclass(frozen=True)
class Point:
    x: float
    scale: Scale


@given(values=st.dictionaries(st.text(), VALUES))
def test_the_order_of_keys_does_not_matter(values: dict[str, object]) -> None:
    assert fingerprint(values) == fingerprint(dict(reversed(values.items())))


def test_a_known_value_keeps_its_fingerprint() -> None:
    asked = {"point": Point(x=0.1, scale=Scale.TINY), "price": Decimal("1.50"), "list": (1, None, True)}
    assert fingerprint(asked) == "195c37adda046976a3501848b4a7881ef238c94c0a6daf403bcb8a3ca2b14072"


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), ("1", 1), (None, "None"), (0.1, 0.1 + 1e-17 + 1e-16), ([1], [[1]])]
)
def test_what_differs_has_another_fingerprint(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize("value", [object(), {1, 2}, print, float("nan"), float("inf"), {1: 2}, b"x", Path("x")])
def test_what_has_no_stable_form_is_refused_with_its_place(value: object) -> None:
    with pytest.raises(TypeError, match=r"asked\.a\[0\]"):
        fingerprint({"a": [value]})


def test_files_are_digested_by_name_and_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    before = digest_files(tmp_path, [one, two])
    assert digest_files(tmp_path, [two, one]) == before
    two.rename(tmp_path / "three")
    assert digest_files(tmp_path, [one, tmp_path / "three"]) != before
