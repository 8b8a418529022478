"""A run's small files on their way back: the node prints them as one line, which whoever follows the job takes out.

A node's disk is nobody's to read through Ray, and its output comes back from any node.
"""

from __future__ import annotations

import base64
import binascii
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from clusterlab.errors import StorageError

VARIABLE = "CLUSTERLAB_SEND_RESULTS"
"""Set where the node is to print them."""
MARK = "clusterlab-results: "
"""How their line begins."""
MAX_BYTES = 32 * 2**20
"""Of all that goes in one line; the smallest go first."""


def to_line(files: Mapping[str, bytes]) -> str:
    """Files by relative path as one line; those that would make it too long are left out."""
    packed, total = io.BytesIO(), 0
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as archive:
        for name, content in sorted(files.items(), key=lambda item: len(item[1])):
            total += len(content)
            if total > MAX_BYTES:
                break
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return MARK + base64.b64encode(packed.getvalue()).decode()


def is_line(line: str) -> bool:
    """Whether it carries files."""
    return line.startswith(MARK)


def from_line(line: str) -> dict[str, bytes]:
    """The files of a line; none of one that was torn, or that is no line of ours."""
    try:
        packed = base64.b64decode(line.strip().removeprefix(MARK), validate=True)
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            found = {each.name: archive.extractfile(each) for each in archive if each.isfile()}
            return {name: file.read() for name, file in found.items() if file is not None and _inside(name)}
    except (binascii.Error, tarfile.TarError, EOFError, OSError):
        return {}


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write what came from another disk.

    Raises:
        StorageError: the folder cannot be written.
    """
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written: {error.strerror}") from error


def _inside(name: str) -> bool:
    """Whether a name leads nowhere else: what a node says is not trusted."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and bool(path.parts)
