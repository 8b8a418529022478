from __future__ import annotations

import sqlite3
import sys
import threading
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import ProgrammingError

from clusterlab.errors import InputError, MissingError, StorageError, UnreachableError
from clusterlab.ledger import database, location
from clusterlab.ledger.budget import Scope
from clusterlab.ledger.ledger import Ledger
from tests import postgresql
from tests.clusterlab.ledger.conftest import Clock, asked


@pytest.mark.parametrize(
    "url", ["ledger.db", "sqlite://", "sqlite:///:memory:", "mysql://u@h/d", "nonsense://x", "postgres://u:secret@h/d"]
)
def test_a_url_of_no_such_database_is_refused_and_no_password_shown(url: str) -> None:
    with pytest.raises(InputError, match=r"^CLUSTERLAB_LEDGER: .*; allowed: sqlite:///FILE, or postgresql://") as error:
        Ledger.open(url, path="CLUSTERLAB_LEDGER")
    assert "secret" not in str(error.value)


def test_no_ledger_is_made_by_looking_for_one(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r": no ledger there; `clusterlab budget set` begins one$"):
        Ledger.open(url)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_is_begun_once(url: str) -> None:
    heads = []
    for _ in range(2):
        ledger = Ledger.open(url, begin=True)
        heads.append(ledger.head())
        ledger.close()
    assert heads[0] == heads[1]


def test_a_folder_that_is_not_there_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=r"^sqlite:///.*: the ledger does not answer: unable to open database"):
        Ledger.open(f"sqlite:///{tmp_path}/none/ledger.db", begin=True)


def test_a_server_that_is_not_there_does_not_answer_and_its_password_is_not_shown() -> None:
    with pytest.raises(
        UnreachableError, match=r"^postgresql://ana:\*\*\*@127.0.0.1:1/course: the ledger does"
    ) as error:
        Ledger.open("postgresql://ana:secret@127.0.0.1:1/course")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("content", [b"no database " * 99, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_no_ledger(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"^sqlite:///.*ledger.db: the ledger cannot be read: "):
        Ledger.open(f"sqlite:///{path}")


def test_a_database_of_something_else_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
    with pytest.raises(InputError, match=r"other.db: no ledger there"):
        Ledger.open(f"sqlite:///{path}")


def test_a_ledger_of_another_currency_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    with monkeypatch.context() as patch:
        patch.setattr("clusterlab.ledger.ledger.CURRENCY", "EUR")
        Ledger.open(url, begin=True).close()
    with pytest.raises(InputError, match=r"^sqlite:///.*: currency: EUR; allowed: USD$"):
        Ledger.open(url)


def test_a_writer_that_hangs_is_waited_for_so_long_and_no_longer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"sqlite": {"timeout": 0.1}, "postgresql": {"options": "-c lock_timeout=100ms"}}
    monkeypatch.setattr(database, "_OPTIONS", options)
    ledger = Ledger.open(url, begin=True, clock=Clock())
    ledger.set_cap(Scope.STUDENT, "ana", Decimal(20))
    held, over = threading.Event(), threading.Event()

    def hang() -> None:
        with ledger.database.writing():
            held.set()
            over.wait()

    other = threading.Thread(target=hang)
    other.start()
    held.wait()
    with pytest.raises(UnreachableError, match=r": the ledger does not answer: .*lock"):
        ledger.reserve(asked(1))
    over.set()
    other.join()
    ledger.reserve(asked(1))
    ledger.close()


def test_a_student_needs_but_to_read_and_add_rows(postgresql_server: postgresql.Server) -> None:
    url = postgresql_server.new_schema("instructor")
    student = postgresql_server.new_schema("student")
    with closing(Ledger.open(url, begin=True, clock=Clock())) as ledger:
        ledger.set_cap(Scope.STUDENT, "ana", Decimal(20))
    postgresql_server.execute(
        "GRANT USAGE ON SCHEMA instructor TO student",
        "GRANT SELECT, INSERT ON instructor.entries, instructor.balances TO student",
        "ALTER ROLE student SET search_path = instructor",
    )
    with closing(Ledger.open(student, clock=Clock())) as ledger:
        ledger.reserve(asked(5))
        assert ledger.verify() is None
        for statement in ("UPDATE entries SET micro_usd = 0", "DROP TRIGGER entries_append_only ON entries"):
            refused = pytest.raises(ProgrammingError, match=r"permission denied|must be owner")
            with refused, ledger.database.writing() as connection:
                connection.exec_driver_sql(statement)


def test_where_none_is_named_none_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLUSTERLAB_LEDGER", raising=False)
    assert location.named() is None
    with pytest.raises(InputError, match=r"^CLUSTERLAB_LEDGER: not set; allowed: the ledger's URL"):
        location.open_ledger()


def test_where_sqlalchemy_is_missing_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERLAB_LEDGER", "sqlite:///ledger.db")
    for name in [name for name in sys.modules if name.startswith("clusterlab.ledger.") and "location" not in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingError, match=r"^sqlalchemy: not installed; `pip install 'clusterlab\[money\]'`"):
        location.open_ledger()
