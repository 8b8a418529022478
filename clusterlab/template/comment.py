"""Comments of a file that is made, no line of which is too long."""

from __future__ import annotations

import textwrap

WIDTH = 118
"""Two columns are left for the mark of who makes a comment of it."""


def comment(text: str, indent: str = "") -> list[str]:
    """A text as lines of comment."""
    return textwrap.wrap(text, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
