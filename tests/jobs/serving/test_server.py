from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.errors import ClusterlabError, InputError, MissingError, StorageError, UnreachableError
from jobs.launch.environments import ROOT
from jobs.serving import server
from jobs.serving.endpoint import KEY_VARIABLE, Endpoint, key_of
from jobs.serving.engine import engine_of
from jobs.serving.server import healthy, serving
from jobs.serving.settings import ServerSettings
from tests.jobs.serving.stand_in import StandIn
from tests.repository import MARK, marked, no_process_left, wait_until

SETTINGS = ServerSettings(model="folder", served_name="small", max_model_len=64, max_slots=4, seed=3)

DONE = '{"data": [{"id": "small"}], "seed": 3}'


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """What every process that a test starts inherits; none may be left."""
    mark = uuid.uuid4().hex
    with no_process_left(mark), monkeypatch.context() as patch:
        patch.setenv(MARK, mark)
        yield mark


def _ask(endpoint: Endpoint) -> str:
    request = urllib.request.Request(f"{endpoint.url}/v1/models", headers=endpoint.headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def test_a_server_that_is_well_late_is_waited_for(mark: str, tmp_path: Path) -> None:
    engine = StandIn(options=("--late=1",))
    with serving(engine, SETTINGS, log=tmp_path / "log", limit_seconds=60) as endpoint:
        assert endpoint.model == "small"
        assert healthy(engine, endpoint)
        assert _ask(endpoint) == DONE
        assert len(marked(mark)) >= 3  # The keeper, the server and its child.
    assert not healthy(engine, endpoint)
    assert marked(mark) == []


def test_only_who_has_the_key_is_let_in_and_nothing_shows_it(
    mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, f"given-{mark}")
    with serving(StandIn(), SETTINGS, log=tmp_path / "log", limit_seconds=60) as endpoint:
        assert _ask(endpoint) == DONE
        stranger = Endpoint(url=endpoint.url, model=endpoint.model, api_key=None)
        with pytest.raises(urllib.error.HTTPError, match=r"401"):
            _ask(stranger)
        assert f"given-{mark}" not in repr(endpoint)
        arguments = [Path(f"/proc/{pid}/cmdline").read_text() for pid in marked(mark)]
        assert not [each for each in arguments if f"given-{mark}" in each]
    assert f"given-{mark}" not in (tmp_path / "log").read_text()


@pytest.mark.usefixtures("mark")
def test_a_server_that_dies_early_is_told_with_what_it_said(tmp_path: Path) -> None:
    with (
        pytest.raises(ClusterlabError, match=r"stand-in: ended with 7; .*log ends in:\nno such model: folder$"),
        serving(StandIn(options=("--die",)), SETTINGS, log=tmp_path / "log", limit_seconds=60),
    ):
        pytest.fail("it serves")


def test_a_server_that_is_never_well_is_given_up(mark: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UnreachableError, match=r"stand-in: not ready after 2 s; .*log ends in:"),
        serving(StandIn(options=("--late=1000",)), SETTINGS, log=tmp_path / "log", limit_seconds=2),
    ):
        pytest.fail("it serves")
    assert marked(mark) == []


@pytest.mark.usefixtures("mark")
def test_an_answer_that_has_begun_is_given_before_the_server_ends(tmp_path: Path) -> None:
    answers: list[str] = []
    with serving(StandIn(options=("--slow=2",)), SETTINGS, log=tmp_path / "log", limit_seconds=60) as endpoint:
        asking = threading.Thread(target=lambda: answers.append(_ask(endpoint)))
        asking.start()
        # The log line comes with the answer, so the connection is what shows that it has begun.
        wait_until(lambda: _num_connections(endpoint) > 0)
    asking.join()
    assert answers == [DONE]
    assert "drained" in (tmp_path / "log").read_text()


def _num_connections(endpoint: Endpoint) -> int:
    """Connections that the server has accepted, in Linux's table."""
    local = f"0100007F:{int(endpoint.url.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1] == local and row[3] == "01" for row in rows)


def test_a_server_that_does_not_end_is_killed(mark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0.5)
    monkeypatch.setattr(server, "END_SECONDS", 0)
    with serving(StandIn(options=("--stubborn",)), SETTINGS, log=tmp_path / "log", limit_seconds=60):
        pass
    assert "drained" not in (tmp_path / "log").read_text()
    assert marked(mark) == []


def test_a_server_does_not_outlive_who_started_it(mark: str, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from tests.jobs.serving.test_server import *\n"
        "with serving(StandIn(), SETTINGS, log=Path(sys.argv[1]), limit_seconds=60):\n"
        "    print('up', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        owner.send_signal(signal.SIGKILL)
    wait_until(lambda: not marked(mark))


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(StorageError, match=r"no/log: cannot be written: No such file"),
        serving(StandIn(), SETTINGS, log=tmp_path / "no" / "log", limit_seconds=1),
    ):
        pytest.fail("it serves")


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(
            InputError, match=r"^PORT=\d+: Address already in use; allowed: one that nothing listens at, or 0$"
        ),
        serving(StandIn(), SETTINGS, log=tmp_path / "log", limit_seconds=1, port=other.getsockname()[1]),
    ):
        pytest.fail("it serves")


def test_an_environment_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    with (
        pytest.raises(MissingError, match=r"`make env-nowhere` makes it"),
        serving(StandIn(environment="nowhere"), SETTINGS, log=tmp_path / "log", limit_seconds=1),
    ):
        pytest.fail("it serves")
    assert not (tmp_path / "log").exists()


def test_a_key_is_made_where_none_is_given_and_a_bad_one_is_not_shown() -> None:
    assert key_of({}) != key_of({KEY_VARIABLE: ""})
    assert key_of({KEY_VARIABLE: "abc"}) == "abc"
    with pytest.raises(
        InputError, match=r"^CLUSTERLAB_API_KEY: has a space or a letter beyond ASCII; allowed: "
    ) as told:
        key_of({KEY_VARIABLE: "hush hush"})
    assert "hush" not in str(told.value)


def test_an_unknown_engine_names_the_known_ones() -> None:
    assert engine_of("vllm").name == "vllm"
    with pytest.raises(InputError, match=r"^ENGINE: 'vlm'; allowed: vllm"):
        engine_of("vlm")


def test_settings_that_cannot_be_are_refused_together() -> None:
    with pytest.raises(ValueError, match=r"max_slots=0: must be 1 or more; gpu_memory_utilization=2: must be above 0"):
        ServerSettings(model="m", served_name="m", max_model_len=2, max_slots=0, gpu_memory_utilization=2)
