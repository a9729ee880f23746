"""Creates the keyspace in Cassandra to which Ignite writes its durable tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cassandra.cluster import Session

from analytics.settings import CassandraSettings
from analytics.store.chunks import cql
from analytics.store.ignite.tables import TABLES, Table


def ask(settings: CassandraSettings) -> str:
    """Return the version of the Cassandra that answers. Raise `StoreUnavailable` if none does."""
    with _session(settings) as session:
        return str(session.execute("SELECT release_version FROM system.local").one()[0])


def ensure(settings: CassandraSettings) -> None:
    """Create the keyspace and its tables if they are missing. Raise `StoreUnavailable`."""
    with _session(settings) as session:
        for statement in statements(settings):
            session.execute(statement, timeout=60)


def statements(settings: CassandraSettings) -> Iterator[str]:
    """Yield the CQL statements that create the keyspace and its tables, for any cluster."""
    yield (
        f"CREATE KEYSPACE IF NOT EXISTS {settings.keyspace} WITH replication = "
        f"{{'class': 'NetworkTopologyStrategy', '{settings.datacenter}': {settings.replication}}}"
    )
    for table in TABLES:
        if table.durable:
            yield _table(settings.keyspace, table)


def _table(keyspace: str, table: Table) -> str:
    columns = ", ".join(
        f"{column.name} {column.kind.cql}" for column in (table.key, *table.columns)
    )
    # Payloads are compressed already.
    return (
        f"CREATE TABLE IF NOT EXISTS {keyspace}.{table.name} "
        f"({columns}, PRIMARY KEY ({table.key.name})) "
        "WITH compression = {'enabled': 'false'}"
    )


@contextmanager
def _session(settings: CassandraSettings) -> Iterator[Session]:
    with cql.translated(settings):
        cluster = cql.cluster(settings)
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()
