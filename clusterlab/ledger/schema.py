"""The ledger's two tables; triggers of the database itself refuse to change or delete a row of either."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table, Text, inspect

METADATA = MetaData()

ENTRIES = Table(
    "entries",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("student", Text),
    Column("team", Text),
    Column("course", Text),
    Column("lab", Text),
    Column("run", Text),
    # By bytes, also where a server sorts by a language: what is of one resource then lies together.
    Column("interval", Text().with_variant(Text(collation="C"), "postgresql")),
    Column("micro_usd", BigInteger, nullable=False),
    Column("expires", Text),
    Column("detail", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Index("entries_run", "run"),
    Index("entries_interval", "interval"),
    Index("entries_expires", "expires"),
)
"""The rows in order; `clusterlab.ledger.entry` says what each column is."""

BALANCES = Table(
    "balances",
    METADATA,
    Column("scope", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("held_micro_usd", BigInteger, nullable=False),
    Column("cap_micro_usd", BigInteger),
)
"""What a student, a team or a course held after a row, and what it may hold: the sums over `entries`, kept so that a
launch need not add them up. `verify` adds them up."""

TABLES = (ENTRIES.name, BALANCES.name)
VERBS = ("UPDATE", "DELETE")
REFUSAL = "the ledger is append-only"

_SQLITE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{refusal}'); END
"""
_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION clusterlab_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '{refusal}'; END $$
"""
_POSTGRESQL = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION clusterlab_refuse()
"""


def create(connection: Connection) -> None:
    """Make the tables and their triggers, where they are not there yet."""
    if inspect(connection).has_table(ENTRIES.name):
        return
    METADATA.create_all(connection)
    if connection.dialect.name == "sqlite":
        statements = [_SQLITE.format(table=table, verb=verb, refusal=REFUSAL) for table in TABLES for verb in VERBS]
    else:
        triggers = [_POSTGRESQL.format(table=table) for table in TABLES]
        statements = [_POSTGRESQL_FUNCTION.format(refusal=REFUSAL), *triggers]
    for statement in statements:
        connection.exec_driver_sql(statement)
