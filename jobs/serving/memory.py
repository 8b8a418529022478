"""What a server takes of its machine, with all processes that it consists of."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from clusterlab.local.keeper import descendants

PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def host_gib(pid: int) -> float:
    """GiB of the host's memory that the descendants of a process take; what several share counts once (Linux: PSS)."""
    return sum(map(_pss, descendants(pid))) / 2**30


def gpu_gib() -> float | None:
    """GiB that are taken of the GPUs that this process may use; None where the driver has none."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    which = [f"--id={visible}"] if visible else []
    command = ["nvidia-smi", *which, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return sum(map(float, said.split())) / 2**10
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None


def _pss(pid: int) -> int:
    """In bytes; 0 of a process that has ended meanwhile."""
    try:
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0
    return int(found.group(1)) * 1024 if found else 0
