from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from clusterlab.errors import MissingError
from jobs.agents.sandbox import MIB, End, Limits, Sandbox
from jobs.agents.syscalls import DENIED, MACHINES, seccomp_filter
from tests.jobs.agents.conftest import needs_bwrap
from tests.repository import ROOT

LIMITS = Limits(seconds=3.0, cpu_seconds=2, memory_mib=256, scratch_mib=4, output_bytes=2000)
SANDBOX = Sandbox(limits=LIMITS)
OUT = "ESCAPED"
"""What an attempt prints that got anywhere."""
LIBC = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True)\n"
ESCAPES = {
    "reads a file of the system": 'open("/etc/passwd").read(); print("ESCAPED")',
    "reads through a link": 'import os; os.symlink("/etc/passwd", "x"); open("x").read(); print("ESCAPED")',
    "reads through dots": 'open("../etc/passwd").read(); print("ESCAPED")',
    "looks at other processes": 'import os; os.listdir("/proc"); print("ESCAPED")',
    "looks at devices": 'import os; print("ESCAPED" if set(os.listdir("/dev")) - {"null", "urandom"} else "none")',
    "writes into the system": 'open("/usr/lib/x", "w"); print("ESCAPED")',
    "writes beside the scratch": 'open("/x", "w"); print("ESCAPED")',
    "writes shared memory": 'open("/dev/shm/x", "w"); print("ESCAPED")',
    "writes into the interpreter": 'import os; open(os.path.dirname(os.__file__) + "/x.py", "w"); print("ESCAPED")',
    "forks": 'import os; os.fork(); print("ESCAPED")',
    "forks without end": "import os\nwhile True:\n    os.fork()\n    print('ESCAPED')",
    "starts a program": 'import subprocess; subprocess.run(["/bin/true"]); print("ESCAPED")',
    "starts a thread": 'import threading; threading.Thread(target=print).start(); print("ESCAPED")',
    "leaves a process behind": 'import os\nif os.spawnl(os.P_NOWAIT, "/bin/sleep", "sleep", "9"): print("ESCAPED")',
    "becomes root": 'import os; os.setuid(0); print("ESCAPED")',
    "takes a group": 'import os; os.setgroups([0]); print("ESCAPED")',
    "changes its root": 'import os; os.chroot("/scratch"); print("ESCAPED")',
    "raises its limits": "import resource as r; r.setrlimit(r.RLIMIT_AS, (-1, -1)); print('ESCAPED')",
    "makes namespaces": LIBC + 'print("no" if libc.unshare(0x10000000) else "ESCAPED")',
    "mounts": LIBC + 'print("no" if libc.mount(b"x", b"/scratch", b"tmpfs", 0, None) else "ESCAPED")',
    "traces its parent": LIBC + 'print("no" if libc.ptrace(16, os.getppid(), 0, 0) else "ESCAPED")',
    "traces itself": LIBC + 'print("no" if libc.ptrace(0, 0, 0, 0) else "ESCAPED")',
    "asks for memory that nobody counts": 'import os; os.memfd_create("x"); print("ESCAPED")',
    "asks for a key of the kernel": LIBC + 'print("no" if libc.syscall(250, 0, -3, 0) == -1 else "ESCAPED")',
    "takes memory at once": 'x = bytearray(2**30); print("ESCAPED")',
    "takes memory bit by bit": "x = []\nwhile len(x) < 300: x.append(bytearray(2**20))\nprint('ESCAPED')",
    "takes memory in shares": LIBC + 'print("no" if libc.shmget(0, 2**30, 0o1600) == -1 else "ESCAPED")',
}


def _escaped(code: str) -> bool:
    outcome = SANDBOX.run(code)
    assert outcome.output
    return OUT in outcome.output


@needs_bwrap
@pytest.mark.parametrize("name", ESCAPES)
def test_an_escape_does_not_work_and_leaves_nothing(name: str) -> None:
    assert not _escaped(ESCAPES[name])
    assert psutil.Process().children(recursive=True) == []


@needs_bwrap
def test_code_calculates_with_values_and_its_faults_are_told() -> None:
    outcome = SANDBOX.run("import math; print(math.comb(inputs['n'], 2), inputs['s'])", {"n": 5, "s": "it's"})
    assert (outcome.end, outcome.output) == (End.DONE, "10 it's\n")
    failed = SANDBOX.run("print(1)\nprint(undefined)")
    assert failed.end == End.FAILED
    assert "NameError: name 'undefined' is not defined" in failed.output
    assert SANDBOX.run("import sys; sys.exit(3)").end == End.FAILED


@needs_bwrap
def test_the_longest_code_and_values_arrive_and_letters_that_are_none_harm_nobody() -> None:
    letters = "\U0001f600"
    code = f"n = len({letters * 3900!r})\nprint(n, sum(map(len, inputs.values())))"
    assert SANDBOX.run(code, {f"v{n}": letters * 200 for n in range(16)}).output == "3900 3200\n"
    assert SANDBOX.run("print('\ud800')").end == End.FAILED
    assert SANDBOX.run("\x00").end == End.FAILED


@needs_bwrap
def test_a_value_is_never_code() -> None:
    value = '0"); print("ESCAPED'
    assert SANDBOX.run("print(len(inputs['v']))", {"v": value}).output == f"{len(value)}\n"


