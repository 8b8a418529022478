"""The known name that a misspelt one is nearest to, for messages that say what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CUTOFF = 0.6
"""How like it must be, from 0 to 1; difflib's own."""


def hint(name: str, known: Iterable[str], *, cutoff: float = CUTOFF) -> str:
    """`did you mean NAME? ` with the nearest of the known names, whatever the case; nothing where none is near."""
    by_lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return f"did you mean {by_lower[close[0]]}? " if close else ""
