from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clusterlab.calendar import DAYS
from clusterlab.course import status
from clusterlab.course.language import Language
from clusterlab.course.status.gpu import State
from clusterlab.course.status.job import State as JobState
from clusterlab.course.status.need import Kind
from clusterlab.course.status.part import Name
from clusterlab.course.status.spanish import SPANISH
from clusterlab.course.status.words import KINDS, Words, duration
from clusterlab.ledger.budget import Scope
from tests.clusterlab.course.status.snapshots import gpu

FOLDER = Path(status.__file__).parent
USED = re.compile(r'(?:say|self)(?:\.count)?\(\s*(?:[^"()]*, )?"([^"]+)"(?:, "([^"]+)")?')
FIELD = re.compile(r"{(\w+)}")


def phrases() -> set[str]:
    """Those that are said somewhere, as far as a program can tell."""
    texts = [each.read_text() for each in FOLDER.iterdir() if each.suffix in (".py", ".html")]
    found = {phrase for text in texts for match in USED.findall(text) for phrase in match if phrase}
    spoken = [*DAYS, *State, *JobState, *Kind, *Name, *Scope, *(each for pair in KINDS.values() for each in pair)]
    return found | set(map(str, spoken))


def test_everything_that_is_said_is_said_in_spanish_too() -> None:
    assert len(phrases()) > 90
    assert phrases() - SPANISH.keys() == set()


@pytest.mark.parametrize("phrase", SPANISH)
def test_a_translation_has_the_same_values(phrase: str) -> None:
    assert sorted(FIELD.findall(SPANISH[phrase])) == sorted(FIELD.findall(phrase))


def test_what_is_not_all_is_no_full_hundred() -> None:
    assert Words(language=Language.EN).share(Decimal("0.99999")) == "99 %"


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(seconds=59), "0 min"),
        (timedelta(minutes=60), "1 h"),
        (timedelta(minutes=135), "2 h 15 min"),
        (timedelta(hours=48), "2 d"),
        (timedelta(hours=51, minutes=20), "2 d 3 h"),
        (timedelta(seconds=-5), "0 min"),
    ],
)
def test_a_length_is_said_in_its_two_largest_units(length: timedelta, shown: str) -> None:
    assert duration(length) == shown


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"model": "L4 max"}, "0 L4 max"),
        ({"model": ""}, "0"),
        ({"index": None, "count": 2, "model": "T4x"}, "2 x T4x"),
        ({"index": None, "count": 2, "model": ""}, "2 GPU"),
    ],
)
def test_a_gpu_is_called_by_its_number_and_model(changes: dict[str, Any], shown: str) -> None:
    assert Words(language=Language.EN).gpu(gpu(**changes)) == shown
