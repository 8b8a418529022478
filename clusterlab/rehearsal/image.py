"""The image of a host: layers of files, each baked once and kept by what went into it.

Three layers lie on each other: `system` is Debian with an ssh server, Slurm and the tools that SkyPilot calls; `sky` is
what SkyPilot installs on every node, from images/node.lock; `train` is the environment of the jobs, from
images/train.lock. On real machines SkyPilot and `make env` install the same from the package index; here that happens
once, while baking, and the hosts have no network. A layer's name is the digest of all that decides its content.
"""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clusterlab.errors import ClusterlabError, MissingError
from clusterlab.fingerprint import digest_file, fingerprint
from clusterlab.lock import locked

TOOLS = {"mmdebstrap": "mmdebstrap", "unshare": "util-linux", "chroot": "coreutils"}
SUITE = "bookworm"
"""Debian 12: its Python is the 3.11 that the locks were made for."""
PACKAGES = (
    *("ca-certificates", "curl", "fuse3", "git", "iproute2", "make", "munge", "netcat-openbsd", "openssh-client"),
    *("openssh-server", "patch", "procps", "psmisc", "python3", "python3-venv", "rsync", "screen"),
    *("slurm-wlm", "socat", "sudo", "tini"),
)
MAX_UNUSED_SECONDS = 30 * 24 * 3600
USER = "ubuntu"
"""Whom SkyPilot logs in as on AWS."""
MIRROR = "CLUSTERLAB_DEBIAN_MIRROR"
"""The environment variable with the address of a Debian mirror, where this machine's own is not Debian's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A folder of files, and what they are made of."""

    name: str
    digest: str

    @property
    def folder_name(self) -> str:
        """Where it lies below the folder of all layers."""
        return f"{self.name}-{self.digest[:16]}"


def layers(root: Path) -> list[Layer]:
    """What the image of the repository at `root` consists of, the lowest first."""
    chroot = inspect.getsource(_in_chroot)
    system = fingerprint([SUITE, PACKAGES, inspect.getsource(_bake_system)])
    sky = fingerprint([system, digest_file(root / "images/node.lock"), inspect.getsource(_bake_sky), chroot])
    train = fingerprint([sky, digest_file(root / "images/train.lock"), inspect.getsource(_bake_train), chroot])
    return [Layer(name="system", digest=system), Layer(name="sky", digest=sky), Layer(name="train", digest=train)]


def bake(root: Path, store: Path, *, announce: Callable[[str], None]) -> list[Path]:
    """Make the layers that are not there yet.

    Args:
        root: The repository.
        store: The folder of all layers; two that bake at once wait for each other.
        announce: Told what is baked, before it takes its minute.

    Returns:
        The layers' folders, the upper ones first, as an overlay takes them.

    Raises:
        ClusterlabError: a package could not be had; what its program said is in the message.
    """
    below: list[Path] = []
    recipes = {"system": _bake_system, "sky": _bake_sky, "train": _bake_train}
    store.mkdir(parents=True, exist_ok=True)
    with locked(store / ".lock", wait=True):
        for layer in layers(root):
            folder = store / layer.folder_name
            if not folder.exists():
                announce(f"image: baking the layer `{layer.name}`, once")
                scratch = _fresh(store / f".{layer.folder_name}")
                recipes[layer.name](root, scratch, below)
                (scratch / "files").replace(folder)
                shutil.rmtree(scratch)
            folder.touch()  # In use.
            below.insert(0, folder)
        _forget_unused(store)
    return below


def _bake_system(_root: Path, scratch: Path, _below: Sequence[Path]) -> None:
    _run(
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        SUITE,
        "files",
        mirror(),
        cwd=scratch,
    )
    files = scratch / "files"
    # No systemd runs in a host; who asks it for something is told that it is done.
    systemctl = files / "usr/bin/systemctl"
    systemctl.write_text("#!/bin/sh\nexit 0\n")
    systemctl.chmod(0o755)
    # 'x' and not '!': sshd refuses an account that is locked, also to a key.
    _run("chroot", "files", "useradd", "--create-home", "--shell=/bin/bash", "--password=x", USER, cwd=scratch)
    sudoers = files / "etc/sudoers.d/clusterlab"
    sudoers.write_text(f"{USER} ALL=(ALL) NOPASSWD:ALL\n")
    sudoers.chmod(0o440)


