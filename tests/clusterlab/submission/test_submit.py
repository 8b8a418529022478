from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from clusterlab.errors import ClusterlabError, InputError, UnreachableError
from clusterlab.lab import Lab
from clusterlab.ledger.budget import BudgetError, Scope
from clusterlab.ledger.schema import ENTRIES
from clusterlab.local import LOG
from clusterlab.run import Status
from clusterlab.submission.follow import LostJobError
from clusterlab.submission.order import Order
from clusterlab.submission.ticket import State
from tests import postgresql
from tests.clusterlab.ledger.conftest import held
from tests.clusterlab.submission.conftest import ticket
from tests.clusterlab.submission.dashboard import dashboard
from tests.clusterlab.submission.desk import Desk, desk_at
from tests.repository import wait_until


@pytest.fixture
def desk(root: Path, tmp_path: Path) -> Iterator[Desk]:
    with dashboard() as board:
        made = desk_at(root, f"sqlite:///{tmp_path / 'ledger.db'}", board)
        yield made
        assert made.queue.ledger.verify() is None
        made.queue.ledger.close()


def test_a_submission_is_followed_and_its_run_is_here_as_if_it_had_run_here(desk: Desk) -> None:
    desk.board.on_submit = desk.finish
    folder, name, run = desk.submission(STEPS="3").run()
    assert run is not None
    assert (run.status, run.metrics) == (Status.SUCCEEDED, {"said": 3.0})
    assert (folder / "plots" / "loss.png").read_bytes() == b"\x89PNG"
    assert (folder / LOG).read_text() == "hello 1\n"
    assert desk.shown == ["hello 1\n"]
    assert folder.parent == desk.root / "runs" / "echo"
    job = desk.board.jobs[name]
    labels = {"course": "llm-2026", "lab": "echo", "student": "ana", "team": "red", "run": name}
    assert job["metadata"] == labels | {"fingerprint": run.fingerprint}
    assert "--steps=3" in job["entrypoint"]
    assert desk.state(name) is State.ENDED
    assert held(desk.queue.ledger) == 0


def test_what_a_job_prints_is_shown_while_it_runs(desk: Desk) -> None:
    def seen() -> None:
        wait_until(lambda: desk.shown == ["hello 1\n"])
        desk.finish(next(iter(desk.board.jobs)))

    desk.board.on_submit = lambda name: desk.board.jobs[name].update(logs="hello 1\n")
    desk.time.steps = [seen]
    desk.submission().run()
    assert desk.shown == ["hello 1\n"]


def test_a_secret_goes_to_the_job_and_nowhere_else(desk: Desk) -> None:
    desk.board.on_submit = desk.finish
    folder, name, _ = desk.submission().run()
    job = desk.board.jobs[name]
    assert job["runtime_env"]["env_vars"]["HF_TOKEN"] == "hf_secret"
    assert "OTHER" not in job["runtime_env"]["env_vars"]
    written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    for text in (str(job["metadata"]), job["entrypoint"], str(desk.said), str(written), repr(desk.submission().order)):
        assert "hf_secret" not in text


def test_the_same_files_are_uploaded_once(desk: Desk) -> None:
    desk.board.on_submit = desk.finish
    for student in ("ana", "ben", "ana"):
        desk.submission(student).run(fresh=True)
    assert (desk.board.num_uploads, len(desk.board.packages)) == (1, 1)
    (desk.root / "jobs" / "more.txt").write_text("changed")
    desk.submission().run(fresh=True)
    assert desk.board.num_uploads == 2


def test_who_finds_the_cluster_full_is_told_its_place_and_starts_when_another_ends(desk: Desk) -> None:
    desk.queue.join(ticket("first", "cleo"))
    desk.queue.arbitrate(desk.submission().api.look())
    desk.board.on_submit = desk.finish
    desk.time.steps = [lambda: None, lambda: _end(desk, "first")]
    desk.submission().run()
    assert desk.said[0] == "waits as number 1 of 1: 0 of the 1 GPUs that it asks for are free"


