"""A lab: a plain SkyPilot task, `labs/<lab>.yaml`, and what is expected of it, `labs/<lab>.expected.yaml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from clusterlab.closest import hint
from clusterlab.config import Scale
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem

SIDECAR_SUFFIX = ".expected.yaml"
SUBMIT = re.compile(r"python -m jobs\.submit (\S+)")
"""The last line of a lab's `run:`."""
ACCELERATORS = re.compile(r"([A-Za-z][\w-]*):([1-9]\d*)")
"""The machine of a scale that needs others than the lab's own."""
MINIMUM = re.compile(r"(\d+(?:\.\d+)?)\+")
"""An amount that SkyPilot takes as a least one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """The range in which a metric must lie."""

    low: float | None
    high: float | None
    source: str
    hardware: str

    def met_by(self, value: float) -> bool:
        """Whether a measured value lies in the range, its ends included; NaN lies in none."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.low is None:
            return f"at most {self.high:g}"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Low, expected and high, in hours or dollars."""

    low: Decimal
    expected: Decimal
    high: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalePlan:
    """What a lab needs and must show at one scale."""

    local: bool
    """On this machine, for nothing, or on a cloud's."""
    accelerators: dict[str, int] | None
    """In place of the lab's own, as `sky launch --gpus` asks for them; None where the lab's own do."""
    hours: Range
    budget_usd: Decimal
    expect: dict[str, Expectation]
    """By name of metric."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """What a lab is called and what it is for, in another language."""

    title: str
    goal: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What the lab asks of a cloud."""

    accelerators: dict[str, int]
    """Name to count; any one of them will do. Empty for a CPU machine."""
    min_vcpus: Decimal
    min_memory_gib: Decimal
    use_spot: bool
    disk_size_gb: int
    idle_minutes: int
    """How long a machine stays after its last job, before it is ended."""
    labels: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lab:
    """What to run and what it may cost."""

    path: Path
    name: str
    title: str
    goal: str
    spanish: Translation | None
    """`es` of the sidecar; None where it has none."""
    job: str
    setup: str
    """The shell lines that a machine runs once, before the first `run`; may be empty."""
    run: str
    """The shell lines that a machine runs."""
    envs: dict[str, str]
    resources: Resources
    num_nodes: int
    egress_gb: Decimal
    scales: dict[Scale, ScalePlan]

    @classmethod
    def load(cls, path: Path) -> Lab:
        """Read a lab and its sidecar.

        Raises:
            InputError: every thing that keeps it from being read. `clusterlab.check` has the rules beyond that.
        """
        problems: list[Problem] = []
        lab = cls.of(*documents(path, problems))
        if problems:
            raise InputError(problems)
        return lab

    @classmethod
    def of(cls, task: Document, sidecar: Document) -> Lab:
        """Read the two documents of a lab; what is wrong goes to their problems."""
        sidecar.refuse_unknown("", {"goal", "es", "egress_gb", "scales"})
        sidecar.refuse_unknown("scales", set(Scale))
        return cls(
            path=task.path,
            name=task.path.stem,
            title=_title(task.text),
            goal=sidecar.text_at("goal"),
            spanish=_translation(sidecar, "es"),
            job=_job(task),
            setup=str(task.at("setup") or ""),
            run=task.text_at("run"),
            envs={key: str(value) for key, value in task.mapping_at("envs").items()},
            resources=read_resources(task),
            num_nodes=task.integer_at("num_nodes", default=1),
            egress_gb=sidecar.decimal_at("egress_gb"),
            scales={scale: _scale_plan(sidecar, scale) for scale in Scale if scale in sidecar.mapping_at("scales")},
        )

    def at(self, scale: Scale) -> ScalePlan:
        """What the lab needs at a scale.

        Raises:
            InputError: its sidecar has nothing for that scale.
        """
        if scale not in self.scales:
            raise InputError(Problem(path=str(sidecar_path(self.path)), key=f"scales.{scale}", message="missing"))
        return self.scales[scale]

    def accelerators_at(self, scale: Scale) -> dict[str, int]:
        """Name to count, any one of them, on each node; empty for a CPU machine."""
        planned = self.at(scale)
        if planned.local:
            return {}
        return self.resources.accelerators if planned.accelerators is None else planned.accelerators


def lab_paths(folder: Path) -> list[Path]:
    """The labs of a folder, in order of name."""
    return sorted(path for path in folder.glob("*.yaml") if not path.name.endswith(SIDECAR_SUFFIX))


def sidecar_path(path: Path) -> Path:
    """`labs/x.yaml` to `labs/x.expected.yaml`."""
    return path.with_name(path.stem + SIDECAR_SUFFIX)


def documents(path: Path, problems: list[Problem]) -> tuple[Document, Document]:
    """The task and the sidecar of a lab; one that cannot be read is a problem and reads as empty.

    Raises:
        InputError: there is no such lab.
    """
    if not path.is_file():
        raise InputError(Problem(path=str(path), message=_no_lab(path)))
    sidecar = sidecar_path(path)
    if sidecar.is_file():
        return Document.load_or_empty(path, problems), Document.load_or_empty(sidecar, problems)
    problems.append(Problem(path=str(path), message=f"has no sidecar; {sidecar} says what is expected of it"))
    return Document.load_or_empty(path, problems), Document.empty(sidecar)


