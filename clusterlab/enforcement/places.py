"""Where notices go, as somebody typed it: `smtp://…`, `https://…`, `file:…`, or `env:` and the variable that has it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from clusterlab.enforcement.log import Log
from clusterlab.enforcement.mail import PASSWORD, PORT, STUDENT, USER, Mail
from clusterlab.enforcement.notice import Notifier
from clusterlab.enforcement.webhook import Webhook
from clusterlab.errors import InputError, Problem
from clusterlab.loopback import is_loopback

OPTION = "--notify"
ALLOWED = (
    "allowed: smtp://host:587?from=course@example.org, https://hooks.slack.com/services/…, file:path, or env:VARIABLE"
)
ADDRESS = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+")


def parse(places: Sequence[str], to: Sequence[str]) -> list[Notifier]:
    """Who carries notices to these places, those by mail to each of these addresses.

    Raises:
        InputError: a place is none, an address is none, or mail has no address. A place is not shown: it may be secret.
    """
    problems = [
        Problem(path="--to", message=f"{each!r}; allowed: an address, such as ana@example.org or {STUDENT}@example.org")
        for each in to
        if not ADDRESS.fullmatch(each)
    ]
    places = [_given(place) for place in places]
    if to and not any(place.startswith("smtp:") for place in places):
        problems.append(Problem(path="--to", message=f"needs a mail server; {ALLOWED.partition(',')[0]}"))
    found: list[Notifier] = []
    for place in dict.fromkeys(places):
        try:
            found += _parse(place, to)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def _given(place: str) -> str:
    """A place itself, by the variable that it names where it names one."""
    scheme, _, name = place.partition(":")
    if scheme != "env":
        return place
    if not os.environ.get(name):
        raise InputError(Problem(path=OPTION, key=place, message="is not set; allowed: a variable that has a place"))
    return os.environ[name]


def _parse(place: str, to: Sequence[str]) -> Iterator[Notifier]:
    scheme, _, rest = place.partition(":")
    if scheme == "file" and rest:
        yield Log(path=Path(rest))
        return
    try:
        parts = urlsplit(place)
        port = parts.port
    except ValueError as error:
        raise _wrong(scheme, "is no URL") from error
    if scheme not in ("smtp", "http", "https") or not parts.hostname:
        raise _wrong("", "names no place that is known")
    if scheme == "smtp":
        yield from _mails(parts, parts.hostname, PORT if port is None else port, to)
    elif scheme == "http" and not is_loopback(parts.hostname):
        raise _wrong(scheme, "is not encrypted, and not of this machine")
    else:
        yield Webhook(url=place)


def _mails(parts: SplitResult, host: str, port: int, to: Sequence[str]) -> Iterator[Mail]:
    if parts.username or parts.password:
        raise _wrong("smtp", f"has a user or a password in it; allowed: {USER} and {PASSWORD} in the environment")
    query = parse_qs(parts.query)
    sender = query.pop("from", [""])[-1]
    if query or parts.path.strip("/") or not ADDRESS.fullmatch(sender):
        raise _wrong("smtp", "must have ?from=, an address, and nothing else")
    if not to:
        raise InputError(Problem(path="--to", message="missing; allowed: the addresses that mail goes to"))
    for each in dict.fromkeys(to):
        yield Mail(host=host, port=port, sender=sender, to=each)


def _wrong(scheme: str, what: str) -> InputError:
    return InputError(Problem(path=OPTION, key=scheme, message=f"{what}; {ALLOWED}"))
