"""A class brought up once, twice, with another roster, and where something is in the way."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from clusterlab.course.fleet.errand import Deed, Errand, Phase
from clusterlab.course.fleet.warm import Warmed, warm
from clusterlab.course.language import Language
from clusterlab.errors import ClusterlabError, InputError, MissingError, StorageError
from clusterlab.ledger.ledger import Ledger
from tests.clusterlab.course.fleet.server import Server
from tests.clusterlab.course.students.fake_skypilot import FakeSkyPilot
from tests.clusterlab.course.students.house import House, Papers, role, shared, tree


def lines(told: str) -> list[str]:
    return told.splitlines()


def test_each_student_gets_a_folder_of_his_own(house: House) -> None:
    house.changed = 3
    told = lines(house.bring_up())
    assert told[0] == "stack: 3 changed"
    assert "students: 3 new: ana, ben, cleo" in told
    found = tree(house.folder)
    assert [found[f"ana/{name}"][0] for name in ("id_ed25519", "id_ed25519.pub", "aws.ini", "welcome.md")] == [
        0o600,
        0o644,
        0o600,
        0o644,
    ]
    assert {found[each][0] for each in ("ana", "ben", "cleo")} == {0o700}
    assert stat.S_IMODE(house.folder.stat().st_mode) == 0o700
    assert not [name for name in found if "partial" in name]


def test_skypilot_s_configuration_is_the_stack_s(house: House) -> None:
    house.bring_up()
    written = yaml.safe_load((house.root / ".sky.yaml").read_text())
    assert written["aws"]["remote_identity"] == "clusterlab-llm-2026-node"


def test_the_second_time_each_step_says_that_there_was_nothing_to_do(house: House, skypilot: FakeSkyPilot) -> None:
    house.outputs, house.cloud = shared(skypilot.endpoint), Papers()
    house.bring_up()
    before = tree(house.root)
    times = {path: path.stat().st_mtime_ns for path in house.folder.glob("*/*")}
    told = [line for line in lines(house.bring_up()) if "CLUSTERLAB_LEDGER" not in line]
    steps = ("stack", "skypilot", "budget", "students", "tokens", "clusters")
    assert told[:-1] == [f"{step}: nothing to do" for step in steps]
    assert told[-1].startswith("clusters: the class does not meet now")
    assert tree(house.root) == before
    assert {path: path.stat().st_mtime_ns for path in house.folder.glob("*/*")} == times


def test_who_is_new_is_added_and_who_has_gone_is_told_and_keeps_the_folder(house: House) -> None:
    house.bring_up()
    before = tree(house.folder / "ben")
    house.students = ("ben", "cleo", "dan")
    told = lines(house.bring_up())
    assert "students: 1 new: dan; something new for ben, cleo" in told
    assert f"students: ana is no longer in the roster; {house.folder / 'ana'} is kept" in told
    assert (house.folder / "ana" / "id_ed25519").exists()
    # Whose team is another now.
    assert {name: each for name, each in tree(house.folder / "ben").items() if name != "welcome.md"} == {
        name: each for name, each in before.items() if name != "welcome.md"
    }


def test_who_comes_back_has_the_key_of_before(house: House) -> None:
    house.bring_up()
    key = (house.folder / "ana" / "id_ed25519").read_bytes()
    house.students = ("ben",)
    house.bring_up()
    house.students = ("ana", "ben")
    told = house.bring_up()
    assert (house.folder / "ana" / "id_ed25519").read_bytes() == key
    assert "cleo is no longer" in told
    assert "ana is no longer" not in told


def test_another_due_date_is_another_sheet_and_nothing_else(house: House) -> None:
    house.bring_up()
    before = tree(house.folder)
    house.due = "2026-09-29"
    told = lines(house.bring_up())
    assert "students: something new for ana, ben, cleo" in told
    after = tree(house.folder)
    assert [name for name in after if after[name] != before[name]] == [
        "ana/welcome.md",
        "ben/welcome.md",
        "cleo/welcome.md",
    ]


def test_the_language_of_the_sheets_is_remembered(house: House) -> None:
    house.bring_up(Language.ES)
    house.bring_up()
    assert "Qué teclear primero" in (house.folder / "ana" / "welcome.md").read_text()
    house.bring_up(Language.EN)
    assert "What to type first" in (house.folder / "ana" / "welcome.md").read_text()


def test_caps_of_the_file_are_set_in_the_ledger_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{house.root}/ledger.db"
    monkeypatch.setenv("CLUSTERLAB_LEDGER", url)
    assert "budget: course llm-2026 2500.00, student ana 110.00, student ben 110.00 and 1 more" in house.bring_up()
    head = Ledger.open(url).head()
    assert "budget: nothing to do" in house.bring_up()
    assert Ledger.open(url).head() == head
    house.usd = 120
    house.bring_up()
    caps = {each.name: each.cap_usd for each in Ledger.open(url).budgets()}
    assert caps == {"llm-2026": Decimal(2500), "ana": Decimal(120), "ben": Decimal(120), "cleo": Decimal(120)}


def test_without_a_ledger_no_cap_is_set_and_that_is_told(house: House) -> None:
    assert "budget: CLUSTERLAB_LEDGER is not set, so no cap was set from here" in house.bring_up()


def test_kubeconfig_goes_by_the_student_s_profile(house: House) -> None:
    """With `--role-arn` the CLI would name the session itself, and the role takes nobody of another name."""
    house.mode, house.outputs = "shared", shared()
    house.bring_up()
    config = yaml.safe_load((house.folder / "ana" / "kubeconfig").read_text())
    [user] = config["users"]
    assert user["user"]["exec"]["env"] == [{"name": "AWS_PROFILE", "value": "llm-2026"}]
    assert "--role-arn" not in user["user"]["exec"]["args"]
    profile = (house.folder / "ana" / "aws.ini").read_text()
    assert f"role_arn = {role('ana')}\nrole_session_name = ana\n" in profile


def test_boto3_takes_the_profile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.session

    house.bring_up()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(house.folder / "ben" / "aws.ini"))
    found = botocore.session.Session(profile="llm-2026").get_scoped_config()
    assert (found["role_arn"], found["role_session_name"], found["region"]) == (role("ben"), "ben", "us-east-1")


def test_student_without_a_role_is_named_and_the_others_are_served(house: House) -> None:
    house.outputs = {"aws_student_roles": {"ana": role("ana"), "cleo": role("cleo")}}
    with pytest.raises(InputError, match=r"outputs of the stack: aws_student_roles.ben: missing"):
        house.bring_up()
    assert (house.folder / "cleo" / "welcome.md").exists()
    assert json.loads((house.folder / "up.json").read_text())["under_way"] == "students"


def test_file_in_the_place_of_a_student_s_folder_is_one_clear_error(house: House) -> None:
    house.folder.mkdir(parents=True)
    (house.folder / "ben").write_text("mine")
    with pytest.raises(StorageError, match=r"llm-2026/ben: a file is in the way; allowed: a folder, or nothing$"):
        house.bring_up()
    assert (house.folder / "cleo" / "welcome.md").exists()
    assert (house.folder / "ben").read_text() == "mine"
    (house.folder / "ben").unlink()
    told = house.bring_up()
    assert "the last bring-up ended in `students`; this one goes on from there" in told
    assert (house.folder / "ben" / "welcome.md").exists()


def test_file_in_the_place_of_the_class_s_folder_is_one_clear_error(house: House) -> None:
    (house.root / "classes").write_text("")
    with pytest.raises(StorageError, match=r"classes: a file is in the way"):
        house.bring_up()


def test_folder_that_cannot_be_written_is_one_clear_error(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the system says no in its place."""
    house.folder.mkdir(parents=True)

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(house.folder))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(StorageError, match=r"up.json: cannot be written: Permission denied"):
            house.bring_up()
    house.bring_up()


