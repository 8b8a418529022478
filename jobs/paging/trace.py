"""A trace of requests: how many tokens each prompt and each output had."""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from pathlib import Path

from clusterlab.errors import InputError, Problem

SHIPPED = "shipped"
LENGTHS = Path(__file__).with_name("lengths.csv")
"""Recorded by `jobs.paging.record`; its first lines say of what."""
COLUMNS = ("prompt_tokens", "output_tokens")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request; both in tokens, both at least 1."""

    prompt_tokens: int
    output_tokens: int

    @property
    def total_tokens(self) -> int:
        """The length of the sequence at its end."""
        return self.prompt_tokens + self.output_tokens


def load_trace(source: str, num_requests: int, longest: int) -> list[Request]:
    """The first requests of `shipped`, or of a CSV file with the columns of `COLUMNS`; lines with `#` are left out.

    Raises:
        InputError: it isn't such a file, has fewer requests, or one that is empty or longer than `longest`.
    """
    path = LENGTHS if source == SHIPPED else Path(source)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    rows = csv.DictReader(lines)
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise InputError(Problem(path=str(path), message=f"columns {rows.fieldnames}; allowed: {', '.join(COLUMNS)}"))
    numbered = itertools.islice(enumerate(rows, start=1), num_requests)
    requests = [_request(path, number, row, longest) for number, row in numbered]
    if len(requests) < num_requests:
        message = f"has {len(requests)} requests; NUM_REQUESTS={num_requests} asks for more"
        raise InputError(Problem(path=str(path), message=message))
    return requests


def _request(path: Path, number: int, row: dict[str, str], longest: int) -> Request:
    try:
        request = Request(**{name: int(row[name]) for name in COLUMNS})
    except (TypeError, ValueError):
        raise InputError(Problem(path=str(path), message=f"request {number}: {row}; allowed: whole numbers")) from None
    if min(request.prompt_tokens, request.output_tokens) < 1 or request.total_tokens > longest:
        message = f"request {number}: {row}; allowed: 1 token or more each, and at most {longest} together"
        raise InputError(Problem(path=str(path), message=message))
    return request
