"""A reproduction: what is kept in the repository of one run of a lab, a line of `labs/results/<lab>.jsonl`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import Scale
from clusterlab.errors import InputError, Problem, StorageError
from clusterlab.lab import Lab
from clusterlab.report.results import Result, entry, finite
from clusterlab.request import RESULTS
from clusterlab.run import Run, append_line

SHORT = 12
"""Letters of a commit that a page shows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """One run of a lab: on which commit, when, on what, and what it measured."""

    lab: str
    scale: Scale
    run_id: str
    fingerprint: str
    commit: str | None
    """40 letters, and `-dirty` behind them where files differed from it; None where nobody knows it."""
    ended: str
    """ISO 8601, UTC."""
    machine: str
    """In words: `2 cores, no GPU`."""
    seconds: float | None
    """Of the job's `main`."""
    metrics: dict[str, float]
    """Empty where the job failed."""
    verdict: str
    """`PASS` or `FAIL`, against what the lab expected then."""

    @classmethod
    def of(cls, run: Run, lab: Lab) -> Reproduction:
        """What is kept of a run that ended."""
        return cls(
            lab=lab.name,
            scale=Scale(run.asked.config["scale"]),
            run_id=run.run_id,
            fingerprint=run.fingerprint,
            commit=run.provenance.get("commit"),
            ended=run.ended or run.started,
            machine=_machine(run.provenance),
            seconds=None if run.seconds is None else round(run.seconds, 1),
            metrics=run.metrics,
            verdict="FAIL" if entry(Path(), run, lab).failed else "PASS",
        )

    def against(self, lab: Lab) -> tuple[Result, ...]:
        """What was measured against what the lab expects now, and what is missing."""
        expected = lab.at(self.scale).expect.items()
        return tuple(Result(metric=name, value=self.metrics.get(name), expectation=each) for name, each in expected)

    def judged(self, lab: Lab) -> str:
        """`PASS` or `FAIL`, against what the lab expects now."""
        return "PASS" if all(each.verdict == "PASS" for each in self.against(lab)) else "FAIL"

    @property
    def day(self) -> str:
        """When it ended, as 2026-11-29, in UTC."""
        return self.ended[:10]

    @property
    def shown_commit(self) -> str:
        """The commit for a person."""
        if self.commit is None:
            return "unknown"
        commit, dirty, _ = self.commit.partition("-dirty")
        return commit[:SHORT] + (" with changes" if dirty else "")

    def keep(self, root: Path) -> None:
        """Add it below those that are kept already; one that is among them is not added twice.

        Raises:
            StorageError: it cannot be written.
        """
        if self.run_id in {each.run_id for each in reproductions(self.lab, root)}:
            return
        path = path_of(self.lab, root)
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"{path.parent}: cannot be made: {error.strerror}") from error
        values = dataclasses.asdict(self)
        append_line(path, values | {"metrics": {name: finite(value) for name, value in self.metrics.items()}})


def path_of(lab: str, root: Path) -> Path:
    """The file of a lab's reproductions; it may not be there yet."""
    return root / RESULTS / f"{lab}.jsonl"


def reproductions(lab: str, root: Path) -> list[Reproduction]:
    """All of a lab's, in the order in which they were added.

    Raises:
        InputError: a line of its file is none.
    """
    path = path_of(lab, root)
    lines = path.read_text().splitlines() if path.is_file() else []
    return [_read(line, f"{path.relative_to(root)}: line {number}") for number, line in enumerate(lines, 1)]


def _read(line: str, place: str) -> Reproduction:
    try:
        values = json.loads(line)
        metrics = {str(name): float(value) for name, value in values["metrics"].items()}
        return Reproduction(**values | {"scale": Scale(values["scale"]), "metrics": metrics})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(Problem(path=place, message=f"not a reproduction: {error}")) from error


def _machine(provenance: Mapping[str, Any]) -> str:
    cores = provenance.get("num_cpus")
    gpus = [str(each) for each in provenance.get("devices", []) if each != "cpu"]
    return f"{cores} {'core' if cores == 1 else 'cores'}, {', '.join(gpus) or 'no GPU'}"
