from __future__ import annotations

import re

import pytest

from clusterlab.course.language import Language
from clusterlab.course.status.page import MOST_ROWS, page
from clusterlab.course.status.snapshot import Snapshot
from clusterlab.course.status.words import Words
from tests.clusterlab.course.status.snapshots import full, gpu, machine, purse, snapshot
from tests.clusterlab.report.test_page import EVIL, FETCHING, Document

ENGLISH, SPANISH = (Words(language=each) for each in Language)
PAGES = {
    "of all": full(),
    "nothing runs": snapshot(),
    "nothing is known": snapshot(machines=None, gpus=None, purses=None),
    "only the cloud": snapshot(machines=[machine(1)], gpus=None, purses=None),
}


@pytest.mark.parametrize("say", [ENGLISH, SPANISH], ids=["en", "es"])
@pytest.mark.parametrize("seen", PAGES.values(), ids=PAGES.keys())
def test_every_element_is_closed_referred_to_rightly_and_nothing_is_fetched(seen: Snapshot, say: Words) -> None:
    text = page(seen, say)
    document = Document(text)
    assert document.inside == []
    attributes = [each for _, each in document.elements]
    ids = [each["id"] for each in attributes if "id" in each]
    assert len(set(ids)) == len(ids)
    wanted = {each["href"] for each in attributes if "href" in each}
    assert {each.removeprefix("#") for each in wanted} <= set(ids)
    assert not any(FETCHING & each.keys() or "style" in each for each in attributes)
    assert not re.search(r"https?:(?!//127)|url\(|@import|<script", text)
    assert dict(document.elements)["html"]["lang"] == say.language


def test_the_policy_allows_the_page_s_style_and_no_script() -> None:
    document = Document(page(full(), ENGLISH))
    policy = next(each["content"] for tag, each in document.elements if "http-equiv" in each)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src 'none'" in policy


def test_what_is_in_names_is_text() -> None:
    document = Document(page(full(EVIL), ENGLISH))
    assert "script" not in [tag for tag, _ in document.elements]
    assert document.text.count(EVIL) > 15


def test_names_neither_turn_the_words_around_them_nor_spoil_the_file() -> None:
    text = page(full("\u05d0\u05d1\u202e\x00\ud800"), ENGLISH)
    assert "<bdi>\u05d0\u05d1" in text
    assert "\x00" not in text
    text.encode()


def test_what_needs_somebody_comes_first_and_in_words() -> None:
    text = Document(page(full(), ENGLISH)).text
    told = text[text.index("things need somebody") : text.index("Clusters cluster student")]
    for part in ("lease past ana: ana", "budget spent student ana: 105 %", "idle GPU ana, ana2", "20 min"):
        assert part in told
    assert "team ana" not in told


def test_what_could_not_be_looked_at_is_said_in_its_place_and_is_no_zero() -> None:
    document = Document(page(PAGES["nothing is known"], ENGLISH))
    for name in ("AWS", "Ray", "ledger"):
        assert f"{name} could not be looked at: it is away" in document.text
    assert "unknown" in document.text_of["dd"]
    assert not re.search(r"\d", document.text_of["dd"])


def test_others_are_shown_where_one_could_not_be_looked_at() -> None:
    text = Document(page(PAGES["only the cloud"], SPANISH)).text
    assert "el libro de cuentas: no se pudo consultar: it is away" in text
    assert "1 x g6.xlarge 0.80" in text
    assert "sin medir" in text


def test_a_large_class_is_a_page_still() -> None:
    machines = [machine(each, tags={"student": f"student-{each % 200:03}"}) for each in range(1, 1203)]
    purses = [purse(f"student-{each:03}", each % 25) for each in range(200)]
    seen = snapshot(machines=machines, gpus=[gpu(each, each % 100) for each in range(1, 1203)], purses=purses)
    text = page(seen, ENGLISH)
    assert "202 more; --json has all" in text
    assert text.count("<tr>") < 5 * MOST_ROWS
    assert "student-199" in text
