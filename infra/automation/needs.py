"""What Pulumi needs before it can begin: its CLI, a place for its state, and a passphrase for its secrets."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import yaml
from pulumi.automation import InvalidVersionError, PulumiCommand
from semver import VersionInfo

from clusterlab.errors import InputError, MissingError, Problem

VERSION = "3.272.0"
"""Of the CLI, as of the package."""
FOLDER = Path(".cache") / "pulumi" / VERSION
"""Of the CLI that we install, in the repository."""
INSTALL = "clusterlab class preview FILE --install"
BACKEND = "PULUMI_BACKEND_URL"
TOKEN = "PULUMI_ACCESS_TOKEN"  # noqa: S105 (a name)
PASSPHRASES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def cli(root: Path, *, install: bool) -> PulumiCommand:
    """Pulumi's CLI: the one that we installed, else the one on PATH; installed now, where that is asked for.

    Raises:
        MissingError: there is none that will do, or it cannot be installed.
    """
    folder = root / FOLDER
    try:
        if install:
            return PulumiCommand.install(str(folder), VersionInfo.parse(VERSION))
        return PulumiCommand(str(folder) if (folder / "bin" / "pulumi").exists() else None)
    except (URLError, subprocess.CalledProcessError) as error:
        raise MissingError(f"pulumi: {VERSION} cannot be installed in {FOLDER}: {error}") from error
    except (OSError, InvalidVersionError) as error:
        raise MissingError(f"pulumi: {_why(error)}; `{INSTALL}` installs {VERSION} in {FOLDER}") from error


def check(root: Path, course: str) -> None:
    """See to it that Pulumi has a place for the state of a stack, and can keep a secret.

    Raises:
        InputError: what is not set, all of it.
    """
    problems = list(_missing(root, course))
    if problems:
        raise InputError(problems)


def _missing(root: Path, course: str) -> Iterator[Problem]:
    place = backend(root, os.environ)
    if place is None:
        message = f"missing; allowed: s3://bucket, file://folder, or `pulumi login`, or {TOKEN} for Pulumi's own"
        yield Problem(path=BACKEND, message=message)
    elif not place.startswith("https://") and _by_passphrase(root, course) and not _has_passphrase():
        message = f"missing; allowed: the passphrase of the stack's secrets, or {PASSPHRASES[1]}"
        yield Problem(path=PASSPHRASES[0], message=message)


def backend(root: Path, environment: Mapping[str, str]) -> str | None:
    """Where Pulumi keeps its state, in the order in which it looks; None where nobody has said."""
    if environment.get(BACKEND):
        return environment[BACKEND]
    project = _yaml(root / "Pulumi.yaml").get("backend") or {}
    if project.get("url"):
        return str(project["url"])
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        current = json.loads((home / "credentials.json").read_text()).get("current")
    except (OSError, ValueError, AttributeError):
        current = None
    return current or ("https://api.pulumi.com" if environment.get(TOKEN) else None)


def _by_passphrase(root: Path, course: str) -> bool:
    provider = _yaml(root / f"Pulumi.{course}.yaml").get("secretsprovider") or "passphrase"
    return str(provider) in ("passphrase", "default")


def _has_passphrase() -> bool:
    """An empty one is one, to Pulumi; only the variable must be there."""
    return any(name in os.environ for name in PASSPHRASES)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    return values if isinstance(values, dict) else {}


def _why(error: Exception) -> str:
    return "not installed" if isinstance(error, FileNotFoundError) else str(error)
