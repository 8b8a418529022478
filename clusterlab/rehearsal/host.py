"""A host: a sandbox of this machine with its own root, processes, name and network, reached by ssh.

It stands for a machine of a cloud or of a computing centre in a rehearsal. It is no wall against an attacker: its root
user is this machine's.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clusterlab.errors import ClusterlabError

TOOLS = {"ip": "iproute2", "nsenter": "util-linux", "chroot": "coreutils"}
SCRIPT = Path(__file__).with_name("host.sh")
BRIDGE = "cloud0"
GATEWAY = "10.77.0.1"
"""The address of this side of the network that joins the hosts."""
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Of RFC 1918: whichever of its addresses a class has for its network, its hosts are on this one bridge."""
METADATA = "169.254.169.254"
"""Where a machine of a cloud asks about itself."""
PUBLIC_NETWORK = "203.0.113"
"""TEST-NET-3 of RFC 5737: addresses that nobody on the internet has."""


def make_network() -> None:
    """Make the bridge that joins the hosts, in the network namespace that this process is in."""
    _ip(
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"address add {GATEWAY}/16 dev {BRIDGE}",
        f"address add {METADATA}/32 dev {BRIDGE}",
        f"link set {BRIDGE} up",
        *(f"route add {network} dev {BRIDGE}" for network in (*PRIVATE_NETWORKS, f"{PUBLIC_NETWORK}.0/24")),
    )


@dataclass(kw_only=True)
class Host:
    """One host; its disk stays when it is stopped, and goes with `remove`."""

    name: str
    folder: Path
    layers: Sequence[Path]
    """Of its root, the upper ones first; they are only read."""
    address: str
    """In one of `PRIVATE_NETWORKS`."""
    start_script: str
    """What it runs, as root; the host ends with it."""
    public_address: str | None = None
    shared: Mapping[str, Path] = field(default_factory=dict)
    """Name of a folder of its root, to the folder of this machine that is mounted there."""
    neighbours: Mapping[str, str] = field(default_factory=dict)
    """Names that it knows, with their addresses."""
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Boot it; a second start finds the disk of the first."""
        for name in ("upper", "work", "root", "shared"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._write_files()
        self._plug_in()
        command = [
            *("nsenter", f"--net=/run/netns/{self.name}"),
            *("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--propagation=private"),
            *("bash", str(SCRIPT), ":".join(map(str, self.layers)), str(self.folder), self.name),
        ]
        with (self.folder / "log").open("ab") as log:
            # Of its own session, so that a Ctrl-C at the terminal is not the power cut of all hosts.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        """Cut its power; every process of it ends at once."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None
        _ip(f"netns delete {self.name}")

    def remove(self) -> None:
        """Stop it and delete its disk."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def running(self) -> bool:
        """Whether it has power."""
        return self._process is not None and self._process.poll() is None

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in it as its root user, past ssh.

        Raises:
            ClusterlabError: it has no power.
        """
        if not self.running or self._process is None:
            raise ClusterlabError(f"host {self.name}: not running")
        first = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0]
        enter = ["nsenter", "--target", first, "--mount", "--uts", "--ipc", "--net", "--pid"]
        root = ["chroot", str(self.folder / "root")]
        return subprocess.run([*enter, *root, *command], capture_output=True, text=True, check=check)

    def _write_files(self) -> None:
        known = {"localhost": "127.0.0.1", self.name: self.address} | dict(self.neighbours)
        (self.folder / "hosts").write_text("".join(f"{address} {name}\n" for name, address in known.items()))
        (self.folder / "start").write_text(self.start_script)
        for name, source in self.shared.items():
            link = self.folder / "shared" / name
            link.unlink(missing_ok=True)
            link.symlink_to(source)

    def _plug_in(self) -> None:
        # The name of a link has 15 letters at most, and names of hosts may begin alike.
        outside = f"v{self.name[-12:]}"
        _ip(
            f"netns add {self.name}",
            f"link add {outside} type veth peer name eth0 netns {self.name}",
            f"link set {outside} master {BRIDGE} up",
        )
        _ip(
            "link set lo up",
            f"address add {self.address}/32 dev eth0",
            *([f"address add {self.public_address}/32 dev eth0"] if self.public_address else []),
            "link set eth0 up",
            *(f"route add {network} dev eth0" for network in PRIVATE_NETWORKS),
            f"route add {METADATA} via {GATEWAY}",
            inside=self.name,
        )


def _ip(*lines: str, inside: str | None = None) -> None:
    command = ["ip", *(["-netns", inside] if inside else []), "-batch", "-"]
    result = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False)
    if result.returncode:
        raise ClusterlabError(f"network: `ip {'; '.join(lines)}`: {result.stderr.strip()}")
