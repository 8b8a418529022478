"""Run a command apart from the machine, in namespaces that the kernel takes away with it.

python -m clusterlab.rehearsal.apart -- ip address

The command gets process, mount, network, host name and IPC namespaces of its own. Whatever it starts, mounts or listens
on is in these, so nothing of it outlives the command: the kernel ends a process namespace with its first process, and
that one ends when its owner dies, however it dies. Nothing in there can reach a network: it has a loopback and no more.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

TOOLS = {"unshare": "util-linux", "setpriv": "util-linux"}
"""Programs that this needs, with the Debian package of each."""


def start_apart(command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command in namespaces of its own; needs root.

    Killing the process that is returned ends everything in there. It hears a Ctrl-C at the terminal itself.
    """
    return subprocess.Popen(
        [
            *("setpriv", "--pdeathsig=KILL"),
            *("unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc"),
            *(sys.executable, "-I", __file__, "--", *command),
        ],
        cwd=cwd,
        env=env,
    )


def main(arguments: Sequence[str]) -> int:
    """Be the first process in there: start the command, and collect every process that ends, as an init does."""
    separator, *command = arguments
    if separator != "--" or not command:
        print("usage: python -m clusterlab.rehearsal.apart -- COMMAND", file=sys.stderr)
        return 2
    if os.getpid() != 1:
        return start_apart(command, cwd=Path.cwd(), env=os.environ).wait()
    # A signal without a handler does not reach the first process of a namespace, and the terminal's goes to all.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(command, preexec_fn=_heed_interrupts)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
