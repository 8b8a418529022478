"""Write a digest and its day into `images/images.yaml`, line by line, so that every comment stays."""

from __future__ import annotations

import re
from datetime import date

from clusterlab.errors import ClusterlabError

_LINE = r"^(?P<key>{key}:[ \t]*)(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s#]*)(?P<rest>[ \t]*(?:#.*)?)$"


def pinned(text: str, name: str, *, digest: str, verified: date) -> str:
    """The file's text with these two values of an image.

    Raises:
        ClusterlabError: the image is not written as a block of lines, a key on each.
    """
    begin = re.search(rf"^{re.escape(name)}:[ \t]*(?:#.*)?\n", text, re.MULTILINE)
    if begin is None:
        raise _not_in_lines(name)
    end = re.compile(r"^\S", re.MULTILINE).search(text, begin.end())
    block = text[begin.end() : end.start() if end else len(text)]
    changed = block
    for key, value in {"digest": digest, "verified": verified.isoformat()}.items():
        changed, count = re.subn(
            _LINE.format(key=rf"[ \t]+{key}"), rf"\g<key>{value}\g<rest>", changed, flags=re.MULTILINE
        )
        if count != 1:
            raise _not_in_lines(f"{name}.{key}")
    return text[: begin.end()] + changed + text[begin.end() + len(block) :]


def _not_in_lines(key: str) -> ClusterlabError:
    return ClusterlabError(f"{key}: cannot be written; allowed: an image with each key on a line of its own")
