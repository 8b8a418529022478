from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from clusterlab.ledger.ledger import Ledger
from clusterlab.ledger.schema import REFUSAL
from tests.clusterlab.ledger.conftest import asked, use

UNGUARD = {
    "sqlite": [f"DROP TRIGGER {table}_no_{verb}" for table in ("entries", "balances") for verb in ("UPDATE", "DELETE")],
    "postgresql": [f"DROP TRIGGER {table}_append_only ON {table}" for table in ("entries", "balances")],
}


@pytest.fixture
def lived(url: str) -> Ledger:
    """A ledger with seven rows: its currency, a cap, and a run's whole life."""
    from clusterlab.ledger.budget import Scope
    from tests.clusterlab.ledger.conftest import Clock

    ledger = Ledger.open(url, begin=True, clock=Clock())
    ledger.set_cap(Scope.STUDENT, "ana", Decimal(20))
    ledger.reserve(asked(5))
    ledger.commit("r1")
    ledger.record(use(None))
    ledger.record(use(2))
    ledger.settle("r1")
    assert ledger.verify() is None
    return ledger


def tamper(ledger: Ledger, statement: str) -> None:
    """What somebody may do who owns the database: lift its triggers, and change a row."""
    with ledger.database.writing() as connection:
        for lift in UNGUARD[connection.dialect.name]:
            connection.exec_driver_sql(lift)
        assert _rows(connection, statement) == 1


def _rows(connection: Connection, statement: str) -> int:
    return connection.exec_driver_sql(statement).rowcount


STATEMENTS = [
    "UPDATE entries SET micro_usd = 0",
    "UPDATE entries SET micro_usd = 0 WHERE seq = 3",
    "DELETE FROM entries WHERE seq = 3",
    "DELETE FROM entries",
    "UPDATE balances SET held_micro_usd = 0",
    "DELETE FROM balances",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_database_itself_refuses_to_change_or_delete_a_row(lived: Ledger, statement: str) -> None:
    with pytest.raises(DBAPIError, match=REFUSAL), lived.database.writing() as connection:
        connection.exec_driver_sql(statement)
    assert lived.verify() is None
    lived.close()


def test_postgresql_refuses_to_empty_a_table(lived: Ledger) -> None:
    if lived.database.is_server:
        with pytest.raises(DBAPIError, match=REFUSAL), lived.database.writing() as connection:
            connection.exec_driver_sql("TRUNCATE entries")
    lived.close()


TAMPERED = {
    "amount": ("UPDATE entries SET micro_usd = 1 WHERE seq = 3", "row 3: its digest is not that of its values"),
    "owner": ("UPDATE entries SET student = 'bo' WHERE seq = 4", "row 4: its digest is not that of its values"),
    "price": ("UPDATE entries SET detail = '{}' WHERE seq = 6", "row 6: its digest is not that of its values"),
    "digest": ("UPDATE entries SET digest = previous WHERE seq = 5", "row 5: its digest is not that of its values"),
    "removed": ("DELETE FROM entries WHERE seq = 4", "row 5: follows row 3: a row between them was removed"),
    "first removed": ("DELETE FROM entries WHERE seq = 1", "row 2: follows row 0: a row between them was removed"),
    "balance": ("UPDATE balances SET held_micro_usd = 0 WHERE seq = 3 AND scope = 'student'", "row 3: the balances"),
    "cap": ("UPDATE balances SET cap_micro_usd = 99000000 WHERE seq = 2", "row 2: the balances after it are not the"),
    "no balance": ("DELETE FROM balances WHERE seq = 7 AND scope = 'team'", "row 7: the balances after it are not the"),
    "cut off": ("DELETE FROM entries WHERE seq = 7", "row 7: missing: there is a balance after it"),
}


@pytest.mark.parametrize(("statement", "fault"), TAMPERED.values(), ids=TAMPERED.keys())
def test_the_first_row_that_is_not_as_it_was_written_is_named(lived: Ledger, statement: str, fault: str) -> None:
    tamper(lived, statement)
    assert str(lived.verify()).startswith(fault)
    lived.close()


def test_a_row_that_is_made_to_fit_breaks_the_one_after_it(lived: Ledger) -> None:
    from sqlalchemy import select, update

    from clusterlab.ledger.entry import digest
    from clusterlab.ledger.schema import ENTRIES

    tamper(lived, "UPDATE entries SET lab = 'zero' WHERE seq = 4")
    with lived.database.writing() as connection:
        values = connection.execute(select(ENTRIES).where(ENTRIES.c.seq == 4)).one()._asdict()
        connection.execute(update(ENTRIES).where(ENTRIES.c.seq == 4).values(digest=digest(values)))
    assert str(lived.verify()) == "row 5: its digest of the row before is another: one of the two was changed"
    lived.close()


def test_an_end_that_is_cut_off_shows_by_a_digest_that_was_kept(lived: Ledger) -> None:
    head = lived.head()
    assert lived.verify(head=head) is None
    tamper(lived, "DELETE FROM entries WHERE seq = 7")
    with lived.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM balances WHERE seq = 7")
    assert lived.verify() is None
    assert str(lived.verify(head=head)) == f"row 7: missing: no row has the digest {head}"
    lived.close()
