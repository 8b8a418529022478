"""A class's name, for components that are looked at alone."""

from __future__ import annotations

from datetime import UTC, datetime

from infra.naming import Naming

NAMING = Naming(course="llm-2026", lease_until=datetime(2026, 12, 26, tzinfo=UTC))
