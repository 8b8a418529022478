"""Notices in a file, one JSON object a line: for a dashboard, or for who has no mail server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterlab.enforcement.notice import Notice
from clusterlab.run import append_line


@dataclass(frozen=True, kw_only=True, slots=True)
class Log:
    """One file, which is made where it is not there."""

    path: Path

    @property
    def service(self) -> str:
        """The file."""
        return self.name

    @property
    def name(self) -> str:
        """The file's path, as it was given."""
        return f"file:{self.path}"

    def notify(self, notice: Notice) -> None:
        """Add a line.

        Raises:
            StorageError: it cannot be written.
        """
        append_line(self.path, notice.as_json())
