"""Whether a run was the lab as handed out, and else what was changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterlab.config import Scale, parse
from clusterlab.job import Job
from clusterlab.lab import Lab
from clusterlab.run import Asked

MISSING = "missing"
WHOLE = ("job", "code", "lock")
"""Of what is asked, what differs as a whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An env that differs."""

    env: str
    handed_out: str
    used: str

    def __str__(self) -> str:
        return f"{self.env}: {self.handed_out} -> {self.used}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """What differs from the lab as handed out; nothing of a run that did just that."""

    envs: tuple[Change, ...] = ()
    others: tuple[str, ...] = ()
    """`job`, `code` (the files of `jobs/`), `lock` (`images/train.lock`), or a model or data set, by its env."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What kinds of things differ: `envs`, and the others by name."""
        return (*(["envs"] * bool(self.envs)), *self.others)

    @property
    def as_handed_out(self) -> str:
        """`yes`, or `no` with what kinds of things differ."""
        return f"no: {', '.join(self.kinds)}" if self.kinds else "yes"


def handed_out(lab: Lab, scale: Scale, root: Path) -> Asked:
    """What a run of the lab's file asks for at a scale, in the repository at `root`.

    Raises:
        InputError: there is no such job, or it refuses the lab's envs.
    """
    job = Job.load(lab.job, root=root, path=str(lab.path))
    config = parse(job.config_type, lab.envs | {"SCALE": str(scale)}, path=f"{lab.path}: envs")
    return Asked.of(lab.name, job.name, config, root=root)


def differences(asked: Asked, handed: Asked) -> Differences:
    """What a run asked for against what was handed out; the fingerprints are the same where there is none."""
    if asked.fingerprint == handed.fingerprint:
        return Differences()
    envs = [
        Change(env=name.upper(), handed_out=_shown(handed.config, name), used=_shown(asked.config, name))
        for name in _differing(handed.config, asked.config)
    ]
    others = [name for name in WHOLE if getattr(asked, name) != getattr(handed, name)]
    changed = {change.env for change in envs}
    sources = [name.upper() for name in _differing(handed.revisions, asked.revisions)]
    return Differences(envs=tuple(envs), others=(*others, *(each for each in sources if each not in changed)))


def _differing(handed: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*handed, *used]):
        # 1, 1.0 and true are equal to Python, and not to a fingerprint.
        if _typed(handed, name) != _typed(used, name):
            yield name


def _typed(values: Mapping[str, Any], name: str) -> tuple[type, Any]:
    value = values.get(name, MISSING)
    return (str, str(value)) if isinstance(value, str) else (type(value), value)


def _shown(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, MISSING)
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
