"""The verb with a real ledger, from the command's arguments to what it prints and writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clusterlab.cli import app
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.location import VARIABLE
from clusterlab.ledger.reservation import Reservation
from clusterlab.reaper.proof import Entry, Proof
from clusterlab.reaper.resource import Kind, Resource
from clusterlab.reaper.step import Step
from tests.clusterlab.report.courses import use
from tests.clusterlab.report.test_results import make_run

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)


def _left(name: str, *, there: bool) -> Entry:
    tags = {"student": "ana"}
    return Entry(
        resource=Resource(kind=Kind.INSTANCE, id=name, region="us-east-1", shape="g6.xlarge", tags=tags),
        step=Step.STOP,
        lease_until=datetime(2026, 11, 25, 2, tzinfo=UTC),
        lease="its tag",
        why="",
        error=None,
        there=there,
    )


# As the reaper writes it.
PROOF: dict[str, Any] = Proof(
    account="123456789012",
    courses=["llm-2026"],
    regions=["us-east-1"],
    whole=True,
    dry_run=False,
    began=NOW,
    ended=None,
    entries=[_left("i-9", there=True), _left("i-8", there=False)],
    looks=[],
    unused=[],
).as_json()


@pytest.fixture
def ledger(house: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Ana reserved an hour, uses a second, and zoe a machine of no known price; a course of 100 USD."""
    url = f"sqlite:///{house / 'ledger.db'}"
    monkeypatch.setenv(VARIABLE, url)
    with closing(Ledger.open(url, begin=True)) as opened:
        opened.set_cap(Scope.COURSE, "llm-2026", Decimal(100))
        who = {"student": "ana", "team": "red", "course": "llm-2026", "lab": "qlora", "run": "ana-r1"}
        opened.reserve(Reservation(**who, usd=Decimal(2), expires=datetime.now(UTC) + HOUR))
        opened.record(use(1, 3, run="ana-r1", start=NOW - 2 * HOUR, end=NOW - HOUR))
        opened.record(use(2, None, run="zoe-r2", student="zoe", start=NOW - HOUR, end=None))
        return opened


def invoke(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    result = CliRunner().invoke(app, ["report", *arguments], env={"COLUMNS": "100"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("ledger")
def test_the_terminal_has_each_student_in_each_lab_and_the_whole() -> None:
    code, out, _ = invoke("--by", "student,lab")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    for line in ("ana qlora 1 2.00 3.00 3.00", "zoe qlora 1 0.00 0.00 unknown", "all 2 2.00 3.00 3.00 incomplete"):
        assert line in lines
    assert "in use now: 1, of them leaks: 0" in lines
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.usefixtures("ledger")
def test_json_and_page_have_what_the_terminal_has() -> None:
    code, out, _ = invoke("--by", "lab", "--html", "costs.html", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["rows"][0]["metered"] == {"usd": "3.000000", "num_unknown": 1, "complete": False}
    assert document["open"][0]["state"] == "no lease on record"
    assert document["bill"] is None
    assert "3.00 incomplete" in Path("costs.html").read_text()


@pytest.mark.usefixtures("ledger")
def test_an_anonymous_page_has_no_name_and_its_key_is_the_owners() -> None:
    make_run(Path("runs"), "ana-r1")
    for name in ("a.html", "b.html"):
        assert invoke("--html", name, "--anonymous")[:2] == (0, f"{name}: 3.00 incomplete USD\n")
    text = Path("a.html").read_text()
    assert "student-" in text
    assert not any(name in text for name in (">ana<", ">zoe<", "ana-r1", "zoe-r2"))
    rows = [json.loads(invoke("--by", "student", "--anonymous", "--json")[1])["rows"] for _ in range(2)]
    assert rows[0] == rows[1]
    assert Path("pseudonyms.key").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("ledger")
def test_results_are_beside_what_they_cost_and_decide_the_exit_code() -> None:
    make_run(Path("runs"), metrics={"loss": 9.0})
    code, out, _ = invoke("--by", "student,lab", "--json")
    rows = {(row["student"], row["lab"]): row["num_failed"] for row in json.loads(out)["rows"]}
    assert (code, rows[("ana", "toy")]) == (1, 1)


@pytest.mark.usefixtures("ledger")
def test_a_record_that_cannot_be_read_is_named_and_the_page_is_written() -> None:
    make_run(Path("runs"))
    Path("runs/toy/r1/run.json").write_text("{")
    assert invoke("--html", "costs.html")[0] == 2
    assert "runs/toy/r1/run.json: not a run record" in Path("costs.html").read_text()


@pytest.mark.usefixtures("ledger")
def test_what_a_sweep_left_is_in_the_report() -> None:
    Path("proof.json").write_text(json.dumps(PROOF))
    document = json.loads(invoke("--by", "lab", "--proof", "proof.json", "--json")[1])
    assert [each["id"] for each in document["sweep"]["left"]] == ["i-9"]


def other_course(ledger: Ledger) -> None:
    with closing(ledger):
        ledger.record(use(7, 1, course="rl-2026", run="r7"))


def no_proof(_: Ledger) -> None:
    Path("proof.json").write_text(json.dumps(PROOF | {"format": "2"}))


def other_proof(_: Ledger) -> None:
    Path("proof.json").write_text(json.dumps(PROOF | {"courses": ["rl-2026"]}))


def nothing(_: Ledger) -> None:
    pass


def no_ledger(_: Ledger) -> None:
    del os.environ[VARIABLE]


REFUSED: dict[str, tuple[Callable[[Ledger], None], list[str], str]] = {
    "unknown keys": (nothing, ["--by", "team"], "--by: 'team'; allowed: student, lab"),
    "no day": (nothing, ["--by", "lab", "--until", "soon"], "--until: 'soon'; allowed: a day"),
    "another course": (nothing, ["--by", "lab", "--course", "x"], "--course: the ledger does not know x; allowed: llm"),
    "one of two courses": (other_course, ["--by", "lab"], "--course: the ledger has several; allowed: llm-2026, rl-20"),
    "money options alone": (nothing, ["--anonymous"], "--anonymous: only with --by or --html"),
    "a key without pseudonyms": (nothing, ["--by", "lab", "--key", "k"], "--key: only with --anonymous"),
    "no proof": (no_proof, ["--by", "lab", "--proof", "proof.json"], "proof.json: no proof of a sweep"),
    "another course's": (other_proof, ["--by", "lab", "--proof", "proof.json"], "is of rl-2026; allowed: a proof of"),
    "no such proof": (nothing, ["--by", "lab", "--proof", "none.json"], "none.json: no proof of a sweep"),
    "no ledger": (no_ledger, ["--by", "lab"], f"{VARIABLE}: not set"),
}


@pytest.mark.parametrize(("change", "arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_reported_is_refused(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, change: Any, arguments: list[str], message: str
) -> None:
    monkeypatch.setenv(VARIABLE, os.environ[VARIABLE])
    change(ledger)
    code, out, err = invoke(*arguments)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.usefixtures("ledger")
def test_a_page_that_cannot_be_written_says_so() -> None:
    code, _, err = invoke("--html", "none/costs.html")
    assert code == 5
    assert "none/costs.html: cannot be written" in err


@pytest.mark.usefixtures("house")
def test_a_ledger_with_nothing_on_it_has_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"sqlite:///{Path('ledger.db').absolute()}")
    Ledger.open(os.environ[VARIABLE], begin=True).close()
    assert invoke("--html", "costs.html") == (0, "costs.html: nothing metered, 0.00 USD\n", "")
