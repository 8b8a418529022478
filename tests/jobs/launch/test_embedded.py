from __future__ import annotations

import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from clusterlab.errors import UnreachableError
from jobs.launch import embedded
from jobs.launch.embedded import Embedded, embedded_ray
from tests.web import Handler, serving

LOOPBACK = "0100007F"
LOOPBACK_IN_IPV6 = f"0000000000000000FFFF0000{LOOPBACK}"


def test_only_its_owner_can_read_the_token(head: Embedded) -> None:
    assert stat.S_IMODE(head.token_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(head.token_path.parent.stat().st_mode) == 0o700


def test_who_has_no_token_is_not_let_in(head: Embedded) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{head.address}/api/jobs/")
    assert refused.value.code == 401
    refused.value.close()


def test_it_listens_on_the_loopback_only(head: Embedded) -> None:
    temporary = str(head.token_path.parent)
    pids = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if temporary in path.read_text()]
    sockets = {str(link.readlink()) for pid in pids for link in (pid / "fd").iterdir() if link.is_symlink()}
    tables = (Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6"))
    rows = [line.split() for table in tables for line in table]
    listening = {row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
    assert listening == {LOOPBACK, LOOPBACK_IN_IPV6}


def test_a_head_that_cannot_start_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_command", lambda *_: ["sh", "-c", "echo no room; exit 1"])
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(embedded, "_short_folder", lambda: str(tmp_path))
    log = tmp_path / "ray.log"
    with (
        pytest.raises(UnreachableError, match=f"embedded Ray: did not start .*{log}"),
        embedded_ray(root=tmp_path, log=log),
    ):
        pass
    assert log.read_text() == "no room\n" * embedded.ATTEMPTS
    assert list(tmp_path.iterdir()) == [log]


@pytest.mark.parametrize(("summary", "lives"), [([], False), ([{"raylet": {"state": "ALIVE"}}], True)])
def test_a_dashboard_that_answers_before_its_node_lives_is_waited_for(
    summary: list[object], lives: bool, tmp_path: Path
) -> None:
    class Dashboard(Handler):
        def respond(self) -> None:
            self.send_json({"data": {"summary": summary}})

    with serving(Dashboard) as address:
        head = Embedded(address=address, nodes_address="", token="none", token_path=tmp_path, python="python")
        assert embedded._lives(head) is lives


def test_a_long_temporary_folder_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/" + "x" * 80)
    assert len(embedded._short_folder()) < 40
