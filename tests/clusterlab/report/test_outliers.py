from __future__ import annotations

from decimal import Decimal

import pytest

from clusterlab.report.outliers import outliers


def marked(*usd: str) -> list[str]:
    return list(outliers({f"s{number}": Decimal(each) for number, each in enumerate(usd)}))


MARKED = {
    "far above": (("1", "1.1", "0.9", "1.2", "9"), ["s4"]),
    "two of many": (("1", "1.1", "0.9", "1.2", "1", "0.8", "9", "12"), ["s6", "s7"]),
    "all others alike": (("1", "1", "1", "1", "1", "1", "9"), ["s6"]),
    "within the spread": (("1", "3", "5", "7", "9"), []),
    "above by cents": (("1", "1", "1.01", "0.99", "1.9"), []),
    "above by a dollar exactly": (("1", "1", "1", "1", "1", "2"), []),
    "far below": (("9", "9.1", "8.9", "9.2", "1"), []),
    "all alike": (("2", "2", "2", "2", "2"), []),
    "too few to tell": (("1", "1", "1", "90"), []),
    "none": ((), []),
}


@pytest.mark.parametrize(("usd", "names"), MARKED.values(), ids=MARKED.keys())
def test_who_is_far_above_the_others_is_marked(usd: tuple[str, ...], names: list[str]) -> None:
    assert marked(*usd) == names


def test_the_score_is_that_of_iglewicz_and_hoaglin() -> None:
    [found] = outliers(dict(zip("abcde", map(Decimal, ("1", "2", "3", "4", "53")), strict=True))).values()
    assert [found.median_usd, round(found.score, 3)] == [3, round(Decimal("0.6745") * 50, 3)]
