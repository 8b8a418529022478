from __future__ import annotations

from rich.console import Console

from clusterlab.course.preflight.check import failed, passed, warned
from clusterlab.course.preflight.table import counts, table

CHECKS = [passed("roster", "24 students"), warned("quota", "[bold]\x1b[2J", "ask"), failed("dates", "over", "set them")]


def shown() -> list[str]:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table("llm-2026", CHECKS))
    return capture.get().splitlines()


def test_all_checks_are_one_table_in_their_order() -> None:
    title, *lines = shown()
    assert title.strip() == "llm-2026: 1 FAIL, 1 WARN, 1 PASS"
    rows = [line.split() for line in lines if line.split() and line.split()[0] in ("roster", "quota", "dates")]
    assert [row[:2] for row in rows] == [["roster", "PASS"], ["quota", "WARN"], ["dates", "FAIL"]]
    assert rows[2][2:] == ["over", "set", "them"]


def test_what_a_cloud_said_is_shown_as_text() -> None:
    assert any("[bold]" in line for line in shown())
    assert not any("\x1b" in line for line in shown())


def test_the_worst_is_counted_first() -> None:
    assert counts(CHECKS[:1]) == "0 FAIL, 0 WARN, 1 PASS"