def test_without_ssh_keygen_one_error_says_what_installs_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(house.root))
    with pytest.raises(
        MissingError, match=r"^ssh-keygen: not installed; `apt-get install openssh-client` installs it$"
    ):
        house.bring_up()
    monkeypatch.setenv("PATH", path)
    house.bring_up()
    monkeypatch.setenv("PATH", str(house.root))
    assert "students: nothing to do" in house.bring_up()


def test_two_at_once_are_one_after_the_other(house: House) -> None:
    house.bring_up()
    with (house.folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ClusterlabError, match=r"another `clusterlab class up` is at work here"):
            house.bring_up()


def test_record_that_is_none_is_refused(house: House) -> None:
    house.bring_up()
    (house.folder / "up.json").write_text("{")
    with pytest.raises(InputError, match=r"up.json: no record of a bring-up .* move it away"):
        house.bring_up()


def test_folder_that_somebody_opened_is_closed_again(house: House) -> None:
    house.bring_up()
    (house.folder / "ana").chmod(0o755)
    (house.folder / "ana" / "id_ed25519").chmod(0o644)
    (house.folder / "ana" / "aws.ini").chmod(0o664)
    house.bring_up()
    found = tree(house.folder)
    assert [found[each][0] for each in ("ana", "ana/id_ed25519", "ana/aws.ini")] == [0o700, 0o600, 0o600]


