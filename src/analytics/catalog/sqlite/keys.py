"""API keys in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final
from uuid import uuid4

import msgspec

from analytics.catalog.audit_log import AuditAction
from analytics.catalog.base import unknown_site
from analytics.catalog.sqlite.audit import SqliteAuditLog
from analytics.catalog.sqlite.database import Database
from analytics.errors import Malformed, NotFound
from analytics.person import MAX_KEY_DAYS, Key, Scope
from analytics.submission import AlreadyDone, new_secret
from analytics.units import DAY_MS

PREFIX: Final = "ak_"
"""The prefix by which people and secret scanners recognise a key."""


class SqliteKeys:
    """Keys in memory by the SHA-256 of their secrets; the secrets themselves are not stored."""

    def __init__(
        self, database: Database, audit_log: SqliteAuditLog, now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._audit_log = audit_log
        self._now_ms = now_ms
        self._by_hash: Mapping[bytes, Key] = {}
        self._used: dict[str, int] = {}
        """The last day of use of keys, by id, since the start."""
        self._written: Mapping[str, int] = {}

    def load(self) -> None:
        """Load all keys into memory."""
        self._database.transact(_every, self.take)

    async def create(
        self,
        *,
        scopes: Sequence[Scope],
        site: str | None,
        label: str = "",
        days: int | None = None,
    ) -> tuple[Key, str]:
        if not scopes:
            raise Malformed("scopes", f"give at least one of {', '.join(Scope)}")
        if days is not None and not 1 <= days <= MAX_KEY_DAYS:
            raise Malformed("expires", f"give 1 to {MAX_KEY_DAYS:,} days, or nothing")
        created_at = self._now_ms()
        secret = PREFIX + new_secret(20).hex()
        key = Key(
            id=str(uuid4()),
            scopes=tuple(dict.fromkeys(scopes)),
            site=site,
            created_at=created_at,
            label=label,
            expires_at=None if days is None else created_at + days * DAY_MS,
        )

        def insert(connection: sqlite3.Connection) -> Mapping[bytes, Key]:
            if site is not None and not _is_site(connection, site):
                raise unknown_site(site)
            if connection.execute(
                "SELECT 1 FROM keys WHERE secret = ?", (_hash(secret),)
            ).fetchone():
                raise AlreadyDone
            connection.execute(
                "INSERT INTO keys (id, secret, created_at, body) VALUES (?, ?, ?, ?)",
                (key.id, _hash(secret), key.created_at, msgspec.json.encode(key)),
            )
            return _every(connection)

        try:
            await self._audit_log.change(
                insert, AuditAction.KEY_CREATED, about=_named(key), site=site or "", then=self.take
            )
        except AlreadyDone:
            if (stored := self._by_hash.get(_hash(secret))) is None:
                raise  # it was revoked since
            return stored, secret
        return key, secret

    def find(self, secret: str) -> Key | None:
        key = self._by_hash.get(_hash(secret))
        if key is None:
            return None
        now = self._now_ms()
        if key.expires_at is not None and now >= key.expires_at:
            return None
        self._used[key.id] = now // DAY_MS
        return key

    async def last_used(self) -> Mapping[str, int]:
        written = await self._database.run(_uses)
        key_ids = {key.id for key in self._by_hash.values()}
        used = {key: max(day, written.get(key, 0)) for key, day in self._used.items()}
        return {key: day for key, day in {**written, **used}.items() if key in key_ids}

    async def flush(self) -> None:
        """Store the last day of use of each key that has changed."""
        used = {key: day for key, day in self._used.items() if self._written.get(key, 0) < day}
        if not used:
            return

        def write(connection: sqlite3.Connection) -> Mapping[str, int]:
            connection.executemany(
                "INSERT INTO key_uses (key, day) SELECT id, ?2 FROM keys WHERE id = ?1"
                " ON CONFLICT (key) DO UPDATE SET day = excluded.day WHERE day < excluded.day",
                used.items(),
            )
            return _uses(connection)

        self._written = await self._database.run(write)
        key_ids = {key.id for key in self._by_hash.values()}
        self._used = {key: day for key, day in self._used.items() if key in key_ids}

    async def all(self) -> Sequence[Key]:
        return tuple(self._by_hash.values())

    async def revoke(self, key_id: str) -> None:
        revoked = next((key for key in self._by_hash.values() if key.id == key_id), None)

        def delete(connection: sqlite3.Connection) -> Mapping[bytes, Key]:
            if not connection.execute("DELETE FROM keys WHERE id = ?", (key_id,)).rowcount:
                raise NotFound(f"{key_id} is not a key here; `analytics key list` shows them")
            return _every(connection)

        await self._audit_log.change(
            delete,
            AuditAction.KEY_REVOKED,
            about=key_id if revoked is None else _named(revoked),
            site="" if revoked is None else revoked.site or "",
            then=self.take,
        )

    def take(self, keys: Mapping[bytes, Key]) -> None:
        """Replace the keys in memory with *keys*, those now stored."""
        self._by_hash = keys


def delete_keys_of(connection: sqlite3.Connection, site: str) -> Mapping[bytes, Key]:
    """Delete the keys limited to *site* and return the remaining ones."""
    limited = [(key.id,) for key in _every(connection).values() if key.site == site]
    connection.executemany("DELETE FROM keys WHERE id = ?", limited)
    return _every(connection)


def _is_site(connection: sqlite3.Connection, domain: str) -> bool:
    stored = connection.execute("SELECT 1 FROM sites WHERE domain = ?", (domain,)).fetchone()
    return stored is not None


def _every(connection: sqlite3.Connection) -> Mapping[bytes, Key]:
    rows = connection.execute("SELECT secret, body FROM keys ORDER BY created_at, id")
    return {secret: msgspec.json.decode(body, type=Key) for secret, body in rows}


def _uses(connection: sqlite3.Connection) -> Mapping[str, int]:
    return dict(connection.execute("SELECT key, day FROM key_uses").fetchall())


def _named(key: Key) -> str:
    label = f"{key.label}, " if key.label else ""
    return f"{label}{', '.join(key.scopes)} ({key.id})"


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
