"""DuckDB, in memory, for reading and grouping bills that are larger than this machine's memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from clusterlab.errors import InputError, MissingError, Problem

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INSTALL = "pip install 'clusterlab[money]'"
MEMORY = "1GB"
"""What DuckDB may hold; beyond it writes to a temporary folder. Python and the results come on top."""


@contextmanager
def connection() -> Iterator[DuckDBPyConnection]:
    """A database of its own, whose instants are UTC and which fetches nothing from the internet.

    Raises:
        MissingError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ModuleNotFoundError as error:
        raise MissingError(f"duckdb: not installed; `{INSTALL}` installs it") from error
    with tempfile.TemporaryDirectory(prefix="clusterlab-bill-") as spill:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": MEMORY,
            "temp_directory": spill,
        }
        with duckdb.connect(config=settings) as database:
            database.execute("SET TimeZone = 'UTC'")
            yield database


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn what DuckDB says of a file that it cannot read into a message for whoever brought the file.

    Raises:
        InputError: the file is malformed.
    """
    import duckdb

    # What a reader finds in the bytes of a file; anything else, such as an error in our SQL, is a defect of ours.
    of_the_file = (duckdb.Error, duckdb.IOException, duckdb.InvalidInputException, duckdb.ConversionException)
    try:
        yield
    except duckdb.Error as error:
        if type(error) not in of_the_file:
            raise
        lines = [line.strip() for line in str(error).partition("Possible fixes")[0].splitlines() if line.strip()]
        raise InputError(Problem(path=path, message=f"malformed: {'; '.join(lines)}")) from error