@needs_bwrap
def test_no_secret_of_this_process_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_API_KEY", "sesame")
    (tmp_path / "secret").write_text("sesame")
    assert "sesame" not in SANDBOX.run("import os; print(dict(os.environ))").output
    assert "FileNotFoundError" in SANDBOX.run(f"print(open({str(tmp_path / 'secret')!r}).read())").output
    assert "FileNotFoundError" in SANDBOX.run(f"import os; print(os.listdir({str(ROOT)!r}))").output


@needs_bwrap
def test_nothing_reaches_a_server_of_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        outcome = SANDBOX.run(f"import socket; socket.create_connection(('127.0.0.1', {port}), 1); print('ESCAPED')")
        assert OUT not in outcome.output
        with pytest.raises(BlockingIOError):
            server.accept()


@needs_bwrap
def test_without_the_filter_there_is_still_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    allow_all = b"\x06\x00\x00\x00\x00\x00\xff\x7f"
    monkeypatch.setattr("jobs.agents.sandbox.seccomp_filter", lambda: allow_all)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = f"import socket; s = socket.socket(); print(s.connect_ex(('127.0.0.1', {port})))"
        assert SANDBOX.run(code).output.strip() not in ("", "0")


@needs_bwrap
@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("while True: pass", {End.KILLED, End.TIME}),
        ("import time; time.sleep(60)", {End.TIME}),
        ("import os, time; os.close(1); os.close(2); time.sleep(60)", {End.TIME}),
        ("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)", {End.TIME}),
        ("while True: print('x' * 1000)", {End.OUTPUT}),
        ("import ctypes; ctypes.string_at(0)", {End.KILLED}),
        ("import os; os.kill(os.getpid(), 9)", {End.KILLED}),
    ],
)
def test_what_does_not_end_is_ended_and_nothing_of_it_is_left(code: str, ends: set[End]) -> None:
    outcome = Sandbox(limits=Limits(seconds=1.5, cpu_seconds=1, output_bytes=100)).run(code)
    assert outcome.end in ends
    assert outcome.stopped
    assert len(outcome.output) <= 100
    assert psutil.Process().children(recursive=True) == []


@needs_bwrap
@pytest.mark.parametrize("target", ["1", "os.getppid()", "-1"])
def test_killing_others_reaches_nobody_outside(target: str) -> None:
    SANDBOX.run(f"import os; os.kill({target}, 9)")
    assert SANDBOX.run("print('alive')").output == "alive\n"


@needs_bwrap
def test_the_scratch_is_small_private_and_gone_afterwards() -> None:
    fill = "import os\nfor n in range(99):\n    with open(f'f{n}', 'wb') as file: file.write(bytes(2**20))"
    outcome = SANDBOX.run(fill)
    assert (outcome.end, "No space left on device" in outcome.output) == (End.FAILED, True)
    assert SANDBOX.run("import os; print(os.getcwd(), os.listdir())").output == "/scratch []\n"
    assert "File too large" in SANDBOX.run(f"open('f', 'wb').write(bytes({5 * MIB}))").output


@needs_bwrap
def test_it_runs_as_nobody_without_capabilities() -> None:
    code = LIBC + "print(os.getuid(), os.getgid(), libc.prctl(39, 0, 0, 0, 0), libc.prctl(23, 21, 0, 0, 0))"
    # PR_GET_NO_NEW_PRIVS, and PR_CAPBSET_READ of CAP_SYS_ADMIN.
    assert SANDBOX.run(code).output == "65534 65534 1 0\n"


@needs_bwrap
def test_it_dies_with_whoever_called_it(tmp_path: Path) -> None:
    marker = tmp_path / "inside"
    code = f"import time  # {marker}\nprint('began', flush=True)\ntime.sleep(600)"
    program = f"from jobs.agents.sandbox import Limits, Sandbox\nSandbox(limits=Limits(seconds=600)).run({code!r})"
    caller = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        deadline = time.monotonic() + 60
        while not (inside := psutil.Process(caller.pid).children(recursive=True)):
            assert time.monotonic() < deadline
    finally:
        caller.kill()
        caller.wait()
    psutil.wait_procs(inside, timeout=60)
    assert [each for each in inside if each.is_running()] == []


def test_without_bubblewrap_it_says_what_installs_it() -> None:
    with pytest.raises(MissingError, match=r"no-bwrap: not installed; `make sandbox` installs bubblewrap"):
        Sandbox(limits=LIMITS, program="no-bwrap").require()


def test_where_no_sandbox_can_be_made_it_says_why(tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(MissingError, match=r"makes no sandbox here: bwrap: setting up uid map: Permission denied"):
        Sandbox(limits=LIMITS, program=str(fake)).require()


def test_a_machine_whose_calls_are_not_known_gets_no_sandbox() -> None:
    with pytest.raises(MissingError, match=r"riscv64: no sandbox for such a machine; there is one for x86_64, aarch64"):
        seccomp_filter("riscv64")


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_has_two_instructions_a_call(machine: str) -> None:
    column = MACHINES[machine][0]
    known = [numbers for numbers in DENIED.values() if numbers[column] is not None]
    assert len(seccomp_filter(machine)) == 8 * (7 + 2 * len(known))
    assert len({numbers[column] for numbers in known}) == len(known)


def test_what_runs_first_inside_needs_nothing_of_ours() -> None:
    text = (ROOT / "jobs" / "agents" / "inside.py").read_text()
    assert set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)) == {"json", "resource", "sys"}
    asked = {"code": "print(inputs)", "inputs": {"a": 1}, "limits": {"RLIMIT_CORE": 0}}
    done = subprocess.run([sys.executable, "-I", "-c", text], input=json.dumps(asked), capture_output=True, text=True)
    assert done.stdout == "{'a': 1}\n"
