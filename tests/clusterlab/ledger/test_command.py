from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterlab.ledger.location import open_ledger
from tests.clusterlab.ledger.conftest import Clock, asked, use
from tests.clusterlab.test_cli import invoke


@pytest.fixture(autouse=True)
def _named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_LEDGER", f"sqlite:///{tmp_path / 'ledger.db'}")


def test_a_cap_is_set_and_shown() -> None:
    assert invoke("budget", "set", "--student", "ana", "--usd", "20")[0] == 0
    assert invoke("budget", "set", "--course", "llm-2026", "--usd", "500")[0] == 0
    code, out, _ = invoke("budget", "show", "--json")
    assert code == 0
    assert json.loads(out) == {
        "budgets": [
            {
                "scope": "student",
                "name": "ana",
                "cap_usd": "20.000000",
                "held_usd": "0.000000",
                "free_usd": "20.000000",
            },
            {
                "scope": "course",
                "name": "llm-2026",
                "cap_usd": "500.000000",
                "held_usd": "0.000000",
                "free_usd": "500.000000",
            },
        ]
    }


def test_what_was_used_is_shown_by_lab() -> None:
    invoke("budget", "set", "--student", "ana", "--usd", "20")
    ledger = open_ledger()
    ledger.record(use(2))
    ledger.record(use(2, resource_id="i-2", price_usd_per_hour=None))
    ledger.close()
    code, out, _ = invoke("budget", "show", "--by-lab")
    assert code == 0
    assert ["ana", "qlora", "1", "2.00", "2.00", "incomplete"] in [line.split() for line in out.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--usd", "20"], "budget set: allowed: one of --student, --team and --course"),
        (["--student", "ana", "--team", "red", "--usd", "20"], "budget set: allowed: one of"),
        (["--student", "ana", "--usd", "20 EUR"], "--usd: '20 EUR'; allowed: an amount of USD"),
        (["--student", "ana", "--usd=-20"], "--usd: -20; allowed: USD from 0"),
        (["--student", "Ana", "--usd", "20"], "budget: student: 'Ana' is not a label"),
    ],
)
def test_a_cap_that_cannot_be_is_refused(arguments: list[str], message: str) -> None:
    code, _, err = invoke("budget", "set", *arguments)
    assert (code, err.startswith(message)) == (2, True)


def test_where_there_is_no_ledger_it_says_how_one_is_begun() -> None:
    code, _, err = invoke("budget", "show")
    assert code == 2
    assert "no ledger there; `clusterlab budget set` begins one" in err


def test_what_came_to_nothing_is_released() -> None:
    invoke("budget", "set", "--student", "ana", "--usd", "20")
    ledger = open_ledger()
    ledger.reserve(asked(5, expires=Clock().now.replace(year=2999)))
    ledger.close()
    assert invoke("budget", "release", "r1")[:2] == (0, "r1: 5.00 USD are free again\n")
    assert json.loads(invoke("budget", "show", "--json")[1])["budgets"][0]["free_usd"] == "20.000000"


def test_a_ledger_that_was_altered_is_told_with_its_first_row() -> None:
    invoke("budget", "set", "--student", "ana", "--usd", "20")
    code, out, _ = invoke("budget", "verify", "--json")
    assert code == 0
    assert json.loads(out)["fault"] is None
    ledger = open_ledger()
    with ledger.database.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER entries_no_UPDATE")
        connection.exec_driver_sql('UPDATE entries SET detail = \'{"usd":"99"}\' WHERE seq = 2')
    ledger.close()
    code, _, err = invoke("budget", "verify")
    assert code == 1
    assert "ledger.db: row 2: its digest is not that of its values: it was changed" in err
