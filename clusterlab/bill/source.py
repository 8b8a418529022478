"""Files of an export: found, checked to be whole, and known by their content."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from clusterlab.errors import InputError, Problem

CHUNK = 1 << 20
MAGIC = b"PAR1"
"""Parquet begins and ends with it."""


class Format(StrEnum):
    """How a file is written, by the end of its name."""

    CSV = ".csv"
    CSV_GZ = ".csv.gz"
    PARQUET = ".parquet"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One whole file of an export."""

    path: Path
    format: Format
    digest: str
    """SHA-256 of its content, decompressed where it is compressed."""

    @property
    def is_parquet(self) -> bool:
        """Whether it is Parquet; otherwise it is CSV, compressed or not."""
        return self.format is Format.PARQUET


def find_sources(paths: Iterable[Path]) -> list[Source]:
    """The files that are named, and those below the folders that are.

    Raises:
        InputError: a path that is not there, a folder without an export, or a file that is cut or there again.
    """
    problems: list[Problem] = []
    found: dict[str, Source] = {}
    for path in dict.fromkeys(file for given in paths for file in _files(given, problems)):
        try:
            source = Source(path=path, format=_format(path), digest=_digest(path))
        except InputError as error:
            problems += error.problems
            continue
        if source.digest in found:
            message = f"the same content as {found[source.digest].path}; allowed: each file once"
            problems.append(Problem(path=str(path), message=message))
        found[source.digest] = source
    if problems:
        raise InputError(problems)
    return list(found.values())


def _files(path: Path, problems: list[Problem]) -> Iterator[Path]:
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file() and each.name.lower().endswith(tuple(Format)))
        if not files:
            problems.append(Problem(path=str(path), message=f"has no export; allowed: files in {', '.join(Format)}"))
        yield from files
    elif path.is_file():
        yield path
    else:
        problems.append(Problem(path=str(path), message="no such file; allowed: an export, or a folder of its files"))


def _format(path: Path) -> Format:
    for each in Format:
        if path.name.lower().endswith(each):
            return each
    raise InputError(Problem(path=str(path), message=f"no export that can be read; allowed: {', '.join(Format)}"))


def _digest(path: Path) -> str:
    """Read a file to its end, so that one that is cut is seen before a row of it counts."""
    digest, first, last = hashlib.sha256(), b"", b""
    try:
        for chunk in _chunks(path):
            digest.update(chunk)
            first, last = first or chunk[:4], (last + chunk)[-4:]
    except (EOFError, zlib.error, OSError) as error:
        raise InputError(Problem(path=str(path), message=f"cannot be read, or is cut: {error}")) from error
    if _format(path) is Format.PARQUET:
        if (first, last) != (MAGIC, MAGIC):
            message = "no whole Parquet file: it must begin and end with PAR1; fetch it again"
            raise InputError(Problem(path=str(path), message=message))
    elif not last.endswith(b"\n"):
        message = "is empty, or its last line has no end, so that it may be cut; fetch it again"
        raise InputError(Problem(path=str(path), message=message))
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if _format(path) is Format.CSV_GZ else path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