def _no_lab(path: Path) -> str:
    names = [known.as_posix() for known in lab_paths(path.parent)]
    return f"no such lab; {hint(path.as_posix(), names, cutoff=0.4)}allowed: {', '.join(names) or 'none here'}"


def _title(text: str) -> str:
    first = text.partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _translation(sidecar: Document, key: str) -> Translation | None:
    if sidecar.at(key) is None:
        return None
    sidecar.refuse_unknown(key, {"title", "goal"})
    return Translation(title=sidecar.text_at(f"{key}.title"), goal=sidecar.text_at(f"{key}.goal"))


def _job(task: Document) -> str:
    lines = task.text_at("run").strip().splitlines()
    match = SUBMIT.fullmatch(lines[-1].strip()) if lines else None
    if match is None:
        task.complain("run", "must end in the line `python -m jobs.submit <job>`")
        return ""
    return match.group(1)


def read_resources(task: Document) -> Resources:
    """What a task asks of a cloud; what is wrong goes to its problems."""
    return Resources(
        accelerators=_accelerators(task),
        min_vcpus=_minimum(task, "resources.cpus"),
        min_memory_gib=_minimum(task, "resources.memory"),
        use_spot=task.boolean_at("resources.use_spot", default=False),
        disk_size_gb=task.integer_at("resources.disk_size", default=256),
        idle_minutes=task.integer_at("resources.autostop.idle_minutes"),
        labels={key: str(value) for key, value in task.mapping_at("resources.labels").items()},
    )


def _accelerators(task: Document) -> dict[str, int]:
    """SkyPilot writes them as `L4`, `L4:2`, a list of these, or a mapping."""
    key = "resources.accelerators"
    asked: Any = task.at(key)
    if isinstance(asked, str | list):
        pairs = [str(item).partition(":") for item in ([asked] if isinstance(asked, str) else asked)]
        asked = {name: int(count) if count.isdigit() else count or 1 for name, _, count in pairs}
    if asked is None:
        return {}
    if not isinstance(asked, dict) or not asked or not all(isinstance(n, int) and n > 0 for n in asked.values()):
        task.complain(key, "allowed: a name, `name:count`, a list of these, or a mapping of names to counts")
        return {}
    return {str(name): count for name, count in asked.items()}


def _minimum(task: Document, key: str) -> Decimal:
    value = task.at(key)
    match = MINIMUM.fullmatch(str(value))
    if value is not None and match is None:
        task.complain(key, f"{value!r}; allowed: a number and +, such as 4+, for so many or more")
    return Decimal(match.group(1)) if match else Decimal(0)


def _scale_plan(sidecar: Document, scale: Scale) -> ScalePlan:
    key = f"scales.{scale}"
    sidecar.refuse_unknown(key, {"machine", "hours", "budget_usd", "expect"})
    machine = sidecar.text_at(f"{key}.machine")
    other = ACCELERATORS.fullmatch(machine)
    if machine not in ("local", "lab") and not other:
        message = f"{machine!r}; allowed: local, lab, or accelerators such as A100:8"
        sidecar.complain(f"{key}.machine", message)
    expect = sidecar.mapping_at(f"{key}.expect")
    return ScalePlan(
        local=machine == "local",
        accelerators={other.group(1): int(other.group(2))} if other else None,
        hours=_range(sidecar, f"{key}.hours"),
        budget_usd=sidecar.decimal_at(f"{key}.budget_usd"),
        expect={metric: _expectation(sidecar, f"{key}.expect.{metric}") for metric in expect},
    )


def _range(sidecar: Document, key: str) -> Range:
    sidecar.refuse_unknown(key, {"low", "expected", "high"})
    low, expected, high = (sidecar.decimal_at(f"{key}.{name}") for name in ("low", "expected", "high"))
    if not 0 <= low <= expected <= high:
        sidecar.complain(key, "must not fall from low to expected to high, nor be negative")
    return Range(low=low, expected=expected, high=high)


def _expectation(sidecar: Document, key: str) -> Expectation:
    """`{value, tolerance}` or `{low}`, `{high}`, `{low, high}`; each with `source` and `hardware`."""
    sidecar.refuse_unknown(key, {"value", "tolerance", "low", "high", "source", "hardware"})
    names = ("value", "tolerance", "low", "high")
    given = {name: sidecar.decimal_at(f"{key}.{name}") for name in names if sidecar.at(f"{key}.{name}") is not None}
    low, high = given.get("low"), given.get("high")
    if given.keys() == {"value", "tolerance"}:
        low, high = given["value"] - given["tolerance"], given["value"] + given["tolerance"]
    elif not given or not given.keys() <= {"low", "high"}:
        sidecar.complain(key, "allowed: value with tolerance, or low, or high, or both")
    if low is not None and high is not None and low > high:
        sidecar.complain(key, f"low {low} is above high {high}")
    return Expectation(
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        source=sidecar.text_at(f"{key}.source"),
        hardware=sidecar.text_at(f"{key}.hardware"),
    )
