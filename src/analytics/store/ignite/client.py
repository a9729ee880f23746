"""A connection to Ignite's nodes that translates the driver's errors into ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from pyignite.exceptions import (
    AuthenticationError,
    BinaryTypeError,
    CacheError,
    ClusterError,
    HandshakeError,
    NotSupportedByClusterError,
    ParameterError,
    ParseError,
    ReconnectError,
    SocketError,
    SQLError,
)

from analytics import tls
from analytics.errors import Misconfigured, StoreUnavailable
from analytics.guard import Guard
from analytics.parsing import host_and_port
from analytics.settings import IgniteSettings
from analytics.store import guards
from analytics.store.ignite.driver import Driver
from analytics.store.ignite.tables import SCHEMA

_FAULTS: Final = (
    BinaryTypeError,
    CacheError,
    ClusterError,
    HandshakeError,
    NotSupportedByClusterError,
    ParameterError,
    ParseError,
    ReconnectError,
    SocketError,
    SQLError,
    OSError,
)


class IgniteClient:
    """A connection that opens on first use, and again after it broke. For one thread.

    Every method raises `StoreUnavailable` if Ignite does not answer, and `Misconfigured` if it
    refuses the first connection.
    """

    def __init__(self, settings: IgniteSettings, guard: Guard | None = None) -> None:
        self._settings = settings
        self._guard = guard or guards.ignite(settings)
        self._driver: Driver | None = None
        self._worked = False

    def close(self) -> None:
        """Close the connection."""
        driver, self._driver = self._driver, None
        if driver is not None:
            with suppress(*_FAULTS):
                driver.close()

    def put(
        self, cache: str, entries: Mapping[str, object], *, expires_after_s: float | None = None
    ) -> None:
        """Store *entries* over those with the same keys; without *expires_after_s*, forever."""
        with self._connected() as driver:
            ttl_ms = None if expires_after_s is None else round(expires_after_s * 1000)
            driver.kept_cache(cache, ttl_ms).put_all(dict(entries))

    def get(self, cache: str, keys: Sequence[str]) -> Mapping[str, Any]:
        """Map *keys* to their values, or None; evicted ones are loaded from Cassandra."""
        with self._connected() as driver:
            values: Mapping[str, Any] = driver.kept_cache(cache).get_all(list(keys))
            return values

    def swap(self, cache: str, key: str, known: object, value: object) -> bool:
        """Store *value* if *key* has the value *known* (None: is absent); return whether it did."""
        with self._connected() as driver:
            entries = driver.kept_cache(cache)
            if known is None:
                return bool(entries.put_if_absent(key, value))
            return bool(entries.replace_if_equals(key, known, value))

    def remove(self, cache: str, keys: Sequence[str]) -> None:
        """Delete *keys* from memory and from Cassandra."""
        with self._connected() as driver:
            driver.kept_cache(cache).remove_keys(list(keys))

    def evict(self, cache: str, keys: Sequence[str]) -> None:
        """Remove *keys* from memory only; `get` loads them from Cassandra again."""
        with self._connected() as driver:
            driver.kept_cache(cache).clear_keys(list(keys))

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[list[Any]]:
        """Return all rows of an SQL query; only entries in Ignite's memory are seen."""
        with (
            self._connected() as driver,
            driver.sql(sql, query_args=list(parameters), schema=SCHEMA) as cursor,
        ):
            return list(cursor)

    @contextmanager
    def _connected(self) -> Iterator[Driver]:
        with self._guard.call(), self._translated() as driver:
            yield driver

    @contextmanager
    def _translated(self) -> Iterator[Driver]:
        try:
            if self._driver is None:
                self._driver = self._connect()
                self._worked = True
            else:
                self._driver.deadline.begin()
            yield self._driver
        except AuthenticationError as exc:
            self.close()
            raise self._refused(
                "Ignite does not know us: see ignite.username and ignite.password"
            ) from exc
        except _FAULTS as exc:
            reason = repr(exc)
            if self._driver is None and not isinstance(exc, TimeoutError):
                reason = self._why_unconnected() or reason
            self.close()
            raise StoreUnavailable(f"Ignite does not answer: {reason}") from exc

    def _why_unconnected(self) -> str:
        try:
            return tls.check("ignite", self._settings, self._settings.addresses)
        except Misconfigured as wrong:
            raise self._refused(str(wrong)) from wrong

    def _refused(self, why: str) -> Misconfigured | StoreUnavailable:
        """Return the error for a refused login: after a success it is taken as temporary."""
        return StoreUnavailable(why) if self._worked else Misconfigured(why)

    def _connect(self) -> Driver:
        settings = self._settings
        login: dict[str, object] = {}
        if settings.username:
            login = {
                "username": settings.username,
                "password": settings.password.get_secret_value(),
            }
        context = tls.context("ignite", settings) if settings.tls else None
        driver = Driver(context, settings.timeout_s, **login)
        driver.connect([host_and_port(each) for each in settings.addresses])
        return driver
