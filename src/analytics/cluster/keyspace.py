"""The keyspace in Cassandra, in which Ignite keeps what must last."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    Session,
)
from cassandra.policies import DCAwareRoundRobinPolicy

from analytics.errors import Misconfigured, StoreUnavailable
from analytics.settings import Cassandra
from analytics.store.ignite.tables import TABLES, Table

_TIMEOUT_S = 10.0


def ask(settings: Cassandra) -> str:
    """The version of Cassandra that answers. Raises `StoreUnavailable` when none does."""
    with _session(settings) as session:
        return str(session.execute("SELECT release_version FROM system.local").one()[0])


def ensure(settings: Cassandra) -> None:
    """Make the keyspace with its tables where they are missing."""
    with _session(settings) as session:
        for statement in statements(settings):
            session.execute(statement, timeout=60)


def statements(settings: Cassandra) -> Iterator[str]:
    """The CQL that makes the keyspace, for any cluster."""
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
def _session(settings: Cassandra) -> Iterator[Session]:
    """A session that asks the first node that answers."""
    hosts, ports = zip(*(each.rsplit(":", 1) for each in settings.addresses), strict=True)
    login = None
    if settings.username:
        login = PlainTextAuthProvider(settings.username, settings.password.get_secret_value())
    profile = ExecutionProfile(
        load_balancing_policy=DCAwareRoundRobinPolicy(settings.datacenter),
        request_timeout=_TIMEOUT_S,
    )
    cluster = Cluster(
        list(hosts),
        port=int(ports[0]),
        auth_provider=login,
        ssl_context=_context(settings) if settings.tls else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=_TIMEOUT_S,
        protocol_version=5,
    )
    try:
        yield cluster.connect()
    except (NoHostAvailable, DriverException, OSError) as exc:
        raise StoreUnavailable(
            f"Cassandra at {settings.addresses[0]} does not answer: {exc}"
        ) from exc
    finally:
        cluster.shutdown()


def _context(settings: Cassandra) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.tls_ca)
        if settings.tls_certificate is not None:
            context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as exc:
        raise Misconfigured(
            f"cassandra.tls_*: a certificate or its key can't be read: {exc}"
        ) from exc
    return context
