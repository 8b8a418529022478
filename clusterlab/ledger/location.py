"""Where the ledger is: the URL in `CLUSTERLAB_LEDGER`, and how to open it where SQLAlchemy may be missing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from clusterlab.errors import InputError, MissingError, Problem

if TYPE_CHECKING:
    from clusterlab.ledger.ledger import Ledger

VARIABLE = "CLUSTERLAB_LEDGER"
INSTALL = "pip install 'clusterlab[money]'"


def named() -> str | None:
    """The URL of the ledger; None where none is named."""
    return os.environ.get(VARIABLE) or None


def open_ledger(*, begin: bool = False) -> Ledger:
    """Open the ledger that is named; with `begin` one is begun where none is.

    Raises:
        InputError: none is named, its URL is wrong, or it is not there.
        MissingError: SQLAlchemy, or the driver of the database, is not installed.
        UnreachableError: it does not answer.
        StorageError: what lies there is no ledger.
    """
    url = named()
    if url is None:
        message = "not set; allowed: the ledger's URL, such as sqlite:////home/ana/course/ledger.db"
        raise InputError(Problem(path=VARIABLE, message=message))
    try:
        from clusterlab.ledger.ledger import Ledger

        return Ledger.open(url, path=VARIABLE, begin=begin)
    except ModuleNotFoundError as error:
        raise MissingError(f"{error.name}: not installed; `{INSTALL}` installs it") from error
