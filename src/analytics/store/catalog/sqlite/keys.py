"""API keys, in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final
from uuid import uuid4

import msgspec

from analytics.errors import Malformed, NotFound
from analytics.person import Key, Scope
from analytics.store.catalog.sqlite.database import Database

PREFIX: Final = "ak_"
"""Tells people, and scanners of leaked secrets, what they look at."""


class SqliteKeys:
    """Every key is in memory by the SHA-256 of its secret, which is all that is kept of it."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._by_hash: Mapping[bytes, Key] = {}

    def load(self) -> None:
        """Read all of them."""
        self._database.transact(_every, self._take)

    async def create(
        self, *, scopes: Sequence[Scope], site: str | None, label: str = ""
    ) -> tuple[Key, str]:
        if not scopes:
            raise Malformed("scopes", f"give at least one of {', '.join(Scope)}")
        secret = PREFIX + secrets.token_hex(20)
        key = Key(
            id=str(uuid4()),
            scopes=tuple(dict.fromkeys(scopes)),
            site=site,
            created_at=self._now_ms(),
            label=label,
        )

        def insert(connection: sqlite3.Connection) -> Mapping[bytes, Key]:
            connection.execute(
                "INSERT INTO keys (id, secret, created_at, body) VALUES (?, ?, ?, ?)",
                (key.id, _hash(secret), key.created_at, msgspec.json.encode(key)),
            )
            return _every(connection)

        await self._database.run(insert, self._take)
        return key, secret

    def find(self, secret: str) -> Key | None:
        return self._by_hash.get(_hash(secret))

    async def all(self) -> Sequence[Key]:
        return tuple(self._by_hash.values())

    async def revoke(self, key_id: str) -> None:
        def delete(connection: sqlite3.Connection) -> Mapping[bytes, Key]:
            if not connection.execute("DELETE FROM keys WHERE id = ?", (key_id,)).rowcount:
                raise NotFound(f"{key_id} is not a key here; `analytics key list` shows them")
            return _every(connection)

        await self._database.run(delete, self._take)

    def _take(self, keys: Mapping[bytes, Key]) -> None:
        self._by_hash = keys


def _every(connection: sqlite3.Connection) -> Mapping[bytes, Key]:
    rows = connection.execute("SELECT secret, body FROM keys ORDER BY created_at, id")
    return {secret: msgspec.json.decode(body, type=Key) for secret, body in rows}


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
