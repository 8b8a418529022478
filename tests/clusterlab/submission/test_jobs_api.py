from __future__ import annotations

from collections.abc import Iterator

import pytest

from clusterlab.errors import InputError, UnreachableError
from clusterlab.submission.jobs_api import NO_AGENT, JobsApi
from tests.clusterlab.submission.dashboard import TOKEN, Dashboard, dashboard
from tests.ports import free_port

JOB = {"submission_id": "j1", "entrypoint": "true", "metadata": {"student": "ana"}}


@pytest.fixture
def board() -> Iterator[Dashboard]:
    with dashboard() as made:
        yield made


def connect(board: Dashboard, token: str | None = TOKEN) -> JobsApi:
    return JobsApi.connect(board.address, token, seconds=20)


def test_a_token_that_is_another_is_refused_with_the_variables_that_give_it(board: Dashboard) -> None:
    with pytest.raises(InputError, match=r"RAY_ADDRESS: .* refuses us; RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH says"):
        connect(board, "another")


def test_an_address_where_nobody_is_says_so() -> None:
    with pytest.raises(UnreachableError, match=r"RAY_ADDRESS: http://127.0.0.1:\d+: did not answer within 20 s"):
        JobsApi.connect(f"127.0.0.1:{free_port()}", None, seconds=20)


def test_a_submission_whose_answer_was_lost_is_not_made_twice(board: Dashboard) -> None:
    api = connect(board)
    answer = board.answer

    def lose_the_first(method: str, path: str, body: bytes) -> tuple[int, object]:
        if path == "/api/jobs/" and "j1" in board.jobs:
            return 500, f"Job with submission_id {JOB['submission_id']} already exists"
        found = answer(method, path, body)
        return (500, NO_AGENT) if path == "/api/jobs/" else found

    board.answer = lose_the_first  # type: ignore[method-assign]
    slept: list[float] = []
    JobsApi(address=api.address, token=TOKEN, seconds=20, sleep=slept.append).submit(JOB)
    assert (list(board.jobs), slept) == (["j1"], [1.0])


def test_what_the_cluster_refuses_is_not_asked_again(board: Dashboard) -> None:
    api = connect(board)
    board.answer = lambda *_: (400, "ValueError: no such runtime_env")  # type: ignore[method-assign]
    with pytest.raises(UnreachableError, match=r"takes no job: .*answers 400: .*no such runtime_env"):
        api.submit(JOB)


def test_a_look_says_what_there_is_and_what_is_over(board: Dashboard) -> None:
    api = connect(board)
    for name in ("j1", "j2"):
        api.submit(JOB | {"submission_id": name})
    board.end("j1")
    found = api.look()
    assert (int(found.gpus), found.of_gpus, set(found.running), list(found.over)) == (1, True, {"j2"}, ["j1"])
    board.gpus = 0
    found = api.look()
    assert (int(found.gpus), found.of_gpus) == (1, False)
