"""What lies in Cassandra, read to be sure of it: only Ignite writes there."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from cassandra import DriverException
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
    Session,
)
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import DCAwareRoundRobinPolicy

from analytics.errors import Misconfigured, StoreUnavailable
from analytics.guard import Guard
from analytics.settings import Cassandra
from analytics.store import guards
from analytics.store.chunk import Head, Kind
from analytics.store.ignite.tables import CHUNKS

_HEAD: Final = (CHUNKS.key.name, *(each.name for each in CHUNKS.columns if each.name != "payload"))


class KeptChunks:
    """The chunks that Cassandra has. For one thread."""

    def __init__(self, settings: Cassandra, guard: Guard | None = None) -> None:
        self._settings = settings
        self._guard = guard or guards.cassandra(settings)
        self._cluster: Cluster | None = None
        self._session: Session | None = None
        self._rows: Any = None

    def close(self) -> None:
        """Give the connection back."""
        cluster, self._cluster, self._session = self._cluster, None, None
        if cluster is not None:
            cluster.shutdown()

    def rows(self, ids: Sequence[str]) -> dict[str, int]:
        """How many rows those of *ids* have that are there."""
        with self._connected() as session:
            found = execute_concurrent_with_args(
                session, self._rows, [(each,) for each in ids], concurrency=16
            )
            return {row.chunk_id: row.row_count for _, rows in found for row in rows}

    def heads(self) -> dict[int, list[Head]]:
        """For each partition, what is known of its chunks unread, in the order of offsets.

        It takes a scan.
        """
        found: dict[int, list[Head]] = {}
        with self._connected() as session:
            for row in session.execute(
                f"SELECT {', '.join(_HEAD)} FROM {CHUNKS.name}",  # noqa: S608 - names of our own
                timeout=120,
            ):
                head = Head(row[0], Kind(row[1]), *row[2:])
                found.setdefault(head.partition, []).append(head)
        for heads in found.values():
            heads.sort(key=lambda each: (each.first_offset, -each.last_offset))
        return dict(sorted(found.items()))

    @contextmanager
    def _connected(self) -> Iterator[Session]:
        with self._guard.call(), self._translated() as session:
            yield session

    @contextmanager
    def _translated(self) -> Iterator[Session]:
        try:
            if self._session is None:
                self._open()
            yield self._session
        except (NoHostAvailable, DriverException, OSError) as exc:
            self.close()
            raise StoreUnavailable(f"Cassandra does not answer: {exc}") from exc

    def _open(self) -> None:
        settings = self._settings
        hosts, ports = zip(*(each.rsplit(":", 1) for each in settings.addresses), strict=True)
        login = None
        if settings.username:
            login = PlainTextAuthProvider(settings.username, settings.password.get_secret_value())
        profile = ExecutionProfile(
            load_balancing_policy=DCAwareRoundRobinPolicy(settings.datacenter),
            request_timeout=settings.timeout_s,
        )
        self._cluster = Cluster(
            list(hosts),
            port=int(ports[0]),
            auth_provider=login,
            ssl_context=_context(settings) if settings.tls else None,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            connect_timeout=settings.timeout_s,
            protocol_version=5,
        )
        self._session = self._cluster.connect(settings.keyspace)
        self._rows = self._session.prepare(
            f"SELECT chunk_id, row_count FROM {CHUNKS.name} WHERE chunk_id = ?"  # noqa: S608
        )


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