def test_clusters_come_up_last_where_they_are_due(house: House) -> None:
    """Three launches on a SkyPilot of the fleet's tests, as `class up --clusters` asks for them."""
    server = Server()
    house.clusters = lambda: warm(house.cluster(), house.root, server.crew(), at=datetime.now(UTC), now=True)
    told = lines(house.bring_up())
    assert told[-1] == "clusters: llm-2026-ana, llm-2026-ben, llm-2026-cleo up"
    assert sorted(server.there) == ["llm-2026-ana", "llm-2026-ben", "llm-2026-cleo"]
    assert lines(house.bring_up())[-1] == "clusters: nothing to do"


def test_cluster_that_does_not_come_is_told_when_all_else_is_done(house: House) -> None:
    reason = "no machine is free"
    errand = Errand(name="llm-2026-ben", deed=Deed.LAUNCH, ask=str, phase=Phase.FAILED, reason=reason, tries=6)
    house.clusters = lambda: Warmed(why="asked for now", errands=[errand])
    with pytest.raises(ClusterlabError, match=r"^cluster llm-2026-ben: failed: no machine is free$"):
        house.bring_up()
    assert json.loads((house.folder / "up.json").read_text())["under_way"] == "clusters"


def test_on_a_cluster_that_all_share_each_has_its_token(house: House) -> None:
    house.mode = "shared"
    house.bring_up()
    tokens = {(house.folder / each / "ray.token").read_text() for each in house.students}
    assert tokens == {(house.folder / "ray.token").read_text()}
    assert tree(house.folder)["ana/ray.token"][0] == 0o600


def test_a_terminal_has_a_bar_and_no_line_for_each(house: House) -> None:
    told = house.bring_up(terminal=True)
    assert "3/3" in told
    assert "students: ana: key" not in told


def test_private_and_public_key_are_a_pair_that_ssh_takes(house: House) -> None:
    house.bring_up()
    folder = house.folder / "ana"
    command = ["ssh-keygen", "-y", "-f", str(folder / "id_ed25519")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.strip() == (folder / "id_ed25519.pub").read_text().strip()
    assert said.endswith("ana@llm-2026\n")


def test_nothing_of_it_is_in_git(tmp_path: Path) -> None:
    from tests.repository import ROOT

    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    told = subprocess.run(
        ["git", "check-ignore", "classes/llm-2026/ana/token"], cwd=tmp_path, capture_output=True, check=False
    )
    assert told.returncode == 0
