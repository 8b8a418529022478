"""A server under as many clients as there are, from few to many: what each load amounted to, and what it took."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clusterlab.errors import ClusterlabError
from jobs.load.loops import closed
from jobs.load.prompts import made_prompts
from jobs.load.summary import Slo, Summary
from jobs.load.target import Target
from jobs.versus.memory import peak_memory

NO_SLO = Slo(ttft_seconds=float("inf"), tpot_seconds=float("inf"))
"""Nobody asked for one here; `jobs/loadtest.py` measures goodput under one."""
MAX_LOADS = 1000
"""Between the seeds of two runs, so that no load of one has the prompts of a load of the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clients:
    """What clients ask, each again when it has its answer; the same of every server."""

    loads: tuple[int, ...]
    """Clients at one time."""
    requests_per_client: int
    num_words: int
    """Of a prompt."""
    lengths: tuple[int, ...]
    """Tokens of an answer, one drawn for each prompt."""
    limit_seconds: float
    """After which an answer is given up."""
    seed: int

    def load(self, target: Target, num_clients: int) -> Summary:
        """Put one load on a server, after a request of each client that is not counted.

        Raises:
            ClusterlabError: it did not answer every request.
        """
        import uvloop

        def ask(num_requests: int, lengths: Sequence[int], seed: int) -> Summary:
            prompts = made_prompts(num_requests, num_words=self.num_words, new_tokens=lengths, seed=seed)
            outcomes = uvloop.run(closed(target, prompts, concurrency=num_clients, limit_seconds=self.limit_seconds))
            return Summary.of(num_clients, outcomes, NO_SLO)

        seed = self.seed * MAX_LOADS + num_clients
        ask(num_clients, self.lengths[:1], -1 - seed)
        summary = ask(num_clients * self.requests_per_client, self.lengths, seed)
        if summary.num_done != summary.num_requests:
            raise ClusterlabError(f"{target.url}: {num_clients} clients: not all were answered: {summary.endings}")
        return summary


def put_loads(target: Target, clients: Clients) -> dict[str, Any]:
    """All loads, from few clients to many.

    Returns `loads`, the fields of a `Summary` each, and `memory_mib`, the most that the server took.

    Raises:
        ClusterlabError: the server did not answer every request.
    """
    with peak_memory() as peak:
        summaries = [clients.load(target, number) for number in clients.loads]
    return {"loads": [dataclasses.asdict(summary) for summary in summaries], "memory_mib": peak.mib}
