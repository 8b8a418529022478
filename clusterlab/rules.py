"""The rules that a lab keeps: one small function for each, named for its rule, that yields what breaks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from clusterlab.catalog import Catalog
from clusterlab.cluster import offered
from clusterlab.config import PINNED, Scale, parse
from clusterlab.document import Document
from clusterlab.errors import InputError, Problem
from clusterlab.fit.rule import misfits
from clusterlab.job import Job, has_jobs
from clusterlab.lab import Lab
from clusterlab.tags import LABEL, LABEL_RULE

HEADINGS = ("Claim:", "Source:", "Usage:")
COURSE_LABELS = ("course", "lab")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@.*)?")
"""`org/name`, with or without a revision."""
GATED = ("meta-llama/", "google/gemma")
"""How the hub ids begin whose licence must be accepted before they can be read."""
CHOSEN_AT_LAUNCH = ("any_of", "ordered", "infra", "cloud", "region", "zone", "instance_type")
"""Keys of `resources` that would bind a lab to one place, or hide an alternative from the plan."""
SECRET_NAME = re.compile(r"(^|_)(TOKEN|KEY|SECRET|PASSWORD)$")
SECRET_VALUE = re.compile(r"\b(hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16})\b")
PIP_INSTALL = re.compile(r"\bpip3? install\s+([^;&|\n]*)")
MOVING = {
    re.compile(r"\bgit clone\b"): "a clone moves with its branch; allowed: files of this repository",
    re.compile(r"\b(curl|wget)\b.*\|\s*(sudo\s+)?(ba|z)?sh\b"): "a script off the net moves; allowed: `make env`",
    re.compile(r"@(main|master|HEAD|latest)\b"): "a branch moves; allowed: a commit or a version",
    re.compile(r"\b(conda|mamba) install\b"): "is not locked; allowed: `make env`, from the locks in images/",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What the rules look at: a lab as it was read, and the job that it names."""

    task: Document
    sidecar: Document
    lab: Lab
    job: Job | None
    root: Path
    catalog: Catalog
    """What the lab's course may use."""

    @classmethod
    def of(cls, task: Document, sidecar: Document, root: Path) -> Subject:
        """Read a lab as far as it can be read."""
        lab = Lab.of(task, sidecar)
        try:
            job = Job.load(lab.job, root=root)
        except InputError:
            job = None
        catalog = offered(Catalog.load(), lab.resources.labels.get("course"), root)
        return cls(task=task, sidecar=sidecar, lab=lab, job=job, root=root, catalog=catalog)

    def config_at(self, scale: str) -> Any:
        """The job's Config at a scale, with the lab's envs; None where the job is missing or refuses them."""
        try:
            return self.job and parse(self.job.config_type, self.lab.envs | {"SCALE": scale})
        except InputError:
            return None


Rule = Callable[[Subject], Iterator[Problem]]


def texts(config: Any) -> dict[str, str]:
    """The values of a Config that are texts, by field; none of a Config that could not be made."""
    return {} if config is None else {name: text for name, text in asdict(config).items() if isinstance(text, str)}


def header_tells_the_claim(subject: Subject) -> Iterator[Problem]:
    """The comment at the top has a title, the claim, its source and how the lab is used."""
    lines = subject.task.text.splitlines()
    end = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = [line.lstrip("# ") for line in lines[:end]]
    if not header or not header[0] or header[0].startswith(HEADINGS):
        yield _fault(subject.task, "header", "has no title; the first line is a comment that names the lab")
    for heading in HEADINGS:
        if not any(line.startswith(heading) and line != heading for line in header):
            yield _fault(subject.task, "header", f"lacks `{heading}`; allowed: a comment line `# {heading} ...`")


def name_is_the_file(subject: Subject) -> Iterator[Problem]:
    """The task bears the file's name, so that runs, costs and files can be told by one word."""
    name = subject.task.at("name")
    if name != subject.lab.name:
        yield _fault(subject.task, "name", f"{'missing' if name is None else repr(name)}; allowed: {subject.lab.name}")


def job_exists(subject: Subject) -> Iterator[Problem]:
    """The last line of `run:` names a module in `jobs/`."""
    if subject.lab.job and has_jobs(subject.root):
        try:
            Job.load(subject.lab.job, root=subject.root, path=str(subject.task.path))
        except InputError as error:
            for problem in error.problems:
                yield _fault(subject.task, "run", problem.message)


