from __future__ import annotations

import json
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clusterlab.cli import app
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from clusterlab.submission.queue import Queue
from tests.clusterlab.submission.conftest import limits, look, ticket


@pytest.fixture
def ledger_url(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A class's repository as the working folder, and its ledger."""
    assert root == Path.cwd()
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with closing(Ledger.open(url, begin=True)) as ledger:
        ledger.set_cap(Scope.STUDENT, "ana", Decimal(10))
    monkeypatch.setenv("CLUSTERLAB_LEDGER", url)
    for name in ("RAY_ADDRESS", "CLUSTERLAB_STUDENT"):
        monkeypatch.delenv(name, raising=False)
    return url


def submit(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["submit", *arguments])


def test_the_queue_shows_who_holds_gpus_and_who_waits_and_why(ledger_url: str) -> None:
    with closing(Ledger.open(ledger_url)) as ledger:
        queue = Queue(ledger=ledger, course="llm-2026", limits=limits(gpus=1))
        queue.begin()
        for name, student in (("a1", "ana"), ("a2", "ana"), ("b", "ben")):
            queue.join(ticket(name, student))
        queue.arbitrate(look(1))
        queue.start("a1")
    found = json.loads(submit("--queue", "--json").output)
    assert (found["course"], [(each["job"], each["state"]) for each in found["holding"]]) == (
        "llm-2026",
        [("a1", "running")],
    )
    assert [(each["position"], each["job"], each["why"]) for each in found["waiting"]] == [
        (1, "b", "0 of the 1 GPUs that it asks for are free"),
        (2, "a2", "ana holds 1 of 1 GPUs"),
    ]
    table = submit("--queue").output
    assert "llm-2026: the queue" in table
    assert "ana holds 1 of 1 GPUs" in " ".join(table.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "LAB: missing; allowed: a lab's file, such as labs/qlora.yaml"),
        (["labs/none.yaml", "--as", "ana"], "labs/none.yaml: no such lab; "),
        (["labs/echo.yaml", "--as", "zoe"], "--as: 'zoe' is not in the roster; "),
        (["labs/echo.yaml", "--as", "ana", "--env", "STEPZ=1"], "labs/echo.yaml: envs: STEPZ: unknown; did you mean"),
        (["labs/echo.yaml", "--as", "ana"], "--address: missing, and RAY_ADDRESS is not set; allowed: "),
        (["labs/echo.yaml", "--as", "ana", "--address", "ftp://x"], "RAY_ADDRESS: 'ftp://x'; allowed: "),
    ],
)
@pytest.mark.usefixtures("ledger_url")
def test_what_is_wrong_is_said_in_one_line_before_anything_is_waited_for(arguments: list[str], message: str) -> None:
    result = submit(*arguments)
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert result.output.startswith(message)


@pytest.mark.usefixtures("ledger_url")
def test_a_lab_that_cannot_be_read_says_where() -> None:
    Path("labs/echo.yaml").write_text("name: [echo\n")
    result = submit("labs/echo.yaml", "--as", "ana")
    assert (result.exit_code, result.output.partition(":")[0]) == (2, "labs/echo.yaml")


def test_without_a_ledger_nothing_is_submitted(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ledger_url
    monkeypatch.delenv("CLUSTERLAB_LEDGER")
    result = submit("--queue")
    assert (result.exit_code, result.output.partition(";")[0]) == (2, "CLUSTERLAB_LEDGER: not set")
