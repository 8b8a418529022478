from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clusterlab.ledger.budget import BudgetError, Scope
from tests.clusterlab.enforcement.conftest import COURSE, Books, Hook, MailServer
from tests.clusterlab.ledger.conftest import asked
from tests.clusterlab.reaper.conftest import HERE, Account
from tests.clusterlab.test_cli import invoke

VERB = ["enforce", "--course", COURSE]
KEEP = ["--keep", "keep.json", "--region", HERE]


def document(*more: str) -> dict[str, Any]:
    code, out, err = invoke(*VERB, *more, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def steps(found: dict[str, Any]) -> dict[str, str]:
    """By machine what was done with it."""
    return {each["id"]: each["step"] for each in found["proof"]["resources"] if each["kind"] == "instance"}


def wait(**much: float) -> None:
    """As if the scans before had been so much earlier."""
    path = Path("enforce-seen.json")
    seen = json.loads(path.read_text())
    for each in seen["sightings"].values():
        for key in ("first", "over", "due"):
            each[key] = each[key] and (datetime.fromisoformat(each[key]) - timedelta(**much)).isoformat()
    path.write_text(json.dumps(seen))


def test_all_are_told_and_a_dry_run_only_says_so(books: Books, mail: MailServer, hook: Hook) -> None:
    books.spend(17)
    places = ["--notify", mail.place, "--notify", hook.place, "--notify", "file:notices.jsonl", "--to", "a@example.org"]
    code, out, _ = invoke(*VERB, *places)
    assert code == 0
    assert out.startswith("student ana: 17.00 of 20.00 USD spent, 0.00 held; over 80 %; would tell smtp://127.0.0.1:")
    assert out.endswith("a dry run: nobody was told and nothing was touched, `--yes` does it\n")
    assert (mail.to, hook.posted, sorted(path.name for path in Path().glob("*.json*"))) == ([], [], [])
    for _ in range(2):
        assert invoke(*VERB, *places, "--yes")[0] == 0
    assert (mail.to, len(hook.posted), len(Path("notices.jsonl").read_text().splitlines())) == (["a@example.org"], 1, 1)


def test_a_hook_that_does_not_answer_is_one_error_and_the_rest_is_told(books: Books, hook: Hook) -> None:
    books.spend(17)
    places = ["--notify", hook.place, "--notify", "file:notices.jsonl", "--yes"]
    hook.status = 503
    code, _, err = invoke(*VERB, *places)
    assert (code, len(err.splitlines())) == (1, 1)
    assert err.endswith("answers 503 Service Unavailable; it is told again the next time\n")
    assert "secret" not in err
    assert Path("notices.jsonl").exists()
    hook.status = 200
    assert invoke(*VERB, *places)[0] == 0
    assert len(hook.posted) == 2


def test_a_use_that_outgrew_its_reservation_blocks_the_next_launch(books: Books) -> None:
    books.ledger.reserve(asked(2, expires=datetime.now(UTC) + timedelta(hours=1)))
    books.spend(25)
    later = asked(1, run="r2", expires=datetime.now(UTC) + timedelta(hours=1))
    document()
    assert books.ledger.budgets()[0].held_usd == 2
    document("--yes")
    with pytest.raises(BudgetError, match=r"student ana: 1\.00 USD asked, -5\.\d\d of 20\.00 free"):
        books.ledger.reserve(later)


def test_machines_of_who_spent_it_all_are_stopped_then_ended(books: Books, account: Account) -> None:
    ana, ben = (account.launch(account.tags(hours=5, student=name))[0] for name in ("ana", "ben"))
    books.spend(21)
    assert steps(document(*KEEP)) == {ana: "warn", ben: "in its lease"}
    assert not Path("enforce-seen.json").exists()
    document(*KEEP, "--yes")
    wait(minutes=11)
    found = document(*KEEP, "--yes")
    assert (steps(found), account.state(ana)) == ({ana: "stop", ben: "in its lease"}, "stopped")
    wait(hours=23)
    assert steps(document(*KEEP, "--yes"))[ana] == "grace"
    wait(hours=2)
    found = document(*KEEP, "--yes")
    assert (account.state(ana), account.state(ben), found["proof"]["proven"]) == ("terminated", "running", True)
    assert json.loads(Path("enforce-proof.json").read_text()) == found["proof"]


def test_a_reservation_of_the_whole_budget_stops_nobody(books: Books, account: Account) -> None:
    books.ledger.reserve(asked(20, expires=datetime.now(UTC) + timedelta(hours=1)))
    books.spend(5)
    (machine,) = account.launch()
    assert steps(document(*KEEP, "--yes")) == {machine: "in its lease"}


def test_a_raised_cap_ends_it_and_the_next_time_begins_anew(books: Books, account: Account) -> None:
    (machine,) = account.launch()
    books.spend(21)
    document(*KEEP, "--yes")
    wait(minutes=11)
    books.cap(30)
    assert steps(document(*KEEP, "--yes")) == {machine: "in its lease"}
    books.cap(20)
    assert steps(document(*KEEP, "--yes")) == {machine: "warn"}


@pytest.mark.parametrize(("scope", "name"), [(Scope.TEAM, "red"), (Scope.COURSE, COURSE)])
def test_a_team_and_a_course_end_theirs(books: Books, account: Account, scope: Scope, name: str) -> None:
    books.cap(1000)
    books.cap(20, scope, name)
    (machine,) = account.launch(account.tags(team="red"))
    books.spend(21)
    assert steps(document(*KEEP)) == {machine: "warn"}


def test_what_is_kept_stays(books: Books, account: Account) -> None:
    (machine,) = account.launch()
    books.spend(21)
    account.keep({"keep": {machine: "for the exam"}})
    _, out, _ = invoke(*VERB, *KEEP)
    assert f"kept    us-east-1  instance {machine} (t3.micro, running)  for the exam" in out


@pytest.mark.parametrize("text", ["", "{}", '{"keep": {}}', '{"keep": {"i-'])
def test_a_keep_list_that_is_none_touches_nothing_and_all_are_told(books: Books, account: Account, text: str) -> None:
    (machine,) = account.launch()
    books.spend(21)
    Path("keep.json").write_text(text)
    code, out, err = invoke(*VERB, *KEEP, "--yes", "--notify", "file:notices.jsonl")
    assert (code, account.state(machine)) == (2, "running")
    assert err.startswith("keep.json: ")
    assert "told file:notices.jsonl" in out
    (notice,) = map(json.loads, Path("notices.jsonl").read_text().splitlines())
    assert notice["text"].splitlines()[-1] == (
        "New launches are refused; machines are stopped after 10 minutes, and ended 24 hours later."
    )
    assert not Path("enforce-seen.json").exists()


def test_what_the_cloud_refuses_is_an_error(books: Books, account: Account) -> None:
    account.launch()
    books.spend(21)
    document(*KEEP, "--yes")
    wait(minutes=11)
    Path("enforce-seen.json").write_text(Path("enforce-seen.json").read_text().replace('"account": "', '"account": "9'))
    code, _, err = invoke(*VERB, *KEEP, "--yes")
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith("enforce-seen.json: is of clusterlab-reaper-1, account 9")


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--notify", "x"], "--notify: names no place that is known"),
        (["--course", "No"], "--course: No: is not a label"),
        (["--age-minutes", "0"], "--age-minutes: 0; allowed: from 1"),
        (["--keep", ""], "'': is no place; allowed: a file, or s3://bucket/key"),
    ],
)
def test_what_is_wrong_is_named(account: Account, more: list[str], message: str) -> None:
    assert account.folder == Path.cwd()
    code, _, err = invoke(*VERB, *KEEP, *more)
    assert code == 2
    assert err.startswith(message)


def test_who_is_killed_after_a_notice_tells_it_once_more_and_no_further(books: Books, hook: Hook) -> None:
    books.spend(17)
    command = [sys.executable, "-m", "clusterlab.cli", *VERB, "--notify", hook.place, "--yes"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(command, env=environment) as killed:
        hook.on_post = killed.kill
    hook.on_post = lambda: None
    assert killed.returncode == -signal.SIGKILL
    for _ in range(2):
        assert invoke(*VERB, "--notify", hook.place, "--yes")[0] == 0
    assert len(hook.posted) == 2
