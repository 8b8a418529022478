"""What an environment may lack and some tests need: such a test is skipped, and says what to type."""

from __future__ import annotations

import pytest

from clusterlab import skypilot

needs_skypilot = pytest.mark.skipif(skypilot.version() is None, reason=f"needs SkyPilot: `{skypilot.INSTALL}`")
