from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clusterlab.cli import app
from tests.clusterlab.course.status.conftest import Dashboard

CLASS = """
course: llm-2026
infra: [gcp/us-east1]
roster: 2
mode: shared
"""


@pytest.fixture
def place(house: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose class is in no cloud that is asked here; SkyPilot's endpoint is one where nobody listens."""
    (house / "clusters" / "llm-2026.yaml").write_text(CLASS)
    for name in ("CLUSTERLAB_LEDGER", "RAY_ADDRESS", "SKYPILOT_API_SERVER_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("clusterlab.course.status.skypilot.HERE", "http://127.0.0.1:9")
    return house


def status(*options: str) -> Result:
    return CliRunner().invoke(app, ["class", "status", "clusters/llm-2026.yaml", *options])


def test_it_exits_with_0_and_strict_with_1_where_something_could_not_be_looked_at(place: Path) -> None:
    del place
    result = status()
    assert (result.exit_code, "2 things need somebody" in result.output) == (0, True)
    assert "RAY_ADDRESS is not set" in result.output
    assert status("--strict").exit_code == 1


def test_json_has_null_for_what_is_not_known_and_the_page_is_written(place: Path, dashboard: Dashboard) -> None:
    result = status("--ray", dashboard.address, "--json", "--html", "status.html", "--language", "es")
    document = json.loads(result.stdout)
    assert (document["resources"], document["clusters"], document["budgets"]) == (None, None, None)
    assert [each["student"] for each in document["jobs"]] == ["ana", "ben"]
    assert "Estado de llm-2026" in (place / "status.html").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ray", "https://h:1"), "--ray: 'https://h:1'; allowed: a dashboard, http://host:port"),
        (("--ray", "http://h:x"), "allowed: a dashboard"),
        (("--language", "fr"), "--language: 'fr'; allowed: en, es"),
    ],
)
def test_what_is_wrong_is_said(place: Path, options: tuple[str, ...], message: str) -> None:
    del place
    result = status(*options)
    assert result.exit_code == 2
    assert message in result.output


def test_ctrl_c_is_how_a_watch_ends_and_no_error(place: Path, dashboard: Dashboard) -> None:
    command = [sys.executable, "-m", "clusterlab.cli", "class", "status", "clusters/llm-2026.yaml"]
    environment = os.environ | {"SKYPILOT_API_SERVER_ENDPOINT": "", "PYTHONPATH": str(Path(__file__).parents[4])}
    with subprocess.Popen(
        [*command, "--watch", "--every", "600", "--json", "--ray", dashboard.address],
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "{\n"
        while watch.stdout.readline() != "}\n":
            pass
        watch.send_signal(signal.SIGINT)
        _, error = watch.communicate()
    assert (watch.returncode, error) == (0, "")
