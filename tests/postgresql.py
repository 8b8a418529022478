"""A PostgreSQL server of the tests' own: a new cluster in a temporary folder, reached through its Unix socket alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine

INSTALL = "apt-get install postgresql"
UNPRIVILEGED = "nobody"
"""Whom a root starts it as: the server itself refuses to run as root."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A server that runs."""

    programs: Path
    folder: Path
    """Its socket lies in it, and its data below it."""
    waits_for_disk: bool
    """Nothing of the tests outlives the machine, so theirs need not; what it costs is seen only where it does."""

    def new_schema(self, name: str) -> str:
        """Make an empty schema with a user of its own, who is no superuser; the URL as that user."""
        self.execute(f"CREATE ROLE {name} LOGIN", f"CREATE SCHEMA AUTHORIZATION {name}")
        return f"postgresql://{name}@/postgres?host={self.folder}"

    def execute(self, *statements: str) -> None:
        """Have the superuser do something."""
        engine = create_engine(f"postgresql://tests@/postgres?host={self.folder}", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def start(self) -> None:
        """Start it."""
        fsync = "on" if self.waits_for_disk else "off"
        options = f"-k {self.folder} -c fsync={fsync} -c listen_addresses='' -c max_connections=100"
        self.run("pg_ctl", "start", "--wait", f"--log={self.folder / 'log'}", f"--options={options}")

    def crash(self) -> None:
        """End it as a crash does: what it did not write to its files yet is gone."""
        self.run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the data, as its user."""
        command = [str(self.programs / program), "--pgdata", str(self.folder / "data"), *arguments]
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        done = subprocess.run(command, user=user, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`, the newest where there are several; Debian has it on nobody's PATH."""
    found = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    initdb = found[-1] if found else shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@contextmanager
def server(bin_folder: Path, *, waits_for_disk: bool = False) -> Iterator[Server]:
    """Start a server, and end it with all that it wrote."""
    # A socket's path may have but 107 letters, and the server's user must come to it, as to pytest's folders he cannot.
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        made = Server(programs=bin_folder, folder=Path(name), waits_for_disk=waits_for_disk)
        if os.geteuid() == 0:
            shutil.chown(name, UNPRIVILEGED)
        made.run("initdb", "--username=tests", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        made.start()
        try:
            yield made
        finally:
            made.crash()
