"""A student's SSH key: an ed25519 pair that `ssh-keygen` makes once, and that nothing here ever writes over."""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
from pathlib import Path

from clusterlab.course.place import OWN, SHOWN, make_folder, read, write
from clusterlab.errors import ClusterlabError, InputError, MissingError, Problem, StorageError

PRIVATE_KEY, PUBLIC_KEY = "id_ed25519", "id_ed25519.pub"
BESIDE = ".key.partial"
PROGRAM = "ssh-keygen"
INSTALL = "apt-get install openssh-client"
MAGIC = b"openssh-key-v1\0"
"""How OpenSSH's private keys begin (PROTOCOL.key of openssh-portable)."""
BEFORE_THE_KEY = 3
"""Cipher, key derivation and its options, each with its length; then comes how many keys there are."""
MARKS = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----")


def lacks_key(folder: Path) -> bool:
    """Whether a student's folder has no private key."""
    return not (folder / PRIVATE_KEY).exists()


def check_installed() -> None:
    """See to it that keys can be made.

    Raises:
        MissingError: they cannot.
    """
    if shutil.which(PROGRAM) is None:
        raise MissingError(f"{PROGRAM}: not installed; `{INSTALL}` installs it")


def make_key(folder: Path, comment: str) -> bool:
    """Have a folder hold a pair of keys: made where there is none, and the public one of the private where it lacks.

    Returns:
        Whether anything was made.

    Raises:
        InputError: what lies there is no private key of OpenSSH's.
        StorageError: the folder cannot be written.
    """
    made = lacks_key(folder)
    _discard(folder / BESIDE)
    if made:
        _generate(folder, comment)
        _discard(folder / BESIDE)
    path = folder / PRIVATE_KEY
    blob = public_blob(path)
    old = (read(folder / PUBLIC_KEY) or "").split()
    if len(old) < 2 or old[1] != blob:
        made = write(folder / PUBLIC_KEY, f"ssh-ed25519 {blob} {comment}\n", mode=SHOWN)
    write(path, read(path) or "", mode=OWN)
    return made


def public_blob(path: Path) -> str:
    """The public key that stands in a file of a private one, as `authorized_keys` has it; no passphrase is needed.

    Raises:
        InputError: it is no private key of OpenSSH's.
        StorageError: it cannot be read.
    """
    lines = (read(path) or "").split("\n")
    try:
        data = base64.b64decode("".join(lines[lines.index(MARKS[0]) + 1 : lines.index(MARKS[1])]), validate=True)
        if not data.startswith(MAGIC):
            raise ValueError(MAGIC)
        rest = data[len(MAGIC) :]
        for _ in range(BEFORE_THE_KEY):
            _, rest = _field(rest)
        return base64.b64encode(_field(rest[4:])[0]).decode()
    except (ValueError, binascii.Error) as error:
        message = "no private key of OpenSSH's; move it away, and the same command makes another"
        raise InputError(Problem(path=str(path), message=message)) from error


def _field(data: bytes) -> tuple[bytes, bytes]:
    """What a length stands before, and the rest."""
    length = int.from_bytes(data[:4])
    if len(data) < 4 or len(data) < 4 + length:
        raise ValueError(length)
    return data[4 : 4 + length], data[4 + length :]


def _generate(folder: Path, comment: str) -> None:
    """In a folder beside, so that a killed process leaves no half of a key where a key belongs."""
    beside = folder / BESIDE
    make_folder(beside)
    command = [PROGRAM, "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(beside / PRIVATE_KEY)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError as error:
        raise MissingError(f"{PROGRAM}: not installed; `{INSTALL}` installs it") from error
    if ended.returncode:
        told = " ".join((ended.stderr or ended.stdout).split())
        raise ClusterlabError(f"{folder / PRIVATE_KEY}: {PROGRAM} ended with {ended.returncode}: {told}")
    try:
        (beside / PRIVATE_KEY).rename(folder / PRIVATE_KEY)
    except OSError as error:
        raise StorageError(f"{folder / PRIVATE_KEY}: cannot be made: {error.strerror}") from error


def _discard(beside: Path) -> None:
    """What a killed process left beside, or the public key of a pair of which the private one went where it belongs."""
    try:
        if beside.is_dir():
            shutil.rmtree(beside)
    except OSError as error:
        raise StorageError(f"{beside}: cannot be removed: {error.strerror}") from error
