"""What somebody asks to run, checked before anything is waited for."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from clusterlab.config import from_environment, to_flags
from clusterlab.errors import InputError, Problem
from clusterlab.job import Job
from clusterlab.run import Asked
from clusterlab.tags import Tags

FOLDER_VARIABLE = "CLUSTERLAB_RUN_DIR"
TAGS_VARIABLE = "CLUSTERLAB_TAGS"
PRICE_VARIABLE = "CLUSTERLAB_USD_PER_HOUR"
"""The price of the machine in dollars an hour; not set where nobody knows it."""
FINGERPRINT_VARIABLE = "CLUSTERLAB_FINGERPRINT"
COMMIT_VARIABLE = "CLUSTERLAB_COMMIT"
RESULTS, RESULTS_PAGE = Path("labs", "results"), Path("docs", "results.md")
"""What `clusterlab reproduce` itself writes after each lab: it makes the commit of the next one no other."""
STOP_SECONDS = 45
"""How long a job that is stopped has for its record, and its server for the answers that it has begun."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One job with all its values."""

    job: Job
    config: Any
    tags: Tags
    asked: Asked
    usd_per_hour: Decimal | None
    commit: str | None

    @classmethod
    def of(cls, job_name: str, environment: Mapping[str, str], *, root: Path) -> Request:
        """Read the job's values, the tags and the price out of the environment.

        Raises:
            InputError: there is no such job, or one of its values, a tag or the price is wrong.
        """
        job = Job.load(job_name, root=root)
        config = from_environment(job.config_type, environment)
        tags = _tags(job_name, environment)
        return cls(
            job=job,
            config=config,
            tags=tags,
            asked=Asked.of(tags.lab, job.name, config, root=root),
            usd_per_hour=usd_per_hour(environment),
            commit=commit_of(root) or environment.get(COMMIT_VARIABLE),
        )

    def entrypoint(self, folder: Path, *, python: str) -> str:
        """The command that Ray runs on the node: every value is an explicit flag."""
        command = [python, "-m", "jobs.launch.execute", self.job.name, f"--run={folder}", *to_flags(self.config)]
        # `exec`, so that no shell stands between Ray's signals and the job.
        return f"exec {shlex.join(command)}"

    def metadata(self) -> dict[str, str]:
        """The tags and the fingerprint, as Ray shows them beside the job."""
        return self.tags.labels() | {"fingerprint": self.asked.fingerprint}

    def variables(self, folder: Path) -> dict[str, str]:
        """What the entrypoint and its workers find in their environment."""
        known = {PRICE_VARIABLE: self.usd_per_hour, COMMIT_VARIABLE: self.commit}
        return {
            FOLDER_VARIABLE: str(folder),
            TAGS_VARIABLE: self.tags.format(),
            FINGERPRINT_VARIABLE: self.asked.fingerprint,
            # Output goes to a file: Python would keep it back, kilobytes of it, and put it behind what an error says.
            "PYTHONUNBUFFERED": "1",
            # Ray kills a stopped job after 3 seconds if it is not told otherwise.
            "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS),
        } | {name: str(value) for name, value in known.items() if value is not None}


def usd_per_hour(environment: Mapping[str, str]) -> Decimal | None:
    """What the machine costs, None where nobody said.

    Raises:
        InputError: it is no amount.
    """
    text = environment.get(PRICE_VARIABLE)
    if not text:
        return None
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or price < 0:
        raise InputError(Problem(path=PRICE_VARIABLE, message=f"{text!r}; allowed: dollars an hour, such as 0.8048"))
    return price


def _tags(job_name: str, environment: Mapping[str, str]) -> Tags:
    text = environment.get(TAGS_VARIABLE)
    return Tags.parse(text) if text else Tags(course="none", lab=job_name, student="local")


def commit_of(root: Path) -> str | None:
    """The commit of the repository, `-dirty` where files differ from it; None where there is no repository."""
    own = [f":(exclude){path.as_posix()}" for path in (RESULTS, RESULTS_PAGE)]
    try:
        head = _git(root, "rev-parse", "HEAD")
        return f"{head}-dirty" if _git(root, "status", "--porcelain", "--", ".", *own) else head
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