def test_what_it_reserved_is_reserved_again_where_it_waited_for_longer_than_that_holds(desk: Desk) -> None:
    desk.queue.join(ticket("first", "cleo"))
    desk.queue.arbitrate(desk.submission().api.look())
    desk.board.on_submit = desk.finish
    desk.time.steps = [lambda: setattr(desk.time, "seconds", 13 * 3600)]
    _, name, _ = desk.submission().run()
    with desk.queue.ledger.database.reading() as connection:
        kinds = list(connection.execute(select(ENTRIES.c.kind).where(ENTRIES.c.run == name)).scalars())
    assert kinds == ["reserve", "expire", "reserve", "release"]


def _end(desk: Desk, name: str) -> None:
    desk.queue.end(name)


def test_a_failed_job_fails_the_submission_with_its_code_and_reason(desk: Desk) -> None:
    def fail(name: str) -> None:
        line = desk.results(name, status=Status.FAILED, error="InputError: WORD: nobody says that")
        desk.board.end(name, "FAILED", logs=f"{line}\n", exit_code=2)

    desk.board.on_submit = fail
    with pytest.raises(
        ClusterlabError, match=r"echo.yaml: failed: InputError: WORD: nobody says that; .*output"
    ) as error:
        desk.submission().run()
    assert error.value.exit_code == 2


def test_an_interrupt_in_the_queue_withdraws_and_frees_what_was_reserved(desk: Desk) -> None:
    desk.queue.join(ticket("first", "cleo"))
    desk.queue.arbitrate(desk.submission().api.look())
    desk.time.steps = [_interrupt]
    with pytest.raises(KeyboardInterrupt):
        desk.submission().run()
    [name] = [line.split()[0] for line in desk.said if "withdrawn" in line]
    assert desk.state(name) is State.WITHDRAWN
    assert held(desk.queue.ledger) == 0
    assert list((desk.root / "runs" / "echo").iterdir()) == []


def test_an_interrupt_while_it_runs_stops_it_and_says_so(desk: Desk) -> None:
    desk.time.steps = [_interrupt]
    with pytest.raises(KeyboardInterrupt):
        desk.submission().run()
    [name] = desk.board.jobs
    assert desk.board.jobs[name]["status"] == "STOPPED"
    assert f"asking Ray to stop {name}" in desk.said
    assert desk.state(name) is State.ENDED


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_a_job_that_was_left_alone_is_followed_by_the_same_command_and_by_no_other(desk: Desk) -> None:
    _, name, run = desk.submission().run(detach=True)
    assert (run, desk.state(name)) == (None, State.RUNNING)
    desk.board.on_submit = desk.finish
    desk.board.gpus = 2
    assert desk.submission("ben").run()[1] != name
    desk.finish(name)
    _, again, run = desk.submission().run()
    assert again == name
    assert run is not None
    # Fetched, it is over: the next time is another run.
    assert desk.submission().run()[1] != name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("limits: {gpus: 1,", "limits: {gpus: 0.5,", "asks for 1 GPUs; allowed: at most 0.5 for each student at once"),
        ("gpu_hours: 8", "gpu_hours: 0.01", "may take 0.02 GPU-hours; allowed: at most 0.01 for each student in the"),
    ],
)
def test_what_is_over_a_limit_for_ever_is_refused_at_once(desk: Desk, old: str, new: str, message: str) -> None:
    path = desk.root / "clusters" / "llm-2026.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        desk.submission().run()
    assert desk.queue.standing() == ([], [])


def test_more_gpus_than_the_cluster_has_are_refused_at_once(desk: Desk) -> None:
    task = desk.root / "labs" / "echo.yaml"
    task.write_text(task.read_text().replace("\nresources:", "\nnum_nodes: 2\n\nresources:"))
    with pytest.raises(
        InputError, match=r"labs/echo.yaml: asks for 2 GPUs; allowed: at most the 1 that the cluster has"
    ):
        desk.submission().run()


def test_nobody_joins_whose_budget_does_not_cover_it(desk: Desk) -> None:
    desk.queue.ledger.set_cap(Scope.STUDENT, "ana", Decimal(0))
    with pytest.raises(BudgetError, match=r"student ana: 0.0\d USD asked, 0.00 of 0.00 free"):
        desk.submission().run()
    assert desk.queue.standing() == ([], [])


