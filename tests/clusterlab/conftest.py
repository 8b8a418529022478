"""A small house with one lab and one job, for the tests to spoil."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import settings

from clusterlab.catalog import Catalog
from clusterlab.cluster import FOLDER
from clusterlab.rehearsal.prices import write_skypilot_catalog

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).parents[2]
Apply = Callable[..., Any]

JOB = '''"""A toy."""
from dataclasses import dataclass
from clusterlab.config import Scale, Source, by_scale

PINNED = Source("org/name@" + "0" * 40)

@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    scale: Scale
    model: Source = by_scale(tiny="made", small="made", single=PINNED, full=PINNED)
    steps: int = by_scale(tiny=1, small=2, single=3, full=4)
    rate: float = 0.5
    quick: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if self.steps <= 0:
            raise ValueError("STEPS: must be above 0")

def main(config: Config) -> dict[str, float]:
    return {"loss": 1.0}
'''

LAB = """# Toy: add one and one
#
# Claim: one and one are two.
# Source: Peano (1889).
#
# Usage: sky launch labs/toy.yaml

name: toy

resources:
  accelerators: {L4: 1, A10G: 1}
  cpus: 4+
  memory: 16+
  disk_size: 100
  autostop: {idle_minutes: 10, down: true}
  labels:
    course: llm-2026
    lab: toy

envs:
  SCALE: single

secrets:
  HF_TOKEN: null

setup: |
  make env

run: |
  python -m jobs.submit toy
"""

CLASS = """
course: llm-2026
infra: [aws/us-east-1, gcp/us-east1]
"""

SCALE = """
  {scale}:
    machine: {machine}
    hours: {{low: 1, expected: 2, high: 4}}
    budget_usd: 5
    expect:
      loss: {{value: 1.0, tolerance: 0.1, source: a book, hardware: any}}
"""

SIDECAR = "goal: Learn to add.\negress_gb: 1\nscales:" + "".join(
    SCALE.format(scale=scale, machine=machine)
    for scale, machine in {"tiny": "local", "small": "local", "single": "lab", "full": "lab"}.items()
)


@pytest.fixture(autouse=True, scope="session")
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """SkyPilot's schema is asked for once a session, and kept outside the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The root of a repository with `labs/toy.yaml`, its sidecar, job and class; it is the working folder."""
    lab = {"labs/toy.yaml": LAB, "labs/toy.expected.yaml": SIDECAR, "jobs/toy.py": JOB}
    for path, text in (lab | {"clusters/llm-2026.yaml": CLASS}).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "jobs" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    _forget_jobs(monkeypatch)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "jobs"]:
        del sys.modules[name]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of `CLASS`."""
    path = tmp_path / FOLDER / "llm-2026.yaml"
    path.parent.mkdir()
    path.write_text(CLASS)
    return path


@pytest.fixture(autouse=True)
def tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole ones: SkyPilot leaves them cut off after an error of its own, and Pulumi reads the stack through them."""
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)


@pytest.fixture(scope="session")
def sky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """SkyPilot itself, in a home of its own, which it looks up when it is imported."""
    home = tmp_path_factory.mktemp("home")
    write_skypilot_catalog(Catalog.load(), home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("SKYPILOT_DISABLE_USAGE_COLLECTION", "1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of SkyPilot's own use of SQLAlchemy
            import sky

        yield sky


@pytest.fixture
def apply(sky: Any, house: Path, monkeypatch: pytest.MonkeyPatch) -> Apply:
    """Have the policy see a task, the toy lab with changes, as SkyPilot shows it."""
    from clusterlab.policy import CoursePolicy

    for name in ("STUDENT", "TEAM", "LEASE_HOURS", "BUCKET", "LEDGER"):
        monkeypatch.delenv(f"CLUSTERLAB_{name}", raising=False)
    monkeypatch.setenv("CLUSTERLAB_STUDENT", "ana")

    def apply(
        task: Any = None,
        *,
        request: str = "CLUSTER_LAUNCH",
        client: bool = True,
        managed: bool = False,
        dryrun: bool = False,
        **changes: Any,
    ) -> Any:
        if task is None:
            values = yaml.safe_load(LAB) | {"workdir": str(house)} | changes
            task = sky.Task.from_yaml_config({key: value for key, value in values.items() if value is not None})
        options = None if managed else sky.admin_policy.RequestOptions(
            cluster_name=None, idle_minutes_to_autostop=None, down=False, dryrun=dryrun
        )  # fmt: skip
        asked = sky.UserRequest(task, {}, sky.AdminPolicyRequestName[request], options, client)
        return CoursePolicy().apply(asked).task

    return apply


def _forget_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "jobs"]:
        monkeypatch.delitem(sys.modules, name)


def spoil(path: Path, old: str, new: str) -> None:
    """Replace a text that stands in the file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def refused(sky: Any, apply: Apply, *arguments: Any, **changes: Any) -> list[str]:
    with pytest.raises(sky.exceptions.UserRequestRejectedByPolicy) as error:
        apply(*arguments, **changes)
    first, *problems = str(error.value).splitlines()
    assert first == "the course refuses it"
    return problems
