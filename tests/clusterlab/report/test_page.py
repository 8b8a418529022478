from __future__ import annotations

import base64
import hashlib
import re
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

from clusterlab.ledger.budget import Budget, Scope
from clusterlab.report.charts import draw
from clusterlab.report.facts import Facts
from clusterlab.report.page import MOST_ROWS, page
from clusterlab.report.summary import Summary
from tests.clusterlab.report.courses import NOON, course, facts_of, outcome, use

STUDENTS = [f"s{number:02}" for number in range(8)]
LABS = ["qlora", "zero", "rag"]
VOID = {"meta", "rect", "line", "polyline", "polygon"}
FETCHING = {"src", "srcset", "action", "formaction", "poster", "data", "background", "ping", "xlink:href", "cite"}
EVIL = '<script>alert("x")</script>'


class Document(HTMLParser):
    """A page's elements with their attributes, its words, and whether every element that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.inside: list[str] = []
        self.text_of: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.inside:
            self.text_of[self.inside[-1]] = self.text_of.get(self.inside[-1], "") + data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def shown(facts: Facts) -> Document:
    return Document(page(Summary.of(facts)))


def capped(usd: int) -> dict[str, Any]:
    return {"budgets": (Budget(scope=Scope.COURSE, name="llm-2026", cap_usd=Decimal(usd), held_usd=Decimal(3)),)}


PAGES = {
    "a course": course(STUDENTS, LABS),
    "nothing": Facts(at=NOON, course=None),
    "no budget": facts_of([use()]),
    "a budget of nothing": facts_of([use()], **capped(0)),
    "a budget that is used up": facts_of([use(1, 500)], **capped(100)),
    "one student": course(["ana"], ["qlora"]),
    "nothing but prices that are not known": facts_of([use(1, None), use(2, None, end=None)]),
    "use that costs nothing": facts_of([use(1, 0)]),
}


@pytest.mark.parametrize("facts", PAGES.values(), ids=PAGES.keys())
def test_every_element_is_closed_and_nothing_is_fetched(facts: Facts) -> None:
    document = shown(facts)
    assert document.inside == []
    for tag, attributes in document.elements:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "image", "use", "video"}
        assert not FETCHING & attributes.keys()
        assert attributes.get("href", "#").startswith("#")
        assert "style" not in attributes
    assert not re.search(r"https?:|url\(|@import", page(Summary.of(facts)))


@pytest.mark.parametrize("facts", PAGES.values(), ids=PAGES.keys())
def test_every_reference_has_its_element_and_ids_are_there_once(facts: Facts) -> None:
    attributes = [each for _, each in shown(facts).elements]
    ids = [each["id"] for each in attributes if "id" in each]
    assert len(set(ids)) == len(ids)
    wanted = [each["href"].removeprefix("#") for each in attributes if "href" in each]
    wanted += [name for each in attributes for name in each.get("aria-labelledby", "").split()]
    assert set(wanted) <= set(ids)


def test_the_policy_allows_its_own_style_and_script_by_digest_and_nothing_else() -> None:
    document = shown(course(STUDENTS, LABS))
    policy = next(each["content"] for tag, each in document.elements if "http-equiv" in each)
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(document.text_of[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_what_is_in_names_is_text() -> None:
    runs = (outcome(EVIL, EVIL, 4, run=EVIL, failing=(EVIL,)), outcome("\u202eana\x00\ud800", "l" * 300, 1))
    document = shown(facts_of([use()], outcomes=runs, problems=(EVIL,), course=EVIL))
    assert [tag for tag, _ in document.elements].count("script") == 1
    assert document.text.count(EVIL) > 4
    assert "\x00" not in document.text
    document.text.encode()


def test_names_do_not_turn_the_words_around_them() -> None:
    text = page(Summary.of(facts_of([use()], outcomes=(outcome("\u05d0\u05d1", "qlora", 4),))))
    assert "<bdi>\u05d0\u05d1</bdi>" in text


def test_the_page_says_what_the_summary_says() -> None:
    summary = Summary.of(course(STUDENTS, LABS))
    text = Document(page(summary)).text
    assert summary.total.shown.endswith("incomplete")
    for part in (summary.total.shown, "2 outliers", "LEAK: nobody's", "LEAK: over its lease", "LEFT: stop", "no bill"):
        assert part in text
    for cell in summary.cells:
        assert f"{cell.usd:.2f}" in text


def test_a_price_that_is_not_known_is_not_shown_as_nothing() -> None:
    document = shown(PAGES["nothing but prices that are not known"])
    assert "0.00" not in document.text_of["td"]
    assert document.text_of["dd"].startswith("unknown")


def test_each_drawing_has_a_name_words_and_a_table() -> None:
    document = shown(course(STUDENTS, LABS))
    drawings = [each for tag, each in document.elements if tag == "svg"]
    assert all(each.get("role") == "img" or each.get("aria-hidden") == "true" for each in drawings)
    assert "Left of the budget" in document.text_of["title"]
    assert "a day the course will have used" in document.text_of["desc"]
    assert "details" in [tag for tag, _ in document.elements]


def test_a_whole_university_is_a_page_still() -> None:
    facts = course([f"student-{number:04}" for number in range(400)], LABS)
    text = page(Summary.of(facts))
    document = Document(text)
    assert "1,201 rows by student and lab are left out here" in document.text
    assert text.count("<tr>") < 4 * MOST_ROWS
    assert "student-0399" in document.text


@pytest.mark.parametrize("changes", [{}, capped(100)], ids=["used", "left of a budget"])
def test_the_line_goes_up_from_nothing_or_down_from_the_budget(changes: dict[str, Any]) -> None:
    drawing = draw(Summary.of(facts_of([use(1, 30)], **changes)).burn, NOON)
    assert drawing is not None
    heights = [float(point.split(",")[1]) for point in drawing.past.split()]
    assert (heights[0] < heights[-1]) == bool(changes)
    assert all(16 <= float(tick.place) <= 280 for tick in drawing.money)


def test_a_budget_that_is_passed_goes_below_the_zero_line() -> None:
    drawing = draw(Summary.of(PAGES["a budget that is used up"]).burn, NOON)
    assert drawing is not None
    assert float(drawing.past.split()[-1].split(",")[1]) > float(drawing.zero)
