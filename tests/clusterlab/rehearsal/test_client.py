from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlab.rehearsal.client import SkyPilot, processes
from clusterlab.rehearsal.steps import StepError
from tests.repository import wait_until


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Linux groups nothing here")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_api_server_gets_a_greater_share_than_another_session(tmp_path: Path) -> None:
    script = "import sys; sys.stdin.read()"
    command = [sys.executable, "-c", script, f"sky.server.server {tmp_path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as server:
        # A process has no words yet for a moment after it is there.
        wait_until(lambda: processes(str(tmp_path)) == [server.pid])
        SkyPilot(home=tmp_path, root=tmp_path, log=tmp_path / "log", variables={}).go_first()
        assert Path(f"/proc/{server.pid}/autogroup").read_text().split()[-1] == "-15"
        server.communicate()


def test_a_process_that_is_ending_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readlink = Path.readlink

    def of(path: Path) -> Path:
        # What the kernel says of one that has no namespaces any more.
        if path == Path(f"/proc/{ending.pid}/ns/pid"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return readlink(path)

    command = [sys.executable, "-c", "import sys; sys.stdin.read()", str(tmp_path)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE) as ending,
        subprocess.Popen(command, stdin=subprocess.PIPE) as other,
    ):
        monkeypatch.setattr(Path, "readlink", of)
        wait_until(lambda: processes(str(tmp_path)) == [other.pid])
        monkeypatch.undo()
        for each in (ending, other):
            each.communicate()


def test_what_a_failed_command_said_is_shown_without_its_colours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "sky"
    script.write_text("#!/bin/sh\nprintf '\\033[31mJob 1 failed\\033[0m\\n'; exit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr("clusterlab.rehearsal.client.program", lambda: str(script))
    sky = SkyPilot(home=tmp_path, root=tmp_path, log=tmp_path / "log", variables={})
    with pytest.raises(StepError) as error:
        sky.run("launch")
    assert "`sky launch` ended with 3:\nJob 1 failed\n" in str(error.value)
