"""A class of four in a repository of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clusterlab.course.fleet.server import Server

CLASS = """
course: llm-2026
infra: [aws/us-east-1]
roster: [ana, ben, cleo, dan]
teams: {red: [ana, ben]}
labs: {toy: {scale: single, due: 2026-10-06}}
dates: {start: 2026-09-01, end: 2026-12-18}
time_zone: Europe/Madrid
hours: ["tue 10:00-12:00"]
holidays: [2026-10-13]
warm_minutes: 20
"""


@pytest.fixture
def server() -> Server:
    """SkyPilot's, with nothing there."""
    return Server()


@pytest.fixture
def class_file(house: Path) -> Path:
    """The file of the class, in the repository that is the working folder."""
    path = house / "clusters" / "llm-2026.yaml"
    path.write_text(CLASS)
    return path
