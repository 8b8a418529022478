from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clusterlab.rehearsal.client import SkyPilot, processes

pytestmark = pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Linux groups nothing here")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_api_server_gets_a_greater_share_than_another_session(tmp_path: Path) -> None:
    script = "import sys; sys.stdin.read()"
    command = [sys.executable, "-c", script, f"sky.server.server {tmp_path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as server:
        assert processes(str(tmp_path)) == [server.pid]
        SkyPilot(home=tmp_path, root=tmp_path, log=tmp_path / "log", variables={}).go_first()
        assert Path(f"/proc/{server.pid}/autogroup").read_text().split()[-1] == "-15"
        server.communicate()
