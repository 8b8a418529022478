from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.errors import InputError
from clusterlab.tags import LABEL, Tags

LABELS = st.from_regex(LABEL, fullmatch=True)


@given(course=LABELS, student=LABELS, team=st.none() | LABELS)
def test_tags_are_read_back_as_they_were(course: str, student: str, team: str | None) -> None:
    tags = Tags(course=course, lab="toy", student=student, team=team)
    assert Tags.parse(tags.format()) == tags


def test_tags_without_a_value_are_left_out_and_names_are_labels() -> None:
    tags = Tags(course="c", lab="l", student="s", lease_until="20261125t183000z")
    assert tags.labels() == {"course": "c", "lab": "l", "student": "s", "lease-until": "20261125t183000z"}


@pytest.mark.parametrize("value", ["", "Ana", "a b", "-a", "a-", "é", "a" * 64, "a.b", "a\n"])
def test_what_some_cloud_refuses_is_no_label(value: str) -> None:
    with pytest.raises(InputError, match=r"tags: student: .* is not a label; allowed:"):
        Tags(course="c", lab="l", student=value)


def test_every_wrong_tag_is_named() -> None:
    with pytest.raises(InputError) as error:
        Tags.parse("course=c,colour=red,lab")
    assert [problem.key for problem in error.value.problems] == ["colour", "lab", "lab", "student"]