@pytest.mark.parametrize(
    ("student", "message"),
    [
        ("anna", r"--as: 'anna' is not in the roster; did you mean ana\? allowed: one of the 3 students of .*yaml"),
        (None, "--as: missing, and CLUSTERLAB_STUDENT is not set; allowed: one of the 3 students"),
    ],
)
@pytest.mark.usefixtures("root")
def test_nobody_submits_who_is_not_in_the_roster(student: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Order.of(Lab.load(Path("labs/echo.yaml")), student, {}, {})
    assert Order.of(Lab.load(Path("labs/echo.yaml")), None, {}, {"CLUSTERLAB_STUDENT": "ben"}).tags.student == "ben"


def test_ray_that_goes_while_a_ticket_waits_ends_the_wait_and_leaves_no_ticket(desk: Desk) -> None:
    desk.queue.join(ticket("first", "cleo"))
    desk.queue.arbitrate(desk.submission().api.look())
    desk.time.steps = [lambda: setattr(desk.board, "gone", True)]
    with pytest.raises(UnreachableError, match=desk.board.address):
        desk.submission().run()
    assert any("trying again for 60 s" in line for line in desk.said)
    _, waiting = desk.queue.standing()
    assert waiting == []


def test_ray_that_is_away_for_a_moment_is_waited_for(desk: Desk) -> None:
    away = [lambda: setattr(desk.board, "gone", True), *[lambda: None] * 20, lambda: setattr(desk.board, "gone", False)]
    desk.time.steps = [*away, lambda: desk.finish(next(iter(desk.board.jobs)))]
    assert desk.submission().run()[2] is not None


def test_ray_that_goes_while_a_job_runs_leaves_it_to_be_followed_later(desk: Desk) -> None:
    desk.time.steps = [lambda: setattr(desk.board, "gone", True)]
    with pytest.raises(UnreachableError, match=r"job ana-echo-\w+ may still run; the same command follows it again"):
        desk.submission().run()
    desk.board.gone = False
    [name] = desk.board.jobs
    assert desk.state(name) is State.RUNNING
    desk.finish(name)
    assert desk.submission().run()[1] == name


def test_a_head_that_began_anew_knows_the_job_no_more_and_its_gpus_are_free(desk: Desk) -> None:
    desk.time.steps = [desk.board.jobs.clear]
    with pytest.raises(LostJobError, match=r"knows no job ana-echo-\w+ any more; its head began anew"):
        desk.submission().run()
    assert desk.queue.standing() == ([], [])


def test_a_database_that_is_gone_for_a_while_is_waited_for_and_the_ticket_survives(
    root: Path, postgresql_server: postgresql.Server
) -> None:
    with dashboard() as board:
        desk = desk_at(root, postgresql_server.new_schema("submission_gone"), board)
        desk.queue.join(ticket("first", "cleo"))
        desk.queue.arbitrate(desk.submission().api.look())
        board.on_submit = desk.finish
        desk.time.steps = [postgresql_server.crash, lambda: None, postgresql_server.start, lambda: _end(desk, "first")]
        assert desk.submission().run()[2] is not None
        assert any("the ledger does not answer" in line and "trying again for 60 s" in line for line in desk.said)
        desk.queue.ledger.close()


def test_a_database_that_stays_away_ends_the_wait_and_the_ticket_is_let_go_of_by_itself(
    root: Path, postgresql_server: postgresql.Server
) -> None:
    with dashboard() as board:
        desk = desk_at(root, postgresql_server.new_schema("submission_away"), board)
        desk.queue.join(ticket("first", "cleo"))
        desk.queue.arbitrate(desk.submission().api.look())
        desk.time.steps = [postgresql_server.crash]
        try:
            with pytest.raises(UnreachableError, match="its ticket is let go of 60 s after it was heard of last"):
                desk.submission().run()
        finally:
            postgresql_server.start()
        desk.time.seconds += 61
        desk.queue.arbitrate(desk.submission().api.look())
        assert desk.queue.standing()[1] == []
        desk.queue.ledger.close()
