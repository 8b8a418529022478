from __future__ import annotations

from fractions import Fraction

import pytest

from jobs.thinking.answers import majority, parse_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (" 22", 22),
        (" 8 + 2 = 10 - 3 = 7\nAnswer: 7", 7),
        ("16 - 3 = <<16-3=13>>13\n#### 1,234", 1234),
        ("So the answer is $12.50, not 13.", Fraction(25, 2)),
        ("Answer: 5\nNo, wait.\nAnswer: -6", -6),
        ("He has 3 and then 4 of them", 4),
        ("Answer: none of the 3", 3),
        ("4 apples. Answer:", 4),
        ("no number at all", None),
        ("", None),
    ],
)
def test_an_answer_is_the_number_behind_its_mark_or_the_last(text: str, answer: Fraction | None) -> None:
    assert parse_answer(text) == answer


def test_most_votes_win_of_equal_ones_the_first_and_no_answer_is_no_vote() -> None:
    one, two = Fraction(1), Fraction(2)
    assert majority([one, two, two]) == 2
    assert majority([two, one, one, two]) == 2
    assert majority([None, None, None, one]) == 1
    assert majority([None]) is None
