"""What a job needs of the repository, packed under the digest of its content: what Ray has is not sent again."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterlab.errors import InputError, MissingError, Problem
from clusterlab.submission.jobs_api import JobsApi

MAX_BYTES = 64 * 2**20
"""Of all files; Ray itself takes 512 MiB, and keeps each package in its head's memory."""
NUM_NAMED = 5
NOT_PACKED = ("tests/", "docs/", "runs/", "classes/", "shared/")
"""Folders of the repository that no node needs."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip can say: the same files are then the same package, whenever they were written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """The files of a repository."""

    root: Path
    files: tuple[Path, ...]
    """By path from the root, in order."""
    digest: str
    """SHA-256 over names, modes and contents."""

    @classmethod
    def of(cls, root: Path) -> Package:
        """The files that git has or would take, without those that no node needs.

        Raises:
            InputError: it is no repository of git's, or its files are too big.
            MissingError: there is no git.
        """
        files = tuple(path for path in _listed(root) if not path.as_posix().startswith(NOT_PACKED))
        _check_size(root, files)
        digest = hashlib.sha256()
        for path in files:
            content = (root / path).read_bytes()
            digest.update(f"{path.as_posix()}\0{_mode(root / path)}\0{len(content)}\0".encode() + content)
        return cls(root=root, files=files, digest=digest.hexdigest())

    @property
    def name(self) -> str:
        """As Ray's store has it."""
        return f"_ray_pkg_{self.digest[:40]}.zip"

    @property
    def uri(self) -> str:
        """As a runtime environment names it."""
        return f"gcs://{self.name}"

    def send(self, api: JobsApi) -> bool:
        """Upload it unless it is there; whether it was uploaded."""
        if api.has_package(self.name):
            return False
        api.upload_package(self.name, self.content())
        # Asked for, it is kept until a job has it.
        api.has_package(self.name)
        return True

    def content(self) -> bytes:
        """As a zip."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for path in self.files:
                info = zipfile.ZipInfo(path.as_posix(), EPOCH)
                info.external_attr = _mode(self.root / path) << 16
                archive.writestr(info, (self.root / path).read_bytes(), zipfile.ZIP_DEFLATED)
        return packed.getvalue()


def _listed(root: Path) -> Iterator[Path]:
    """Tracked files, and those that are neither tracked nor ignored; what is deleted and what leads outside is not."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise MissingError("git: not installed; `sudo apt-get install git` installs it") from None
    except subprocess.CalledProcessError as error:
        message = f"not a repository of git's, which says what a job needs: {error.stderr.decode().strip()}"
        raise InputError(Problem(path=str(root), message=message)) from error
    inside = root.resolve()
    for name in sorted(set(listed.split(b"\0")) - {b""}):
        path = Path(os.fsdecode(name))
        if (root / path).is_file() and (root / path).resolve().is_relative_to(inside):
            yield path


def _check_size(root: Path, files: tuple[Path, ...]) -> None:
    sizes = {path: (root / path).stat().st_size for path in files}
    total = sum(sizes.values())
    if total <= MAX_BYTES:
        return
    biggest = sorted(files, key=lambda path: -sizes[path])[:NUM_NAMED]
    named = ", ".join(f"{path} ({sizes[path] / 2**20:.1f} MiB)" for path in biggest)
    message = f"{total / 2**20:.0f} MiB would be sent; allowed: {MAX_BYTES >> 20} MiB; .gitignore leaves out"
    raise InputError(Problem(path=str(root), message=f"{message}, and the biggest are {named}"))


def _mode(path: Path) -> int:
    """As git has it: a program or not."""
    return 0o100755 if os.access(path, os.X_OK) else 0o100644