def envs_fit_the_job(subject: Subject) -> Iterator[Problem]:
    """Every env is a field of the job's Config and of its type, at every scale that the sidecar has."""
    if "SCALE" not in subject.lab.envs:
        yield _fault(subject.task, "envs.SCALE", f"missing; allowed: {', '.join(Scale)}")
    for key in (key for key, value in subject.task.mapping_at("envs").items() if value is None):
        yield _fault(subject.task, f"envs.{key}", "has no value; allowed: a value, or no such line")
    if subject.job is not None:
        config_type, own = subject.job.config_type, {"SCALE": "tiny"} | subject.lab.envs
        refused = dict.fromkeys(_refused(config_type, own))
        for scale in subject.lab.scales:
            refused |= dict.fromkeys(_refused(config_type, subject.lab.envs | {"SCALE": str(scale)}))
        for key, message in refused:
            yield _fault(subject.task, f"envs.{key}" if key else "envs", message)


def labels_are_legal(subject: Subject) -> Iterator[Problem]:
    """The cost tags are there, and every cloud takes every label."""
    labels = subject.lab.resources.labels
    for name in COURSE_LABELS:
        if name not in labels:
            yield _fault(subject.task, f"resources.labels.{name}", f"missing; {LABEL_RULE}")
    for key, value in labels.items():
        if not LABEL.fullmatch(key):
            yield _fault(subject.task, f"resources.labels.{key}", f"some cloud refuses this key; {LABEL_RULE}")
        if not LABEL.fullmatch(value):
            yield _fault(subject.task, f"resources.labels.{key}", f"some cloud refuses {value!r}; {LABEL_RULE}")
    if labels.get("lab", subject.lab.name) != subject.lab.name:
        yield _fault(subject.task, "resources.labels.lab", f"{labels['lab']!r}; allowed: {subject.lab.name}")


def machine_ends_when_idle(subject: Subject) -> Iterator[Problem]:
    """An idle machine is ended, not only stopped."""
    if subject.task.at("resources.autostop.down") is not True:
        yield _fault(subject.task, "resources.autostop.down", "must be true: a stopped machine's disk still costs")


def no_ports(subject: Subject) -> Iterator[Problem]:
    """Nothing listens to the world."""
    if subject.task.at("resources.ports") is not None:
        yield _fault(subject.task, "resources.ports", "not allowed; a service is reached through `ssh -L`")


def bound_to_no_place(subject: Subject) -> Iterator[Problem]:
    """Who launches chooses the cloud; the alternatives stand where the plan can price them."""
    for key in CHOSEN_AT_LAUNCH:
        if subject.task.at(f"resources.{key}") is not None:
            message = "not allowed; alternatives go in `accelerators`, the place in `sky launch --infra`"
            yield _fault(subject.task, f"resources.{key}", message)


def accelerators_have_a_price(subject: Subject) -> Iterator[Problem]:
    """The catalog has each alternative, so that the plan can price it and the policy lets it launch."""
    for message in _not_in_the_catalog(subject, subject.lab.resources.accelerators):
        yield _fault(subject.task, "resources.accelerators", message)


def installs_are_pinned(subject: Subject) -> Iterator[Problem]:
    """What a machine installs is the same tomorrow."""
    for key in ("setup", "run"):
        text = str(subject.task.at(key) or "").replace("\\\n", " ")
        for pattern, why in MOVING.items():
            for match in pattern.finditer(text):
                yield _fault(subject.task, key, f"`{match.group()}` {why}")
        for match in PIP_INSTALL.finditer(text):
            if not _is_pinned(match.group(1).split()):
                yield _fault(
                    subject.task, key, f"`{match.group().strip()}` is not pinned; allowed: `-r <lock>`, name==1.2"
                )


def hub_ids_are_pinned(subject: Subject) -> Iterator[Problem]:
    """Every model and data set, at every scale, carries its revision."""
    wrong = {
        f"{name.upper()}={value}"
        for scale in Scale
        for name, value in texts(subject.config_at(scale)).items()
        if HUB_ID.fullmatch(value) and not PINNED.fullmatch(value) and not (subject.root / value).is_dir()
    }
    for setting in sorted(wrong):
        yield _fault(subject.task, "envs", f"{setting}: not pinned; allowed: org/name@<40-hex revision>, or a folder")


