"""The welcome sheet: what each kind of class has its students type first, in each language."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from clusterlab.course.students import english, spanish
from clusterlab.course.students.facts import Access, Facts, facts_of
from clusterlab.course.students.welcome import SHEETS
from tests.clusterlab.course.students.fake_skypilot import FakeSkyPilot
from tests.clusterlab.course.students.house import House, Papers, shared

SERVER = shared("https://198.51.100.7")


def sheets(house: House) -> list[str]:
    facts = facts_of(house.cluster(), "ana", house.exports(), house.root)
    return [english.sheet(facts), spanish.sheet(facts)]


def typed(sheet: str) -> list[str]:
    return [line for block in re.findall(r"```\n(.*?)\n```", sheet, re.DOTALL) for line in block.splitlines()]


def test_with_a_server_students_log_in_by_their_token(house: House) -> None:
    house.outputs = SERVER
    for sheet in sheets(house):
        assert typed(sheet)[2:] == [
            "export REQUESTS_CA_BUNDLE=~/llm-2026/course.pem",
            'sky api login --endpoint https://198.51.100.7 --token "$(cat ~/llm-2026/token)"',
            "export CLUSTERLAB_STUDENT=ana",
            "export CLUSTERLAB_TEAM=red",
            "sky launch labs/quantize.yaml --secret HF_TOKEN=...",
        ]


def test_without_a_server_they_take_their_role(house: House) -> None:
    for sheet in sheets(house):
        assert typed(sheet)[2:] == [
            "cat ~/llm-2026/aws.ini >> ~/.aws/config",
            "export AWS_PROFILE=llm-2026",
            "export CLUSTERLAB_STUDENT=ana",
            "export CLUSTERLAB_TEAM=red",
            "export CLUSTERLAB_BUCKET=clusterlab-llm-2026-123456789012",
            "sky launch labs/quantize.yaml --secret HF_TOKEN=...",
        ]


TUNNELS = {
    "kubernetes": (shared(), "kubectl --kubeconfig ~/llm-2026/kubeconfig --namespace class port-forward"),
    "server": (SERVER, "clusterlab tunnel llm-2026 --port 8265 --to 31265 &"),
    "role": ({}, "clusterlab tunnel llm-2026 --port 8265 --to 31265 &"),
}


@pytest.mark.parametrize(("outputs", "tunnel"), TUNNELS.values(), ids=TUNNELS)
def test_on_a_shared_cluster_they_submit_through_a_tunnel(house: House, outputs: dict[str, str], tunnel: str) -> None:
    house.mode, house.outputs = "shared", outputs
    for sheet in sheets(house):
        assert typed(sheet)[-3].startswith(tunnel)
        assert typed(sheet)[-1] == "clusterlab submit labs/quantize.yaml --as ana"
        # A job has no machine of its own.
        assert "sky down" not in sheet


def test_it_says_budget_due_dates_hours_lease_and_where_work_lies(house: House) -> None:
    english_, spanish_ = sheets(house)
    assert "You may spend 110.00 USD in all labs." in english_
    assert "Puedes gastar 110.00 USD" in spanish_
    for sheet in (english_, spanish_):
        assert "| quantize | 2026-09-22 | 2 |" in sheet
        assert "Europe/Madrid" in sheet
        assert "12 ho" in sheet
        assert "s3://clusterlab-llm-2026-123456789012/runs/ana/" in sheet
        assert "prof@example.com" in sheet
    assert "tue 10:00-12:00" in english_
    assert "mar 10:00-12:00" in spanish_


def test_lease_is_as_long_as_a_launch_is_granted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_LEASE_HOURS", "6.5")
    assert "a lease of 6.5 hours" in sheets(house)[0]


@pytest.mark.parametrize("access", Access)
def test_both_languages_have_the_same_commands_and_as_many_sections(house: House, access: Access) -> None:
    facts: Facts = facts_of(house.cluster(), "ana", house.exports(), house.root)
    found = [sheet(replace(facts, access=access, usd=None)) for sheet in SHEETS.values()]
    assert typed(found[0]) == typed(found[1])
    assert found[0].count("\n## ") == found[1].count("\n## ")


def test_there_is_no_secret_in_it(house: House, skypilot: FakeSkyPilot) -> None:
    house.outputs, house.cloud = shared(skypilot.endpoint), Papers()
    house.bring_up()
    folder = house.folder / "ana"
    sheet = (folder / "welcome.md").read_text()
    assert (folder / "token").read_text().strip() not in sheet
    assert not {*(folder / "id_ed25519").read_text().splitlines()} & {*sheet.splitlines()}


def test_all_that_is_typed_is_there(house: House) -> None:
    """Each `clusterlab` command of a sheet is one, and each file of the repository that it names."""
    from typer.main import get_command

    from clusterlab.cli import app
    from tests.repository import ROOT

    verbs = get_command(app).commands  # type: ignore[attr-defined]
    for outputs, mode in ((SERVER, "per-student"), (shared(), "shared"), ({}, "per-student")):
        house.outputs, house.mode = outputs, mode
        for sheet in sheets(house):
            assert {*re.findall(r"clusterlab ([a-z]+) ", sheet)} <= {*verbs}
            for name in re.findall(r"`((?:docs/|labs/|README)[\w./-]*)`", sheet):
                assert (ROOT / name).exists(), name
