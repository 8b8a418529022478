"""The files of a lab that begins: its task, its sidecar and, where there is none of its name, its job."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

from clusterlab.catalog import Catalog
from clusterlab.cluster import FOLDER, class_paths, offered
from clusterlab.config import Scale, parse
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.job import NOT_JOBS, Job, job_names
from clusterlab.lab import lab_paths
from clusterlab.rules import SIDECAR_RULES, TASK_RULES
from clusterlab.tags import LABEL, LABEL_RULE
from clusterlab.template.comment import comment

HERE = Path(__file__).parent
NAME = re.compile(r"[a-z]([a-z0-9_-]{0,61}[a-z0-9])?")
NAME_RULE = "allowed: 1 to 63 of a-z, 0-9, '_' and '-', the first a letter, the last a letter or digit"
LAUNCH = Path("jobs/launch")
"""What a job needs to run, `report` among it."""
MOST_ACCELERATORS = 3
RULE = re.compile(r"(?P<indent> *)#: (?P<name>\w+)")
"""A line of a template that stands for what a rule says of itself."""

SCALES = {
    Scale.TINY: ("local", "{low: 0.002, expected: 0.006, high: 0.05}", 0),
    Scale.SMALL: ("local", "{low: 0.002, expected: 0.006, high: 0.05}", 0),
    Scale.SINGLE: ("lab", "{low: 0.05, expected: 0.1, high: 0.3}", 2),
    Scale.FULL: ("lab", "{low: 0.05, expected: 0.1, high: 0.3}", 2),
}
"""Machine, hours and budget in USD."""
EXACT = "derived: float64 holds whole numbers below 2^53 exactly"
CHANCE = "derived: a wrong product passes 20 vectors by a chance of 2^-20"
MADE = {
    "title": "a product of matrices, checked without multiplying again",
    "claim": "whoever is given a product of two matrices can check it in n^2 steps, though it took n^3 to make.",
    "source": "Freivalds (1977), Probabilistic machines can use less running time, IFIP Congress, 839-842.",
    "goal": "Trust a result that is cheaper to check than to compute.",
}
"""What is said of the job that is made."""
MADE_METRICS = (
    f'largest_error: {{value: 0, tolerance: 0, source: "{EXACT}", hardware: any}}',
    f'mistake_found: {{value: 1, tolerance: 0, source: "{CHANCE}", hardware: any}}',
)
KEPT = {
    "title": "what it shows, in a line",
    "claim": "what a measurement could refute.",
    "source": "who says so, and where.",
    "goal": "What whoever does it knows afterwards.",
}
"""What is said of a job that was there; nobody knows it, nor its metrics, but who wrote it."""
KEPT_METRICS = ('loss: {low: 0, source: "not measured yet", hardware: any}',)


@dataclass(frozen=True, kw_only=True, slots=True)
class LabFiles:
    """One lab to be made."""

    name: str
    job: str
    course: str
    accelerators: tuple[str, ...]
    scales: tuple[Scale, ...]
    """At which the job runs."""
    job_is_there: bool

    @classmethod
    def of(cls, name: str, root: Path, course: str | None) -> LabFiles:
        """A lab of this name in the repository at `root`, of the course that is given, else of that of its other labs.

        Raises:
            InputError: the name is none, nobody knows the course, its class offers no machine with one accelerator, or
                the job that is there does not run at `tiny` without more values.
        """
        job = _job_of(name, root)
        course = _course(root, course)
        there = job in job_names(root)
        if not there and not (root / LAUNCH).is_dir():
            message = f"missing, and jobs run by it; allowed: a copy of clusterlab's, or a jobs/{job}.py of your own"
            raise InputError(Problem(path=LAUNCH.as_posix(), message=message))
        return cls(
            name=name,
            job=job,
            course=course,
            accelerators=_accelerators(root, course),
            scales=_scales(Job.load(job, root=root)) if there else tuple(Scale),
            job_is_there=there,
        )

    def texts(self) -> dict[Path, str]:
        """Each file that is to be made, by its path from the root."""
        files = {Path(f"labs/{self.name}.yaml"): "lab.yaml", Path(f"labs/{self.name}.expected.yaml"): "expected.yaml"}
        if not self.job_is_there:
            files[Path(f"jobs/{self.job}.py")] = "job.txt"
        return {path: self._filled(template) for path, template in files.items()}

    def notes(self) -> list[str]:
        """What whoever asked for it should know."""
        if not self.job_is_there:
            return []
        path = f"labs/{self.name}.expected.yaml"
        return [
            f"jobs/{self.job}.py was there and stays: write into {path} which metrics it must show, in place of loss"
        ]

    def _filled(self, template: str) -> str:
        said, metrics = (KEPT, KEPT_METRICS) if self.job_is_there else (MADE, MADE_METRICS)
        values = {
            "name": self.name,
            "job": self.job,
            "course": self.course,
            "title": f"{self.name}: {said['title']}",
            "accelerators": f"{{{', '.join(f'{each}: 1' for each in self.accelerators)}}}",
            "scale": Scale.SINGLE if Scale.SINGLE in self.scales else self.scales[-1],
            "scales": "\n".join(_planned(scale, metrics) for scale in self.scales),
        }
        text = Template((HERE / template).read_text()).substitute(said | values)
        return "".join(f"{line}\n" for line in _ruled(text))


def _job_of(name: str, root: Path) -> str:
    """The job of a lab: a module is named with underscores."""
    job = name.replace("-", "_")
    if not NAME.fullmatch(name):
        raise InputError(Problem(path="NAME", message=f"{name!r}; {NAME_RULE}"))
    if keyword.iskeyword(job) or job in NOT_JOBS or (root / "jobs" / job).is_dir():
        raise InputError(Problem(path="NAME", message=f"{name!r}: no job can be called so; allowed: another name"))
    return job


def _course(root: Path, given: str | None) -> str:
    """The label that is given, else the one that all labs carry, else the one class that there is."""
    if given is not None:
        if not LABEL.fullmatch(given):
            raise InputError(Problem(path="--course", message=f"{given!r}; {LABEL_RULE}"))
        return given
    labs = [Document.load_or_empty(path, []) for path in lab_paths(root / "labs")]
    known = dict.fromkeys(str(lab.at("resources.labels.course")) for lab in labs if lab.readable)
    if not known:
        known = dict.fromkeys(path.stem for path in class_paths(root / FOLDER))
    if len(known) != 1:
        message = f"missing; allowed: the course's label, such as {', '.join(known) or 'llm-2026'}"
        raise InputError(Problem(path="--course", message=message))
    return next(iter(known))


def _accelerators(root: Path, course: str) -> tuple[str, ...]:
    """The cheapest that the course may use, of which a machine has one."""
    catalog, usd = offered(Catalog.load(), course, root), {}
    for name in catalog.accelerators():
        prices = [row.on_demand_usd for row in catalog.machines(accelerator=name, count=1) if row.on_demand_usd]
        if prices:
            usd[name] = min(prices)
    if not usd:
        path = (FOLDER / f"{course}.yaml").as_posix()
        raise InputError(Problem(path=path, message="offers no machine with one accelerator, and a lab asks for one"))
    return tuple(sorted(usd, key=lambda name: usd[name])[:MOST_ACCELERATORS])


def _scales(job: Job) -> tuple[Scale, ...]:
    """The scales at which a job runs by its own defaults.

    Raises:
        InputError: it does not at `tiny`, where every lab must.
    """
    parse(job.config_type, {"SCALE": Scale.TINY}, path=f"jobs/{job.name}.py")
    return tuple(scale for scale in Scale if _runs_at(job, scale))


def _runs_at(job: Job, scale: Scale) -> bool:
    try:
        parse(job.config_type, {"SCALE": scale})
    except InputError:
        return False
    return True


def _planned(scale: Scale, expect: tuple[str, ...]) -> str:
    """A scale of the sidecar."""
    machine, hours, usd = SCALES[scale]
    lines = [f"  {scale}:", f"    machine: {machine}", f"    hours: {hours}", f"    budget_usd: {usd}", "    expect:"]
    return "\n".join([*lines, *(f"      {each}" for each in expect)])


def _ruled(text: str) -> Iterator[str]:
    """The lines of a template, with what the rules say of themselves."""
    said = {rule.__name__: rule.__doc__ or "" for rule in (*TASK_RULES, *SIDECAR_RULES)}
    for line in text.splitlines():
        match = RULE.fullmatch(line)
        yield from [line] if match is None else comment(said[match["name"]], match["indent"])
