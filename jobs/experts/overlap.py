"""What it is worth that steps which do not wait for each other are carried out together."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.experts.expert_server import execute
from jobs.experts.requests import Request, Shape
from jobs.serving.endpoint import Endpoint

NUM_PLANS = 12


async def overlap_of(requests: Sequence[Request], server: Endpoint, *, limit_seconds: float) -> dict[str, float]:
    """Right plans with branches, one plan at a time, branches together and one step at a time in turn.

    `overlap` is the time of all steps over that of their plans, and `speedup` the plans' time one step at a time over
    it.

    Raises:
        UnreachableError: the specialised models are gone.
    """
    together, apart, busy = 0.0, 0.0, 0.0
    for request in [each for each in requests if each.shape is Shape.GRAPH][:NUM_PLANS]:
        asked = (server, request.plan, request.models, request.resources)
        await execute(*asked, limit_seconds=limit_seconds)  # Its models are loaded then.
        first = await execute(*asked, limit_seconds=limit_seconds)
        second = await execute(*asked, limit_seconds=limit_seconds, one_by_one=True)
        together, apart, busy = together + first.seconds, apart + second.seconds, busy + first.busy_seconds
    return {"speedup": apart / together, "overlap": busy / together}
