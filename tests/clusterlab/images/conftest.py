"""A repository with two images, a real registry, and a small server that speaks its protocol and can lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.registry import INSTALL, PROGRAM, Server, registry
from tests.web import Handler, serving

DIGEST = f"sha256:{'a' * 64}"
IMAGES = f"""# A comment.

cuda:
  repository: docker.io/nvidia/cuda
  tag: "13.0"
  digest: ""  # None yet.
  verified: false
  used_for: the base

tgi:  # Archived.
  repository: ghcr.io/hf/tgi
  tag: ""
  digest: {DIGEST}
  verified: false
  used_for: labs/serve-tgi.yaml
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the fake says to one path."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fake:
    """A stand-in for a registry that misbehaves as the real one would not: an answer for each path."""

    url: str
    answers: dict[str, Answer]
    turns: dict[str, Answer]
    """What it says instead to who shows a token."""
    asked: list[tuple[str, str | None]]
    """Paths in order, each with the Authorization that came with it."""


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`images/images.yaml` of a repository that is the working folder."""
    for name in ("labs", "jobs", "images"):
        (tmp_path / name).mkdir()
    path = tmp_path / "images" / "images.yaml"
    path.write_text(IMAGES)
    monkeypatch.chdir(tmp_path)
    return path


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real registry that anybody may read."""
    require_registry()
    with registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture
def fake() -> Iterator[Fake]:
    with fake_registry() as served:
        yield served


@contextmanager
def fake_registry() -> Iterator[Fake]:
    """Serve the answers that are put in; 404 for the rest."""
    answers: dict[str, Answer] = {}
    turns: dict[str, Answer] = {}
    asked: list[tuple[str, str | None]] = []

    class Registry(Handler):
        def respond(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            path = self.path.partition("?")[0]
            answer = answers.get(path, Answer(status=404))
            answer = turns.get(path, answer) if self.headers["Authorization"] else answer
            self.send(answer.body, status=answer.status, headers=answer.headers)

    with serving(Registry) as url:
        yield Fake(url=url, answers=answers, turns=turns, asked=asked)


def require_registry() -> None:
    if PROGRAM is None:
        pytest.skip(f"needs docker-registry: `{INSTALL}`")
