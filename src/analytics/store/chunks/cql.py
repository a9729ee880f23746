"""Connects to Cassandra, and translates the driver's errors into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cassandra import AuthenticationFailed, DriverException, InvalidRequest, Unauthorized
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import DCAwareRoundRobinPolicy

from analytics import tls
from analytics.errors import Misconfigured, StoreUnavailable
from analytics.parsing import host_and_port
from analytics.settings import CassandraSettings


def cluster(settings: CassandraSettings) -> Cluster:
    """Return a driver for the nodes of *settings*, not yet connected; the caller shuts it down."""
    nodes = [host_and_port(each) for each in settings.addresses]
    login = None
    if settings.username:
        login = PlainTextAuthProvider(settings.username, settings.password.get_secret_value())
    profile = ExecutionProfile(
        load_balancing_policy=DCAwareRoundRobinPolicy(settings.datacenter),
        request_timeout=settings.timeout_s,
    )
    return Cluster(
        nodes,
        port=nodes[0][1],  # of nodes that the driver learns of
        auth_provider=login,
        ssl_context=tls.context("cassandra", settings) if settings.tls else None,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=settings.timeout_s,
        protocol_version=5,
    )


@contextmanager
def translated(settings: CassandraSettings) -> Iterator[None]:
    """Raise `Misconfigured` or `StoreUnavailable` for what the driver raises in the block."""
    try:
        yield
    except Unauthorized as exc:
        raise Misconfigured(
            f"Cassandra denies {settings.username or 'anonymous users'} a permission we need: {exc}"
        ) from exc
    except InvalidRequest as exc:
        raise Misconfigured(
            f"Cassandra can't do what it is asked ({exc}): `analytics cluster config cassandra`"
            " prints the statements that make the keyspace"
        ) from exc
    except (NoHostAvailable, AuthenticationFailed, DriverException, OSError) as exc:
        if _unknown(exc):
            raise Misconfigured(
                "Cassandra does not know us: see cassandra.username and cassandra.password"
            ) from exc
        suspicion = ""
        if isinstance(exc, NoHostAvailable | OSError):
            suspicion = tls.check("cassandra", settings, settings.addresses) or _nameless(exc)
        raise StoreUnavailable(
            f"Cassandra at {settings.addresses[0]} does not answer: {suspicion or exc}"
        ) from exc


def _unknown(exc: Exception) -> bool:
    faults = (exc,)
    if isinstance(exc, NoHostAvailable) and isinstance(exc.errors, dict):
        faults = tuple(exc.errors.values())
    return any(isinstance(each, AuthenticationFailed) for each in faults)


def _nameless(exc: Exception) -> str:
    """Return a hint for when nodes answer but our keyspace cannot be used; "" otherwise."""
    if isinstance(exc, NoHostAvailable) and not isinstance(exc.errors, dict):
        return f"{exc.args[0]}; `analytics cluster config cassandra` prints what makes it"
    return ""
