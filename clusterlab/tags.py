"""The cost tags that every machine, job and run carries."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from clusterlab.errors import InputError, Problem

LABEL = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
"""Legal as an AWS tag, a GCP label and a Kubernetes label at once."""
LEASE_FORMAT = "%Y%m%dt%H%M%Sz"
"""Of an instant in UTC, as a label can say it."""
LABEL_RULE = "allowed: 1 to 63 of a-z, 0-9, '_' and '-', the first and last a letter or digit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tags:
    """Who pays for what: one value each, legal on every cloud.

    Raises:
        InputError: a value is not a label.
    """

    course: str
    lab: str
    student: str
    team: str | None = None
    run: str | None = None
    lease_until: str | None = None
    """When the resource may be ended, as `20261125t183000z` (UTC)."""

    def __post_init__(self) -> None:
        problems = [
            Problem(path="tags", key=key, message=f"{value!r} is not a label; {LABEL_RULE}")
            for key, value in self.labels().items()
            if not LABEL.fullmatch(value)
        ]
        if problems:
            raise InputError(problems)

    def labels(self) -> dict[str, str]:
        """The tags as cloud labels, those without a value left out."""
        return {key.replace("_", "-"): value for key, value in asdict(self).items() if value is not None}

    def format(self) -> str:
        """The tags as one word, `course=llm-2026,lab=qlora,student=ana`, for an environment variable."""
        return ",".join(f"{key}={value}" for key, value in self.labels().items())

    @classmethod
    def parse(cls, text: str) -> Tags:
        """Read back what `format` wrote.

        Raises:
            InputError: a pair without `=`, an unknown or a missing key, or a value that is not a label.
        """
        allowed = {name.replace("_", "-"): name for name in cls.__dataclass_fields__}
        values: dict[str, str] = {}
        problems = []
        for pair in text.split(","):
            key, equals, value = pair.partition("=")
            if not equals or key not in allowed:
                problems.append(Problem(path="tags", key=key, message=f"unknown; allowed: {', '.join(allowed)}"))
            else:
                values[allowed[key]] = value
        missing = {"course", "lab", "student"} - values.keys()
        problems += [Problem(path="tags", key=key, message="missing") for key in sorted(missing)]
        if problems:
            raise InputError(problems)
        return cls(**values)
