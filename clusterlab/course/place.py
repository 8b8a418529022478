"""Where a class keeps what was made for it, `classes/<course>/`, which nobody but the instructor may read.

Students' folders lie in it by their names. A student's name has no dot, so whatever else lies there has one.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clusterlab.errors import ClusterlabError, StorageError

FOLDER = Path("classes")
"""In the repository, and not in git."""
OWN_FOLDER, OWN, SHOWN = 0o700, 0o600, 0o644
"""Of a folder, of a file with a secret in it, and of one that students are shown."""
LOCK = ".lock"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The folder of one class."""

    folder: Path

    @classmethod
    def of(cls, root: Path, course: str) -> Place:
        """That of a class in the repository at `root`."""
        return cls(folder=root / FOLDER / course)

    def of_student(self, student: str) -> Path:
        """A student's folder."""
        return self.folder / student

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder, and keep it to this process; the system lets go of it when the process ends.

        Raises:
            StorageError: it cannot be made or written.
            ClusterlabError: another process is at work in it.
        """
        make_folder(self.folder)
        path = self.folder / LOCK
        try:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, OWN), "w")
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                told = "another `clusterlab class up` is at work here; wait for its end"
                raise ClusterlabError(f"{self.folder}: {told}") from error
            yield


def class_folder(course: str, root: Path) -> Path:
    """The folder of a class in the repository at `root`, made where it is missing.

    Raises:
        StorageError: it cannot be made.
    """
    folder = Place.of(root, course).folder
    make_folder(folder)
    return folder


def make_folder(path: Path) -> bool:
    """Make a folder that is its owner's alone; whether it was not there.

    Raises:
        StorageError: a file is in the way, or it cannot be made.
    """
    there = path.is_dir()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=OWN_FOLDER, exist_ok=True)
        # The process may have a mask, and somebody may have opened it.
        path.chmod(OWN_FOLDER)
    except FileExistsError as error:
        raise StorageError(f"{error.filename}: a file is in the way; allowed: a folder, or nothing") from error
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be made: {error.strerror}") from error
    return not there


def read(path: Path) -> str | None:
    """What a file says; None where there is none.

    Raises:
        StorageError: it is there and cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StorageError(f"{path}: cannot be read: it is no text") from error


def write(path: Path, text: str, *, mode: int) -> bool:
    """Have a file say this, whole or not at all, with this mode from its first byte; whether it said another.

    What a killed process left beside it is written over, so that nothing stays of it.

    Raises:
        StorageError: it cannot be read or written.
    """
    if read(path) == text:
        _close(path, mode)
        return False
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.chmod(mode)
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
    return True


def remove(path: Path) -> None:
    """Have a file be gone.

    Raises:
        StorageError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{path}: cannot be removed: {error.strerror}") from error


def _close(path: Path, mode: int) -> None:
    """Whoever copies a folder about may have opened what is in it."""
    try:
        if path.stat().st_mode & 0o777 & ~mode:
            path.chmod(mode)
    except OSError as error:
        raise StorageError(f"{path}: cannot be closed to others: {error.strerror}") from error
