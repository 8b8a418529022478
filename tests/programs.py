"""What a bare machine may lack and some tests need: such a test is skipped, and says what to install."""

from __future__ import annotations

import shutil

import pytest


def needs(program: str, *, package: str) -> pytest.MarkDecorator:
    """Mark a test that runs a program of a package of Debian's."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}: `apt-get install {package}`")


needs_curl = needs("curl", package="curl")
