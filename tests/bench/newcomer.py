"""Time the README's two commands where a newcomer types them: in a bare Debian, as a user who is nobody in particular.

python -m tests.bench newcomer

The Debian has what the README asks for. Of this machine it has the network, the certificates and the folder where pip
finds the CPU build of torch; no cache, no environment and no setting. What was said is kept, to be read:
`.cache/newcomer/`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from clusterlab.rehearsal.image import SUITE, mirror
from tests.bench.figure import ROOT, Figure

PACKAGES = (
    *("ca-certificates", "python3", "python3-venv", "make", "gcc", "libc6-dev"),
    *("curl", "git", "openssh-client", "rsync"),
    # Every Debian has it but the least of all, which this begins with.
    "procps",
)
USER, HOME = "newcomer", Path("/home/newcomer")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
LOGS = ROOT / ".cache" / "newcomer"
LINES = 30
"""Of what a command said that failed."""
PLACE = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS") or ""
"""`make` sets it, from pip's settings."""


def newcomer() -> list[Figure]:
    """`make demo` and `make test` in a bare Debian, with all that they download and make first."""
    if os.geteuid() != 0:
        return [Figure(what="The README's two commands", measured="not measured: needs root", wanted="", met=False)]
    with tempfile.TemporaryDirectory(prefix="newcomer-") as folder:
        root = Path(folder) / "root"
        _make_debian(root)
        LOGS.mkdir(parents=True, exist_ok=True)
        demo, test = (_seconds(root, command) for command in ("demo", "test"))
    return [
        _figure("`make demo`", demo, minutes=2),
        _figure("`make test` after it", test, minutes=30),
    ]


def _figure(what: str, seconds: float, *, minutes: int) -> Figure:
    return Figure(
        what=f"{what} in a bare Debian ({SUITE}), with no root and the environments that it makes",
        measured=f"{seconds / 60:.1f} min",
        wanted=f"at most {minutes} min on 2 cores",
        met=seconds <= minutes * 60,
    )


def _make_debian(root: Path) -> None:
    packages = f"--include={','.join(PACKAGES)}"
    _run("mmdebstrap", "--quiet", "--variant=minbase", packages, SUITE, str(root), mirror())
    shutil.copy(os.environ.get("SSL_CERT_FILE", CERTIFICATES), root / CERTIFICATES[1:])
    for name in ("resolv.conf", "hosts"):
        shutil.copy(Path("/etc", name), root / "etc")
    _run("chroot", str(root), "useradd", "--create-home", f"--home-dir={HOME}", "--shell=/bin/bash", USER)
    clone = root / str(HOME)[1:] / "clusterlab"
    _run("git", "clone", "--quiet", str(ROOT), str(clone))
    _run("chroot", str(root), "chown", "--recursive", f"{USER}:{USER}", str(HOME))


def _seconds(root: Path, target: str) -> float:
    """Have a target of the Makefile made in there, by whom it belongs to.

    Raises:
        RuntimeError: it failed; the last lines that it said are in the message.
    """
    known = {"HOME": str(HOME), "USER": USER, "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    known |= {"SSL_CERT_FILE": CERTIFICATES, "PIP_CERT": CERTIFICATES, "PIP_FIND_LINKS": PLACE}
    variables = [f"{name}={value}" for name, value in known.items()]
    make = ["make", "--no-print-directory", f"--directory={HOME}/clusterlab", target]
    # A session of its own, which every login has.
    become = ["setsid", "--wait", "chroot", f"--userspec={USER}:{USER}", str(root), "env", "-i", *variables, *make]
    mounts = ["mount -t proc proc {at}/proc", "mount --rbind /dev {at}/dev", "mount --rbind /sys {at}/sys"]
    if Path(PLACE).is_absolute():
        mounts += ["mkdir --parents {at}{place}", "mount --bind {place} {at}{place}"]
    lines = [each.format(at=shlex.quote(str(root)), place=shlex.quote(PLACE)) for each in mounts]
    script = "\n".join([*lines, f"exec {shlex.join(become)}"])
    log = LOGS / f"{target}.log"
    began = time.perf_counter()
    with log.open("wb") as output:
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-ec", script]
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False).returncode
    if code:
        said = "\n".join(log.read_text(errors="replace").splitlines()[-LINES:])
        raise RuntimeError(f"make {target} ended with {code}; the whole output is in {log}\n{said}")
    return time.perf_counter() - began


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
