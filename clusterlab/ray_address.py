"""Where a Ray cluster is, who we are there, and how long it may be silent, as the environment says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from clusterlab.errors import InputError, Problem

ADDRESS_VARIABLE = "RAY_ADDRESS"
TIMEOUT_VARIABLE = "CLUSTERLAB_RAY_TIMEOUT"
"""How long, in seconds, a cluster may be silent (20 where it is not set) and nodes may take to come together (90)."""
TOKEN_VARIABLE = "RAY_AUTH_TOKEN"  # noqa: S105 (a name)
TOKEN_PATH_VARIABLE = "RAY_AUTH_TOKEN_PATH"  # noqa: S105 (a name)
MIN_TOKEN = 16


def timeout(environment: Mapping[str, str], *, default: float = 20) -> float:
    """The time limit in seconds.

    Raises:
        InputError: it is none.
    """
    text = environment.get(TIMEOUT_VARIABLE) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise InputError(Problem(path=TIMEOUT_VARIABLE, message=f"{text!r}; allowed: seconds above 0"))
    return seconds


def url_of(address: str) -> str:
    """`http://host:port` of a dashboard, as what follows in a URL is none of it.

    Raises:
        InputError: it has another form.
    """
    url = urlsplit(address if "://" in address else f"http://{address}")
    try:
        right = url.scheme in ("http", "https") and url.hostname and url.port
    except ValueError:
        right = False
    if not right:
        message = f"{address!r}; allowed: http://host:port of a Ray dashboard"
        raise InputError(Problem(path=ADDRESS_VARIABLE, message=message))
    return f"{url.scheme}://{url.netloc}"


def given_token(environment: Mapping[str, str]) -> str | None:
    """The token that somebody chose for Ray; None where nobody did.

    Raises:
        InputError: it is too short, has letters that no header carries, or its file cannot be read.
    """
    token, path = environment.get(TOKEN_VARIABLE), environment.get(TOKEN_PATH_VARIABLE)
    if not token and path:
        try:
            token = Path(path).read_text().strip()
        except OSError as error:
            message = f"{path}: cannot be read: {error.strerror}"
            raise InputError(Problem(path=TOKEN_PATH_VARIABLE, message=message)) from error
    if not token:
        return None
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        message = f"allowed: {MIN_TOKEN} or more letters and digits, such as `openssl rand -hex 24` prints"
        raise InputError(Problem(path=TOKEN_VARIABLE, message=message))
    return token
