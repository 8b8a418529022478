"""The database of a ledger: SQLite in a file, or a PostgreSQL server; one writer at a time, in transactions."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, NoSuchModuleError, OperationalError

from clusterlab.errors import InputError, Problem, StorageError, UnreachableError

ALLOWED = "allowed: sqlite:///FILE, or postgresql://USER@HOST/DATABASE"
WAIT_SECONDS = 30
"""How long one writer waits for the others; at a few milliseconds each, that is thousands of them."""
CONNECT_SECONDS = 10
LOCK = 0x6C656467
"""PostgreSQL's number of the lock that a writer holds until its transaction ends."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {"timeout": WAIT_SECONDS},
    # A writer that hangs, or whose machine is gone, is thrown out rather than waited for.
    "postgresql": {
        "connect_timeout": CONNECT_SECONDS,
        "options": f"-c lock_timeout={WAIT_SECONDS}s -c idle_in_transaction_session_timeout={WAIT_SECONDS}s",
    },
}

_BEGIN_TO_WRITE = select(func.set_config("synchronous_commit", "off", True), func.pg_advisory_xact_lock(LOCK))
_FLUSH = select(func.pg_logical_emit_message(True, "clusterlab", "flush"))


@dataclass(frozen=True, kw_only=True, slots=True, weakref_slot=True)
class Database:
    """Where a ledger lies. Its connections are closed with it, also where nobody does so."""

    engine: Engine
    writer: Engine
    """The same, whose transactions are a writer's from their beginning."""

    def __post_init__(self) -> None:
        weakref.finalize(self, self.engine.dispose)

    @classmethod
    def at(cls, url: str, *, path: str) -> Database:
        """The database of a URL; nothing is connected to yet. `path` is the option or variable that carried it.

        Raises:
            InputError: it is no URL of SQLite or PostgreSQL.
        """
        try:
            parsed = make_url(url)
            backend = parsed.get_backend_name()
            if backend not in _OPTIONS or (backend == "sqlite" and parsed.database in (None, "", ":memory:")):
                raise ArgumentError("no such database")
            engine = create_engine(parsed, connect_args=_OPTIONS[backend])
        except (ArgumentError, NoSuchModuleError) as error:
            raise InputError(Problem(path=path, message=f"{_shown(url)!r}; {ALLOWED}")) from error
        if backend == "sqlite":
            _begin_by_ourselves(engine)
        return cls(engine=engine, writer=engine.execution_options(writing=True))

    @property
    def name(self) -> str:
        """Its URL without the password."""
        return self.engine.url.render_as_string(hide_password=True)

    @property
    def there(self) -> bool:
        """Whether it can be asked without making it: SQLite makes the file that it is asked for."""
        return self.is_server or Path(self.engine.url.database or "").is_file()

    @property
    def is_server(self) -> bool:
        """Whether it is PostgreSQL."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer is beside; what it wrote is there for all, or not at all.

        A server's writers do not wait for the disk in turn, which would take milliseconds from each: a transaction ends
        in memory, and only then, beside those of others, is it waited for until it is on the disk.

        Raises:
            UnreachableError: the database does not answer, or others have held it for too long.
            StorageError: what lies there is no database, or it is damaged.
        """
        with self._answering(), self.writer.begin() as connection:
            if self.is_server:
                connection.execute(_BEGIN_TO_WRITE)
            yield connection
        if self.is_server:
            self._flush()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, beside whoever writes.

        Raises:
            UnreachableError: the database does not answer.
            StorageError: what lies there is no database, or it is damaged.
        """
        with self._answering(), self.engine.begin() as connection:
            if self.is_server:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    def now(self, connection: Connection) -> datetime:
        """The time of the database, which is one for all who write to it; SQLite's is this machine's."""
        if not self.is_server:
            return datetime.now(UTC)
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)

    def _flush(self) -> None:
        """Wait until all that was committed before is on the disk: this commit waits for it, and comes after it."""
        at_once = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with self._answering(), at_once.connect() as connection:
            connection.execute(_FLUSH)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            raise UnreachableError(f"{self.name}: the ledger does not answer: {_reason(error)}") from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:
                raise
            raise StorageError(f"{self.name}: the ledger cannot be read: {_reason(error)}; {ALLOWED}") from error


def _begin_by_ourselves(engine: Engine) -> None:
    """Have SQLite's transactions begin when they are asked to, a writer's with the lock already taken.

    Otherwise two that have both read would both wait to write, and one of them would be refused.
    """

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # Whoever is killed loses nothing that was committed. The machine's own fall may lose the last moments, and
        # leaves the rows before them whole; to wait for the disk at every launch is a server's task.
        connection.execute("PRAGMA synchronous=NORMAL")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writing = connection.get_execution_options().get("writing")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _shown(url: str) -> str:
    """A URL for a message; what may be a password is left out."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url if "@" not in url else "..."


def _reason(error: DatabaseError | InterfaceError) -> str:
    return " ".join(str(error.orig).split())
