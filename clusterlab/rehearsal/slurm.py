"""A Slurm of our own for a rehearsal: a login machine that is the controller, and two nodes; real, but for the GPUs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clusterlab.errors import ClusterlabError
from clusterlab.rehearsal.host import Host
from clusterlab.rehearsal.image import USER
from clusterlab.slurm.centre import Centre, Login

SITE = Path(__file__).with_name("site")
"""What its administrator installs on every machine."""
LOGIN = "login"
ADDRESSES = {LOGIN: "10.77.0.10", "n1": "10.77.0.11", "n2": "10.77.0.12"}
GPUS_PER_NODE = 8
PARTITION = "batch"
"""Of a centre that names none."""
JOB_RECORDS = "/var/log/slurm/jobs"
"""As `site/record-job` writes them: what `scontrol show job` says, one line for each job that has ended."""
READY_SECONDS = 60

_MUNGE = "mkdir -p /run/munge; chown munge: /run/munge; runuser -u munge -- munged"
_NODE = f"""
{_MUNGE}
exec slurmd -D
"""
_CONTROLLER = f"""
{_MUNGE}
mkdir -p /home/{USER}/.ssh
cp /etc/slurm/key.pub /home/{USER}/.ssh/authorized_keys
chown -R {USER}: /home/{USER}
chmod 700 /home/{USER} /home/{USER}/.ssh
ssh-keygen -A -q
printf 'UsePAM no\\nPasswordAuthentication no\\nMaxSessions 100\\nMaxStartups 100\\nSubsystem sftp internal-sftp\\n' \\
  > /etc/ssh/sshd_config
slurmctld -D &
/usr/sbin/sshd -D -e &
wait -n
"""


@dataclass(kw_only=True)
class LocalSlurm:
    """A centre on this machine, as `centre` says but for where it is; `start` it in the namespaces of a rehearsal."""

    folder: Path
    """Where the disks of its machines lie."""
    layers: Sequence[Path]
    centre: Centre
    accelerator: str
    """By SkyPilot's name: of which each node has `GPUS_PER_NODE`."""
    hosts: dict[str, Host] = field(default_factory=dict)

    @property
    def here(self) -> Centre:
        """The centre, with the login machine of this one."""
        login = Login(host=ADDRESSES[LOGIN], port=22, user=USER, identity_file=str(self.folder / "key"))
        return replace(self.centre, login=login, shared_folder=None)

    def start(self) -> None:
        """Boot it, and wait until both nodes are idle.

        Raises:
            ClusterlabError: they are not within `READY_SECONDS`, with what the machines said.
        """
        self._write_site()
        for name, address in ADDRESSES.items():
            self.hosts[name] = Host(
                name=name,
                folder=self.folder / name,
                layers=[self.folder / "site", *self.layers],
                address=address,
                start_script=_CONTROLLER if name == LOGIN else _NODE,
                shared={"home": self._shared_home()},
                neighbours={other: at for other, at in ADDRESSES.items() if other != name},
            )
            self.hosts[name].start()
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait for both nodes.

        Raises:
            ClusterlabError: a machine ended, or they are not idle within `READY_SECONDS`.
        """
        nodes = sorted(name for name in ADDRESSES if name != LOGIN)
        deadline = time.monotonic() + READY_SECONDS
        states = ""
        while time.monotonic() < deadline:
            dead = [name for name, host in self.hosts.items() if not host.running]
            if dead:
                raise ClusterlabError(f"slurm: {', '.join(dead)} ended: {self._said(dead)}")
            states = self.hosts[LOGIN].run("sinfo", "-hN", "-o", "%N %t", check=False).stdout
            if sorted(states.splitlines()) == [f"{node} idle" for node in nodes]:
                return
            time.sleep(0.2)
        seen = ", ".join(states.splitlines()) or "the controller does not answer"
        raise ClusterlabError(f"slurm: not ready within {READY_SECONDS} s: {seen}: {self._said(list(ADDRESSES))}")

    def stop(self) -> None:
        """Cut the power of all its machines, and delete their disks."""
        for host in self.hosts.values():
            host.remove()
        self.hosts.clear()

    def ask(self, *command: str) -> str:
        """What a command of Slurm prints on the login machine.

        Raises:
            ClusterlabError: it failed.
        """
        result = self.hosts[LOGIN].run(*command, check=False)
        if result.returncode:
            raise ClusterlabError(f"slurm: `{' '.join(command)}`: {result.stderr.strip()[-300:]}")
        return result.stdout

    def describe(self) -> str:
        """What it is, by its own word."""
        version = self.ask("sinfo", "--version").strip()
        shapes = set(self.ask("sinfo", "-hN", "-o", "%c CPUs, %m MiB, %G").splitlines())
        return f"{version}; {len(ADDRESSES) - 1} nodes of {'; '.join(sorted(shapes))}"

    def job_records(self) -> str:
        """Slurm's own record of the jobs that have ended."""
        return self.hosts[LOGIN].run("cat", JOB_RECORDS, check=False).stdout

    def configuration(self, name: str) -> str:
        """A file of its configuration, filled in."""
        text = (SITE / name).read_text().replace("@PARTITION@", self.centre.partition or PARTITION)
        return text.replace("@GPU@", self.accelerator.lower())

    def _shared_home(self) -> Path:
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        return home

    def _write_site(self) -> None:
        site, key = self.folder / "site", self.folder / "key"
        slurm = site / "etc" / "slurm"
        for folder in (slurm, site / "usr/local/bin", site / "usr/local/lib"):
            folder.mkdir(parents=True)
        for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
            (slurm / name).write_text(self.configuration(name))
        for number in range(GPUS_PER_NODE):
            os.mknod(slurm / f"gpu{number}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        for name in ("task-prolog", "record-job"):
            shutil.copy(SITE / name, slurm)
        shutil.copy(SITE / "uv", site / "usr/local/bin")
        shutil.copy(_uv(self.layers), site / "usr/local/lib/uv")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        shutil.copy(key.with_suffix(".pub"), slurm / "key.pub")

    def _said(self, names: Sequence[str]) -> str:
        """The last lines of the machines' logs."""
        logs = {name: (self.folder / name / "log").read_text(errors="replace").splitlines() for name in names}
        return "; ".join(f"{name}: {' / '.join(lines[-3:]) or 'nothing'}" for name, lines in logs.items())


def _uv(layers: Sequence[Path]) -> Path:
    """The uv of the image, whose home folder lies below the shared one here."""
    return next(path for layer in layers if (path := layer / f"home/{USER}/.local/bin/uv").exists())
