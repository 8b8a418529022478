"""A class's SkyPilot clusters, ended by SkyPilot itself where its API server answers, so that its state is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENDPOINT_VARIABLE = "SKYPILOT_API_SERVER_ENDPOINT"
ENDPOINT = "http://127.0.0.1:46580"
"""Where SkyPilot's own server is on a machine that names none; `sky` would start one that is not there."""
TIMEOUT_SECONDS = 10.0
MINUTES = 15
"""How long SkyPilot may take for all clusters of a class; what it has not ended then is ended by its tag."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What SkyPilot ended, and what it did not."""

    names: tuple[str, ...] = ()
    problem: str = ""
    """Why the rest is ended by its tag alone."""


def answers() -> bool:
    """Whether an API server is there; none is started."""
    endpoint = (os.environ.get(ENDPOINT_VARIABLE) or ENDPOINT).rstrip("/")
    if not endpoint.startswith(("http://", "https://")):
        return False
    try:
        with urllib.request.urlopen(f"{endpoint}/api/health", timeout=TIMEOUT_SECONDS):  # noqa: S310 (checked above)
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def end(course: str) -> Ended:
    """End every cluster of a course that SkyPilot knows; one that it cannot end is left to whoever goes by tags."""
    if not answers():
        return Ended(problem="SkyPilot's API server does not answer; its clusters are ended by their tag")
    try:
        names = tuple(str(each["name"]) for each in _status() if (each.get("labels") or {}).get("course") == course)
        if names:
            _sky("down", "--yes", *names)
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
        return Ended(problem=f"SkyPilot: {_told(error)}; what it has not ended is ended by its tag")
    return Ended(names=names)


def _status() -> list[dict[str, Any]]:
    said = _sky("status", "--all-users", "--output", "json")
    found: list[dict[str, Any]] = json.loads(said[said.index("[") :])
    return found


def _sky(*arguments: str) -> str:
    command: Sequence[str] = [str(Path(sys.executable).with_name("sky")), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, timeout=MINUTES * 60
    )
    return done.stdout


def _told(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    lines = [line.strip() for line in str(said or error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
