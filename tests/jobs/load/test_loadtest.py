from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clusterlab.config import Scale, parse
from clusterlab.errors import InputError, UnreachableError
from jobs.launch.folder import VARIABLE
from jobs.load.loads import Mode, parse_loads
from jobs.loadtest import Config, main
from tests.jobs.load.conftest import Delays

GIVEN = {"SCALE": "tiny", "URL": "http://127.0.0.1:9", "MODEL": "delays"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


def _config(server: Delays, **given: Any) -> Config:
    return parse(Config, GIVEN | {"URL": server.url} | {name.upper(): str(value) for name, value in given.items()})


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("scale", Scale)
def test_every_scale_has_a_valid_config(scale: Scale, mode: Mode) -> None:
    config = parse(Config, GIVEN | {"SCALE": scale, "MODE": mode})
    assert parse_loads(config.loads, config.mode)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"URL": "localhost"},
            "URL=localhost: no URL of a server; allowed: without a path, such as http://127.0.0.1:8000",
        ),
        ({"MODE": "half"}, "MODE: 'half': allowed: open, closed"),
        ({"LOADS": "1,x"}, "LOADS=1,x: allowed: a number of requests a second each, with commas between"),
        ({"LOADS": "4,2"}, "LOADS=4,2: each load must be above the one before it"),
        ({"LOADS": "0"}, "LOADS=0: allowed: a number of requests a second above 0 each"),
        ({"LOADS": "nan"}, "LOADS=nan: allowed: a number of requests a second above 0 each"),
        ({"LOADS": "1.5", "MODE": "closed"}, "LOADS=1.5: allowed: a whole number of clients each"),
        ({"NUM_REQUESTS": "0"}, "NUM_REQUESTS=0: must be above 0"),
        ({"NUM_WORDS": "5000"}, "NUM_WORDS=5000: must be at most 4000"),
        ({"LIMIT_SECONDS": "-1"}, "LIMIT_SECONDS=-1.0: must be above 0"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(given: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        parse(Config, GIVEN | given)


def test_a_server_and_a_model_must_be_given() -> None:
    with pytest.raises(InputError, match=r"URL: missing.*\n.*MODEL: missing"):
        parse(Config, {"SCALE": "tiny"})


@pytest.mark.parametrize(("mode", "loads"), [("open", "20,80"), ("closed", "1,4")])
def test_loads_end_as_metrics_a_record_of_every_request_and_a_picture(
    delays: Callable[..., Delays], folder: Path, mode: str, loads: str
) -> None:
    config = _config(delays(ttft=0.01, tpot=0.002), mode=mode, loads=loads, num_requests=20, new_tokens=4)
    metrics = main(config)
    assert metrics["answered"] == 1
    low, high = loads.split(",")
    # Of a busy machine several tokens come in one reading.
    for load in (low, high):
        assert metrics[f"ttft_p50_seconds_at_{load}"] >= 0.01
        assert metrics[f"tpot_p50_seconds_at_{load}"] >= 0
    assert (folder / "load.png").read_bytes().startswith(b"\x89PNG")
    written = json.loads((folder / "load.json").read_text())["loads"]
    assert [each["load"] for each in written] == [float(low), float(high)]
    assert [len(each["requests"]) for each in written] == [20, 20]
    # Which load gave more tokens a second is the machine's to say; that they are its tokens and its seconds is ours.
    for load, each in zip((low, high), written, strict=True):
        assert metrics[f"tokens_per_second_at_{load}"] == pytest.approx(20 * 4 / each["seconds"])
    requests = [request for each in written for request in each["requests"]]
    assert {request["tokens"] for request in requests} == {4}
    # A timer of the server's may end a millisecond early; the fourth token comes no sooner than the third is due.
    assert min(request["last_token"] - request["scheduled"] for request in requests) >= 0.01 + 2 * 0.002
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_a_server_that_is_not_there_is_one_clear_error_before_any_load(folder: Path) -> None:
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:9: the first request was refused$"):
        main(parse(Config, GIVEN))
    assert not list(folder.iterdir())


def test_a_server_that_rejects_the_model_is_one_clear_error(delays: Callable[..., Delays], folder: Path) -> None:
    message = (
        "MODEL=delays: the server rejects a request, HTTP status 400; allowed: a model that it serves, and its key"
    )
    with pytest.raises(InputError, match=message):
        main(_config(delays(fault="400")))
    assert not list(folder.glob("*.json*"))
