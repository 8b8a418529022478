from __future__ import annotations

import io

import pytest
from rich.console import Console

from clusterlab.course.language import Language
from clusterlab.course.status.screen import MOST_ROWS, render, rows_that_fit
from clusterlab.course.status.snapshot import Snapshot
from clusterlab.course.status.words import Words
from tests.clusterlab.course.status.snapshots import full, machine, purse, sky, snapshot

ENGLISH, SPANISH = (Words(language=each) for each in Language)


def shown(seen: Snapshot, *, say: Words = ENGLISH, width: int = 80, most: int = MOST_ROWS) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    for part in render(seen, say, width=width, most=most):
        console.print(part, highlight=False)
    return console.export_text()


@pytest.mark.parametrize("say", [ENGLISH, SPANISH], ids=["en", "es"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_fits_the_terminal(say: Words, width: int) -> None:
    lines = shown(full("a-student-whose-name-is-long"), say=say, width=width).splitlines()
    assert max(map(len, lines)) <= width


def test_names_are_text_and_no_marks_of_the_terminal_s() -> None:
    text = shown(full("[bold red]\x1b[31mana[/]"), width=400)
    assert "[bold red]\ufffd[31mana[/]" in text
    assert "\x1b" not in text


def test_what_needs_somebody_comes_before_all_else() -> None:
    lines = shown(full()).splitlines()
    assert lines[1].endswith("things need somebody")
    assert shown(snapshot()).splitlines()[1] == "nothing needs anybody"


def test_what_could_not_be_looked_at_is_unknown_and_never_none_at_all() -> None:
    text = shown(snapshot(machines=None, gpus=None, purses=None))
    sums = [line for line in text.splitlines()[:10] if line.startswith(("machines", "GPUs ", "jobs ", "budget "))]
    assert [line.split()[1] for line in sums] == ["unknown"] * 4
    for name in ("clusters", "GPUs", "budgets", "leases"):
        assert f"\n{name}  " in text
    assert text.count("could not be looked at: it is away") >= 5


def test_one_that_fails_takes_no_other_along() -> None:
    text = shown(snapshot(machines=[machine(1)], gpus=None, purses=[purse()]))
    assert "g6.xlarge" in text
    assert "student ana" in text
    assert "1 not measured" in text


def test_rows_are_left_out_by_number_and_not_in_silence() -> None:
    text = shown(snapshot(machines=[machine(each) for each in range(1, 9)]), most=3)
    assert text.count("5 more; --html and --json have all") == 3


def test_a_whole_look_fits_into_a_usual_terminal() -> None:
    seen = snapshot(machines=[machine(each) for each in range(1, 90)], purses=[purse(f"s{each}") for each in range(90)])
    assert len(shown(seen, most=rows_that_fit(60)).splitlines()) <= 60


def test_the_cloud_and_skypilot_are_held_against_each_other() -> None:
    tagged = machine(1, tags={"skypilot-cluster-name": "ana-qlora-1a2b"})
    assert shown(snapshot(machines=[tagged], clusters=[sky()])).count("UP") == 1
    assert "not known" in shown(snapshot(machines=[tagged], clusters=[]))
    assert "no machine in the cloud" in shown(snapshot(machines=[], clusters=[sky()]), width=120)
    assert "not known" not in shown(snapshot(machines=[tagged], clusters=None))


@pytest.mark.parametrize("spent", [19.999, 20, 25])
def test_a_budget_needs_somebody_when_all_of_it_is_spent(spent: float) -> None:
    found = [each.what for each in snapshot(purses=[purse(spent=spent)]).needs]
    assert found == ([] if spent < 20 else ["student ana"])
