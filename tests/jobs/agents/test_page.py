from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from jobs.agents.findings import metrics_of
from jobs.agents.page import dollars, page, shown
from jobs.agents.picture import draw
from jobs.agents.table import markdown
from tests.jobs.agents.traces import EVIL, traces


class _Read(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def read() -> _Read:
    return _Read(page(traces(), title="Traces", policy="a model", price="Dollars: 1 an hour."))


def test_each_task_is_there_with_its_thoughts_calls_and_observations(read: _Read) -> None:
    assert [attributes.get("class") for _, attributes in read.tags].count("task") == len(traces())
    for told in (
        "I have to look this up.",
        "Record KB-0001",
        "print(1)",
        "300 tokens, 0.000030 USD so far",
        "1 refused",
    ):
        assert told in read.text


def test_no_text_of_a_document_becomes_a_part_of_the_page(read: _Read) -> None:
    assert EVIL in read.text
    tags = {tag for tag, _ in read.tags}
    assert not tags & {"script", "img", "iframe", "link"}
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)


def test_what_is_untrusted_refused_or_stopped_is_marked(read: _Read) -> None:
    classes = [attributes.get("class") or "" for tag, attributes in read.tags if tag == "li"]
    assert "turn tool untrusted" in classes
    for told in ("untrusted", "refused", "sandbox: time", "the attacker's code was run", "ended: endpoint"):
        assert told in read.text


def test_letters_that_hide_or_turn_text_are_shown_as_a_mark() -> None:
    assert shown("a\u202eb\u200bc\x1b[31m\ud800\n") == "a\ufffdb\ufffdc\ufffd[31m\ufffd\n"
    assert shown("x" * 5000) == f"{'x' * 4000} … 1000 more letters"


@pytest.mark.parametrize(("usd", "told"), [(0, "0.00"), (12.345, "12.35"), (0.0412, "0.041"), (3.4e-7, "0.00000034")])
def test_a_small_amount_is_not_told_as_none(usd: float, told: str) -> None:
    assert dollars(usd) == told


def test_metrics_are_rates_of_the_tasks_and_attacks_that_there_are() -> None:
    metrics = metrics_of(traces())
    assert metrics["success_rate_guarded"] == 0.5
    assert metrics["attack_success_rate_unguarded"] == 1
    assert metrics["attack_success_rate_guarded"] == 0
    assert (metrics["refused_calls"], metrics["stopped_calls"], metrics["unfinished_tasks"]) == (1, 1, 1)
    assert metrics["usd_per_solved_guarded"] == pytest.approx(0.002)
    assert "success_rate_unguarded" not in metrics
    assert metrics_of([]) == dict.fromkeys(("malformed_calls", "refused_calls", "stopped_calls", "unfinished_tasks"), 0)


def test_the_table_and_the_picture_have_every_family(tmp_path: Path) -> None:
    table = markdown(traces(), "a model", "Dollars: 1 an hour.")
    assert "| look up | 2 | 50 % |  |\n" in table
    assert "| plain | 1 | 0 % | 100 % |\n" in table
    draw(traces(), "Attacks", tmp_path / "attacks.png")
    assert (tmp_path / "attacks.png").stat().st_size > 5000
