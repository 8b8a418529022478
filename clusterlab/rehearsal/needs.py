"""What a rehearsal needs of this machine: what is missing, and how to get it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from clusterlab.errors import MissingError
from clusterlab.rehearsal import apart, host, image

MIN_FREE_GIB = 6
"""For the image (about 3.5 GiB) and the disks of a few machines."""
TOOLS = apart.TOOLS | host.TOOLS | image.TOOLS | {"ssh": "openssh-client", "rsync": "rsync"}
"""Programs by their Debian package."""
ROOTS_PATH = "/usr/sbin:/sbin"
"""Where root finds some of them, and who is asked to become root does not look."""
_TRY_OVERLAY = (
    "mkdir lower upper work root && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root"
)


def require(folder: Path) -> None:
    """Check this machine, and change nothing of it.

    Args:
        folder: Where the image and the disks of the machines will lie; it is there already.

    Raises:
        MissingError: all that is missing, each with how to get it.
    """
    problems = list(missing(folder))
    if problems:
        raise MissingError("\n".join(f"rehearse: {problem}" for problem in problems))


def missing(folder: Path) -> Iterator[str]:
    """What is missing, one line each."""
    if sys.platform != "linux":
        yield "Linux is needed, for its namespaces; a virtual machine with it will do"
        return
    if os.geteuid() != 0:
        yield "root is needed, for namespaces and mounts; run it with sudo, or in a virtual machine of your own"
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), ROOTS_PATH))
    packages = {package for tool, package in TOOLS.items() if shutil.which(tool, path=places) is None}
    if packages:
        install = f"apt-get install --no-install-recommends {' '.join(sorted(packages))}"
        yield f"programs are missing; `{install}` installs them"
    for module in ("sky", "moto"):
        if not _can_import(module):
            yield f"the package {module} is missing beside this clusterlab; `make check` makes .venv/sky, which has it"
    free = shutil.disk_usage(folder).free / 2**30
    if free < MIN_FREE_GIB:
        yield f"{folder}: {free:.1f} GiB free; allowed: at least {MIN_FREE_GIB} (XDG_CACHE_HOME names another disk)"
    if os.geteuid() == 0 and "util-linux" not in packages:
        yield from _overlay(folder)


def _can_import(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def _overlay(folder: Path) -> Iterator[str]:
    """Whether namespaces and an overlay on this folder's disk can be had: tried out, and taken away again."""
    trial = folder / f".trial-{os.getpid()}"
    trial.mkdir()
    try:
        flags = ("--mount", "--net", "--pid", "--ipc", "--uts", "--fork")
        result = subprocess.run(
            ["unshare", *flags, "sh", "-c", _TRY_OVERLAY], cwd=trial, capture_output=True, text=True, check=False
        )
    finally:
        shutil.rmtree(trial)
    if result.returncode:
        said = result.stderr.strip().splitlines()[-1:]
        yield (
            f"{folder}: no namespaces or no overlay file system there ({' '.join(said)}); only a privileged container "
            "has them, and only a folder on a real disk (XDG_CACHE_HOME names another)"
        )
