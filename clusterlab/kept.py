"""What the end of a class leaves alone: ids and tags, each with the reason, as the reaper's keep-list has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from clusterlab.document import Document

NAME = re.compile(r"[^\s=]+(=[^\s=]+)?")
KEEP_RULE = "allowed: ids, or tags as lab=shared, in a list, or as {vol-0abc: why, lab=shared: why}"


def read_keep(document: Document, key: str) -> Mapping[str, str]:
    """The reason of each by its name; what is wrong goes to the document's problems."""
    given = document.at(key)
    if given is None:
        return MappingProxyType({})
    if not isinstance(given, dict | list):
        document.complain(key, f"{given!r}; {KEEP_RULE}")
        return MappingProxyType({})
    # A bare list gives no reasons, and the keep-list wants one of each.
    pairs: list[tuple[object, object]] = [(each, f"{document.path} keeps it") for each in given]
    if isinstance(given, dict):
        pairs = list(given.items())
    for message in _wrong(pairs):
        document.complain(key, message)
    return MappingProxyType({str(name): str(why) for name, why in pairs})


def _wrong(pairs: list[tuple[object, object]]) -> Iterator[str]:
    seen = set()
    for name, why in pairs:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            yield f"{name!r} is neither an id nor a tag; {KEEP_RULE}"
        elif name in seen:
            yield f"{name!r} stands twice; allowed: each once"
        elif not isinstance(why, str) or not why.strip():
            yield f"{name}: {why!r}; allowed: why it is kept"
        else:
            seen.add(name)
