from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.clusterlab.reaper.conftest import HERE, Account
from tests.clusterlab.test_cli import invoke


@pytest.fixture
def arguments(account: Account, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(account.folder)
    return ["reap", "--course", "llm-2026", "--keep", "keep.json", "--region", HERE]


def test_a_dry_run_says_what_it_would_do(account: Account, arguments: list[str]) -> None:
    (machine,) = account.launch()
    code, out, _ = invoke(*arguments, "--json")
    assert code == 1
    document = json.loads(out)
    assert [(each["kind"], each["step"]) for each in document["resources"]] == [
        ("instance", "warn"),
        ("volume", "warn"),
    ]
    assert (document["proven"], document["num_left"], document["dry_run"]) == (False, 2, True)
    assert json.loads(Path("proof.json").read_text()) == document
    assert not Path("reaper.json").exists()
    assert machine in out


def test_what_is_left_is_named_a_line_each(account: Account, arguments: list[str]) -> None:
    (machine,) = account.launch()
    account.launch(account.tags(hours=3))
    code, out, _ = invoke(*arguments, "--yes")
    assert code == 1
    assert f"warn    us-east-1  instance {machine} (t3.micro, running)  ana qlora  lease until " in out
    assert "2 left over their lease in 1 region (2 in their lease, 0 kept); proof  proof.json" in out
    assert Path("reaper.json").exists()


def test_nothing_left_exits_with_0(account: Account, arguments: list[str]) -> None:
    account.launch(account.tags(hours=3))
    assert invoke(*arguments)[0] == 0


@pytest.mark.usefixtures("account")
def test_without_credentials_there_is_one_error(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    code, _, err = invoke(*arguments)
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith("AWS credentials: NoCredentialsError: ")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--region", "mars-1"], "--region: mars-1: unknown; allowed: "),
        (["--longest-hours", "long"], "--longest-hours: 'long'; allowed: hours above 0, such as 12"),
        (["--keep", "none.json"], "none.json: not there; allowed: "),
        (["--proof", "keep.json/proof.json"], "keep.json/proof.json: cannot be written: "),
    ],
)
def test_what_is_wrong_is_named(arguments: list[str], more: list[str], message: str) -> None:
    code, _, err = invoke(*arguments, *more)
    assert code in (2, 5)
    assert err.startswith(message)


@pytest.mark.usefixtures("account")
def test_without_boto3_it_says_how_to_get_it(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("clusterlab.reaper.")]:
        if not name.endswith(".command"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "boto3", None)
    code, _, err = invoke(*arguments)
    assert code == 3
    assert err == "boto3: not installed; `pip install 'clusterlab[aws]'` installs it\n"