def gated_models_ask_for_a_token(subject: Subject) -> Iterator[Problem]:
    """Where a licence must have been accepted, the lab says so before a machine is paid for."""
    secrets = subject.task.at("secrets") or ()
    values = [value for scale in Scale for value in texts(subject.config_at(scale)).values()]
    for value in sorted({value for value in values if value.startswith(GATED)}):
        if "HF_TOKEN" not in secrets:
            yield _fault(subject.task, "secrets.HF_TOKEN", f"missing; {value} is gated; allowed: `HF_TOKEN: null`")


def secrets_are_not_written(subject: Subject) -> Iterator[Problem]:
    """A secret comes from who launches."""
    secrets = subject.task.at("secrets")
    for key, value in secrets.items() if isinstance(secrets, dict) else ():
        if value is not None:
            yield _fault(subject.task, f"secrets.{key}", "is written in the file; allowed: null, and `--secret`")
    for key, value in subject.lab.envs.items():
        if value and SECRET_NAME.search(key):
            yield _fault(subject.task, f"envs.{key}", "looks like a secret; allowed: under `secrets`, as null")
    if SECRET_VALUE.search(subject.task.text):
        yield _fault(subject.task, "", "has a text that looks like a key; allowed: `secrets`, as null")


def every_scale_is_planned(subject: Subject) -> Iterator[Problem]:
    """The sidecar has each scale at which the job runs, `tiny` always, and none that the job refuses."""
    for scale in Scale:
        offered = scale is Scale.TINY or subject.config_at(scale) is not None
        if offered and scale not in subject.lab.scales:
            message = "missing; allowed: machine, hours, budget_usd, expect"
            yield _fault(subject.sidecar, f"scales.{scale}", message)


def every_scale_expects_something(subject: Subject) -> Iterator[Problem]:
    """A scale without an expectation would pass whatever it did."""
    for scale, planned in subject.lab.scales.items():
        if not planned.expect:
            message = "empty; allowed: one metric or more, each with its range, source and hardware"
            yield _fault(subject.sidecar, f"scales.{scale}.expect", message)


def machines_have_a_price(subject: Subject) -> Iterator[Problem]:
    """The catalog has what a scale asks for in place of the lab's own accelerators."""
    for scale, planned in subject.lab.scales.items():
        for message in _not_in_the_catalog(subject, planned.accelerators or {}):
            yield _fault(subject.sidecar, f"scales.{scale}.machine", message)


def full_fits(subject: Subject) -> Iterator[Problem]:
    """A job that says how much memory it takes finds it on each accelerator that the scale accepts."""
    for scale, planned in subject.lab.scales.items():
        footprint = getattr(subject.config_at(scale), "footprint", None)
        if footprint is not None and not planned.local:
            for message in misfits(footprint, subject.lab, scale, subject.catalog):
                yield _fault(subject.sidecar, f"scales.{scale}.machine", message)


TASK_RULES: tuple[Rule, ...] = (
    header_tells_the_claim,
    name_is_the_file,
    job_exists,
    envs_fit_the_job,
    labels_are_legal,
    machine_ends_when_idle,
    no_ports,
    bound_to_no_place,
    accelerators_have_a_price,
    installs_are_pinned,
    hub_ids_are_pinned,
    gated_models_ask_for_a_token,
    secrets_are_not_written,
)
SIDECAR_RULES: tuple[Rule, ...] = (
    every_scale_is_planned,
    every_scale_expects_something,
    machines_have_a_price,
    full_fits,
)


def _fault(document: Document, key: str, message: str) -> Problem:
    return Problem(path=str(document.path), key=key, message=message)


def _not_in_the_catalog(subject: Subject, accelerators: Mapping[str, int]) -> Iterator[str]:
    known = [f"{row.accelerator}:{row.accelerator_count}" for row in subject.catalog.rows if row.accelerator]
    for name, count in accelerators.items():
        if not subject.catalog.machines(accelerator=name, count=count):
            yield f"{name}:{count} is not in the course's catalog; allowed: {', '.join(dict.fromkeys(known))}"


def _refused(config_type: type[Any], values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What a Config says against values, as key and message."""
    try:
        parse(config_type, values)
    except InputError as error:
        for problem in error.problems:
            yield problem.key, problem.message


def _is_pinned(words: list[str]) -> bool:
    """Whether `pip install` reads a lock, or each word names a version or a path of this repository."""
    if "-r" in words or "--requirement" in words:
        return True
    return all("==" in word or word.startswith(("-", ".", "/", "'.", '".')) for word in words)
