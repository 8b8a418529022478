"""Whose word Google Cloud takes: an access token, found where Pulumi's provider finds its own."""

from __future__ import annotations

import os
import shutil
import subprocess

from clusterlab.errors import InputError, Problem

TOKEN_VARIABLE = "GOOGLE_OAUTH_ACCESS_TOKEN"  # noqa: S105 (a name)
GCLOUD = ("gcloud", "auth", "application-default", "print-access-token")
PATH = "Google Cloud credentials"
ALLOWED = f"allowed: a token in {TOKEN_VARIABLE}, or `gcloud auth application-default login`"
SECONDS = 60.0


def access_token() -> str:
    """The token of the variable, else that of gcloud's application-default login.

    Raises:
        InputError: there is neither.
    """
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    if given:
        return given
    program = shutil.which(GCLOUD[0])
    if program is None:
        raise refused("none, and gcloud is not installed")
    try:
        done = subprocess.run([program, *GCLOUD[1:]], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise refused(f"gcloud did not say: {error}") from error
    if done.returncode or not done.stdout.strip():
        raise refused(f"gcloud has none: {' '.join(done.stderr.split())[:200]}")
    return done.stdout.strip()


def refused(what: str) -> InputError:
    """What is wrong with them, and what does."""
    return InputError(Problem(path=PATH, message=f"{what}; {ALLOWED}"))
