"""What tests of specialised models share: cards that nobody measured, and requests of each shape."""

from __future__ import annotations

import pytest

from jobs.experts.cards import EXPERTS
from jobs.experts.requests import Request, make_requests

CARDS = {name: {"accuracy": 0.9, "num_parameters": 100} for name in EXPERTS}


@pytest.fixture(scope="session")
def requests() -> list[Request]:
    """Twelve of each shape."""
    return make_requests(12, seed=3)