def _bake_sky(root: Path, scratch: Path, below: Sequence[Path]) -> None:
    """SkyPilot's runtime where it looks for it, and the wheels of all that it may want to install again."""
    _download(root / "images/node.lock", scratch / "wheels")
    script = f"""
        cp -r /bake/wheels /opt/wheelhouse
        # The wheel of SkyPilot itself comes with each launch.
        rm /opt/wheelhouse/skypilot-*.whl
        mkdir -p /etc/uv
        printf 'offline = true\\nno-index = true\\nfind-links = ["/opt/wheelhouse"]\\n' > /etc/uv/uv.toml
        chmod -R a+rX /opt/wheelhouse
        grep -v '^skypilot==' /bake/lock > /tmp/lock
        cd /home/{USER}
        sudo -u {USER} -H bash -ec '
            python3 -m venv ~/skypilot-runtime
            ~/skypilot-runtime/bin/pip install --quiet --no-index --find-links /opt/wheelhouse --no-deps -r /tmp/lock
            mkdir -p ~/.local/bin ~/.sky/sky_app ~/sky_workdir
            cp ~/skypilot-runtime/bin/uv ~/.local/bin/uv
            python3 -m venv --system-site-packages ~/sky-user-env'
        ln -s /home/{USER}/skypilot-runtime/bin/rclone /usr/local/bin/rclone
        rm /tmp/lock
    """
    _in_chroot(script, scratch, below, lock=root / "images/node.lock")


def _bake_train(root: Path, scratch: Path, below: Sequence[Path]) -> None:
    """The jobs' environment where `make env` looks for a baked one."""
    requirements = root / ".venv/train/requirements.txt"
    if not requirements.exists():
        raise MissingError(f"{requirements}: missing; `make env` makes it")
    _download(requirements, scratch / "wheels")
    target = baked_environment(root)
    script = f"""
        python3 -m venv {target}
        /home/{USER}/.local/bin/uv pip install --quiet --python {target} --no-config --offline --no-index \
            --compile-bytecode --find-links /bake/wheels --no-deps --no-cache -r /bake/lock
    """
    _in_chroot(script, scratch, below, lock=requirements)


def baked_environment(root: Path) -> Path:
    """Where an image has the environment of images/train.lock; the Makefile's `env` looks there."""
    return Path(f"/opt/clusterlab/train-{digest_file(root / 'images/train.lock')[:12]}")


def _download(lock: Path, folder: Path) -> None:
    """Fetch every wheel of a lock; what has none is built."""
    python = sys.executable if _has_pip(sys.executable) else "python3"
    _run(
        python,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        f"--wheel-dir={folder}",
        f"--requirement={lock}",
        cwd=lock.parent,
    )


def _has_pip(python: str) -> bool:
    return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _in_chroot(script: str, scratch: Path, below: Sequence[Path], *, lock: Path) -> None:
    """Run a script as root on top of the layers below; what it writes becomes the layer's files.

    It runs in namespaces of its own, so it has no network, and its mounts end with it.
    """
    for name in ("files", "work", "root"):
        (scratch / name).mkdir()
    shutil.copy(lock, scratch / "lock")
    (scratch / "script").write_text(f"set -e\n{script}")
    mounts = f"""
        mount -t overlay overlay -o lowerdir={":".join(map(str, below))},upperdir=files,workdir=work root
        mount -t proc proc root/proc
        mount --rbind /dev root/dev
        mount -t tmpfs -o mode=1777 tmpfs root/tmp
        mkdir root/bake
        mount --bind . root/bake
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot root bash /bake/script
        umount root/bake
        rmdir root/bake
    """
    flags = ("--mount", "--net", "--pid", "--fork", "--kill-child")
    _run("unshare", *flags, "bash", "-ec", mounts, cwd=scratch)


def _run(*command: str, cwd: Path) -> None:
    result = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        raise ClusterlabError(f"image: {command[0]} failed: {result.stdout.strip()[-1500:]}")


def mirror() -> str:
    """The Debian mirror of this machine, so that one that stands near is used."""
    if MIRROR in os.environ:
        return os.environ[MIRROR]
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(CODENAME)", "Created-By: Packages"]
    with suppress(FileNotFoundError):
        for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():
            address, *about = line.split()
            if about == ["Debian", SUITE]:
                return address
    return "http://deb.debian.org/debian"


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _forget_unused(store: Path) -> None:
    """Delete layers that nobody has used for a month."""
    for folder in store.glob("[!.]*"):
        if time.time() - folder.stat().st_mtime > MAX_UNUSED_SECONDS:
            shutil.rmtree(folder)
