"""Set a rehearsal up, play it in namespaces of its own, and clear the stage, however it ends."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from clusterlab.errors import EXIT_INTERRUPTED, InputError, MissingError, Problem
from clusterlab.lock import locked
from clusterlab.rehearsal import image, needs
from clusterlab.rehearsal.faults import ALONE, Fault

PLACES = ("cloud", "slurm")
"""What may be rehearsed on: the emulated cloud, or a Slurm that is started for it."""
MAX_CLUSTERS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """The folder of one rehearsal while it runs, in the store of all of them."""

    folder: Path
    layers: tuple[Path, ...]
    """Of the hosts' root, the upper ones first."""

    @property
    def home(self) -> Path:
        """SkyPilot's home."""
        return self.folder / "home"

    @property
    def disks(self) -> Path:
        """Where each host has what is its own."""
        return self.folder / "disks"

    @property
    def wheels(self) -> Path:
        """What SkyPilot builds of itself for its nodes; kept."""
        return self.folder.parents[1] / "wheels"

    @property
    def cache(self) -> Path:
        """What jobs make once, the models that they pretrain say; kept."""
        return self.folder.parents[1] / "cache"

    @property
    def wheelhouse(self) -> Path:
        """The packages in the image that SkyPilot installs on its nodes."""
        return next(layer for layer in self.layers if layer.name.startswith("sky-")) / "opt/wheelhouse"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is to be rehearsed.

    Raises:
        InputError: the parts do not go together.
    """

    root: str
    """The repository."""
    labs: tuple[str, ...]
    out: str
    """The folder for `rehearsal.json`, SkyPilot's log and the runs' records."""
    place: str = "cloud"
    faults: tuple[Fault, ...] = ()
    seed: int = 0
    num_clusters: int = 1
    """How many are launched side by side of each lab."""
    course: str | None = None
    """The file of a class that is rehearsed as a whole."""
    acts: tuple[str, ...] = ()
    """Of that; all where none is named."""
    quiet: bool = False
    """Whether standard output is kept for what is printed at the end."""

    def __post_init__(self) -> None:
        problems = []
        if Path(self.out).exists() and any(Path(self.out).iterdir()):
            problems.append(
                Problem(path="--out", message=f"{self.out}: is not empty; allowed: a new or an empty folder")
            )
        if self.place not in PLACES:
            problems.append(Problem(path="--on", message=f"{self.place!r}; allowed: {', '.join(PLACES)}"))
        if not 1 <= self.num_clusters <= MAX_CLUSTERS:
            message = f"{self.num_clusters}; allowed: 1 to {MAX_CLUSTERS}"
            problems.append(Problem(path="--clusters", message=message))
        if self.faults and (self.place != "cloud" or self.num_clusters > 1):
            message = "only on the cloud, and with one cluster; allowed there: " + ", ".join(Fault)
            problems.append(Problem(path="--fault", message=message))
        alone = [each for each in self.faults if each in ALONE]
        if alone and len(self.faults) > 1:
            problems.append(Problem(path="--fault", message=f"{alone[0]}: allowed: alone"))
        problems += self._of_a_class()
        if problems:
            raise InputError(problems)

    def _of_a_class(self) -> list[Problem]:
        """What does not go with a class, and what goes with nothing else."""
        others = {"LAB": self.labs, "--fault": self.faults, "--clusters": self.num_clusters > 1}
        others["--on"] = self.place != "cloud"
        if self.course is None:
            wrong = ["--act"] if self.acts else []
            return [Problem(path=name, message="only with --class") for name in wrong]
        return [Problem(path=name, message="not with --class") for name, given in others.items() if given]

    @classmethod
    def load(cls, path: Path) -> Request:
        """Read back what `save` wrote."""
        values = json.loads(path.read_text())
        faults = tuple(map(Fault, values["faults"]))
        return cls(**values | {"labs": tuple(values["labs"]), "acts": tuple(values["acts"]), "faults": faults})

    def save(self, path: Path) -> None:
        """Write it as JSON, for the process that plays it."""
        path.write_text(json.dumps(asdict(self)))


def rehearse(request: Request, console: Console) -> int:
    """Play a rehearsal to its end.

    Returns:
        Its exit code: 0 where every step was as it must be, 1 where one was not, 130 where it was interrupted.

    Raises:
        MissingError: this machine lacks something.
        ClusterlabError: the image could not be baked.
    """
    store = folder()
    store.mkdir(parents=True, exist_ok=True)
    needs.require(store)
    if not (Path(request.root) / ".venv/train/requirements.txt").exists():
        raise MissingError("rehearse: .venv/train: missing; `make env` makes what jobs run in")
    layers = image.bake(
        Path(request.root), store / "layers", announce=lambda line: console.print(line, highlight=False)
    )
    Path(request.out).mkdir(parents=True, exist_ok=True)
    with _stage(store / "stages") as stage:
        request.save(stage / "request.json")
        (stage / "layers.json").write_text(json.dumps([str(layer) for layer in layers]))
        return _play(stage, root=Path(request.root))


def new_folder(root: Path) -> Path:
    """Where a rehearsal's record goes if nobody says: `rehearsals/<UTC time>` of the repository."""
    return root / "rehearsals" / datetime.now(UTC).strftime("%Y%m%d-%H%M%S")


def folder() -> Path:
    """Where images are kept, and where the disks of a rehearsal's machines lie while it runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clusterlab" / "rehearsal"


@contextmanager
def _stage(stages: Path) -> Iterator[Path]:
    """A folder for one rehearsal, removed after it; what an earlier one left, killed as it was, is removed first."""
    stages.mkdir(parents=True, exist_ok=True)
    for left in [path for path in stages.iterdir() if path.is_dir()]:
        with locked(stages / f"{left.name}.lock", wait=False) as free:
            if free:
                shutil.rmtree(left)
                (stages / f"{left.name}.lock").unlink()
    stage = stages / secrets.token_hex(4)
    with locked(stages / f"{stage.name}.lock", wait=True):
        stage.mkdir(mode=0o700)
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)
            (stages / f"{stage.name}.lock").unlink()


def _play(stage: Path, *, root: Path) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SKYPILOT_"))}
    process = apart_process(stage, root, environment)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal told the players too; they write down how far they came.
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        return EXIT_INTERRUPTED
    finally:
        process.kill()
        process.wait()
        signal.signal(signal.SIGTERM, before)


def apart_process(stage: Path, root: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the process that plays, in namespaces of its own."""
    from clusterlab.rehearsal.apart import start_apart

    paths = (str(root), environment.get("PYTHONPATH", ""))
    command = [sys.executable, "-m", "clusterlab.rehearsal.play", str(stage)]
    return start_apart(command, cwd=root, env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, paths))})


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)
