"""The languages in which a class is spoken to."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    """Of what students read, and of what is shown."""

    EN = "en"
    ES = "es"
