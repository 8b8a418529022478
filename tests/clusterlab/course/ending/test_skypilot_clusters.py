from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterlab.course.ending import skypilot_clusters
from clusterlab.course.ending.skypilot_clusters import ENDPOINT_VARIABLE, Ended, end
from tests.web import Handler, serving

SKY = """#!/bin/sh
echo "$@" >> {folder}/calls
[ "$1" = status ] && echo 'hint: ...' && cat {folder}/status.json && exit
[ -e {folder}/fails ] && echo 'error: the cloud is down' >&2 && exit 1
exit 0
"""


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `sky` beside a Python, which knows two clusters of the class and one of another."""
    program = tmp_path / "sky"
    program.write_text(SKY.format(folder=tmp_path))
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    courses = {"ana": "llm-2026", "ben": "llm-2026", "other": "nlp-2026", "bare": None}
    status = [{"name": name, "labels": course and {"course": course}} for name, course in courses.items()]
    (tmp_path / "status.json").write_text(json.dumps(status))
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    class Healthy(Handler):
        def respond(self) -> None:
            self.send(status=200 if self.path == "/api/health" else 404)

    with serving(Healthy) as url:
        monkeypatch.setenv(ENDPOINT_VARIABLE, url)
        yield


@pytest.mark.usefixtures("server")
def test_skypilot_ends_the_clusters_of_the_class_and_no_other(sky: Path) -> None:
    assert end("llm-2026") == Ended(names=("ana", "ben"))
    assert (sky / "calls").read_text().splitlines()[-1] == "down --yes ana ben"


@pytest.mark.usefixtures("server")
def test_what_skypilot_cannot_end_is_left_to_its_tag(sky: Path) -> None:
    (sky / "fails").touch()
    assert end("llm-2026") == Ended(
        problem="SkyPilot: error: the cloud is down; what it has not ended is ended by its tag"
    )


def test_a_server_that_is_not_there_is_not_started(sky: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    assert "does not answer" in end("llm-2026").problem
    assert not (sky / "calls").exists()
    assert not skypilot_clusters.answers()
