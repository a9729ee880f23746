"""The sessions of people in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from analytics.catalog.audit_log import AuditAction
from analytics.catalog.sqlite.audit import SqliteAuditLog
from analytics.catalog.sqlite.database import Database
from analytics.errors import NotFound, StoreUnavailable, Unauthenticated
from analytics.person import Person, Session
from analytics.units import HOUR_MS

SESSION_MS: Final = 30 * 24 * HOUR_MS
IDLE_MS: Final = 14 * 24 * HOUR_MS
"""A session that is not used for this long ends."""
_USED_WITHIN_MS: Final = HOUR_MS
"""The precision of the last use, so that not every page causes a write to the catalog."""
_TOUCH_AGAIN_MS: Final = 60_000
MAX_BROWSER_CHARS: Final = 80
_SITES: Final = msgspec.json.Decoder(tuple[str, ...])


class SqliteSessions:
    """Sessions, whose tokens are stored as SHA-256 hashes."""

    def __init__(
        self, database: Database, audit_log: SqliteAuditLog, now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._audit_log = audit_log
        self._now_ms = now_ms
        self._touch_again_at = 0

    async def _open(self, person: str, email: str, browser: str) -> str:
        """Return the token of a new session. Raise `Unauthenticated` if *person* was removed."""
        token, now = secrets.token_urlsafe(32), self._now_ms()

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM sessions WHERE created_at < ? OR used_at < ?", _oldest(now)
            )
            if not connection.execute("SELECT 1 FROM people WHERE id = ?", (person,)).fetchone():
                raise wrong()
            connection.execute(
                "INSERT INTO sessions (token, person, created_at, used_at, browser)"
                " VALUES (?, ?, ?, ?, ?)",
                (token_hash(token), person, now, now, browser[:MAX_BROWSER_CHARS]),
            )

        await self._audit_log.change(insert, AuditAction.LOGGED_IN, who=email)
        return token

    async def logged_in(self, token: str) -> Person | None:
        now = self._now_ms()
        row = await self._database.run(
            lambda connection: connection.execute(
                "SELECT id, email, owner, sites, must_change, used_at FROM sessions"
                " JOIN people ON id = person"
                " WHERE token = ? AND created_at >= ? AND used_at >= ?",
                (token_hash(token), *_oldest(now)),
            ).fetchone()
        )
        if row is None:
            return None
        if row[5] + _USED_WITHIN_MS <= now and now >= self._touch_again_at:
            await self._touch(token, now)
        return to_person(row[:5])

    async def _touch(self, token: str, now: int) -> None:
        """Store the time of the session's last use; skip that while the catalog is unavailable."""
        try:
            await self._database.run(
                lambda connection: (
                    connection.execute(
                        "UPDATE sessions SET used_at = ? WHERE token = ? AND used_at < ?",
                        (now, token_hash(token), now),
                    ).rowcount
                )
            )
        except StoreUnavailable:
            self._touch_again_at = now + _TOUCH_AGAIN_MS

    async def log_out(self, token: str) -> None:
        person = await self.logged_in(token)
        if person is None:
            return
        await self._audit_log.change(
            lambda connection: (
                connection.execute(
                    "DELETE FROM sessions WHERE token = ?", (token_hash(token),)
                ).rowcount
            ),
            AuditAction.LOGGED_OUT,
            who=person.email,
        )

    async def sessions(self, email: str, *, token: str = "") -> Sequence[Session]:
        own, now = token_hash(token), self._now_ms()
        rows = await self._database.run(
            lambda connection: connection.execute(
                "SELECT token, created_at, used_at, browser FROM sessions"
                " JOIN people ON id = person"
                " WHERE email = ? AND created_at >= ? AND used_at >= ?"
                " ORDER BY used_at DESC, created_at DESC",
                (email.strip().lower(), *_oldest(now)),
            ).fetchall()
        )
        return tuple(
            Session(
                id=_session_id(row[0]),
                created_at=row[1],
                used_at=row[2],
                browser=row[3],
                own=row[0] == own,
            )
            for row in rows
        )

    async def end_session(self, email: str, session: str) -> None:
        email = email.strip().lower()

        def delete(connection: sqlite3.Connection) -> None:
            tokens = connection.execute(
                "SELECT token FROM sessions JOIN people ON id = person WHERE email = ?", (email,)
            ).fetchall()
            token = next((each for (each,) in tokens if _session_id(each) == session), None)
            if token is None:
                raise NotFound("this session has ended already")
            connection.execute("DELETE FROM sessions WHERE token = ?", (token,))

        await self._audit_log.change(delete, AuditAction.SESSIONS_ENDED, about=email)

    async def end_sessions(self, email: str | None, *, keep: str = "") -> int:
        email = None if email is None else email.strip().lower()

        def delete(connection: sqlite3.Connection) -> int:
            if email is None:
                return connection.execute(
                    "DELETE FROM sessions WHERE token <> ?", (token_hash(keep),)
                ).rowcount
            row = connection.execute("SELECT id FROM people WHERE email = ?", (email,)).fetchone()
            if row is None:
                raise unknown(email)
            return connection.execute(
                "DELETE FROM sessions WHERE person = ? AND token <> ?", (row[0], token_hash(keep))
            ).rowcount

        return await self._audit_log.change(
            delete, AuditAction.SESSIONS_ENDED, about="everybody" if email is None else email
        )


def to_person(row: tuple[str, str, int, bytes, int]) -> Person:
    """Return the person of a row: id, email, owner, sites, must_change."""
    return Person(
        id=row[0],
        email=row[1],
        owner=bool(row[2]),
        sites=_SITES.decode(row[3]),
        must_change=bool(row[4]),
    )


def _oldest(now: int) -> tuple[int, int]:
    """Return the earliest times of creation and of last use that a valid session may have."""
    return now - SESSION_MS, now - IDLE_MS


def _session_id(stored: bytes) -> str:
    return stored[:8].hex()


def wrong() -> Unauthenticated:
    """Return the error for a failed login."""
    return Unauthenticated("the email or the password is wrong")


def unknown(email: str) -> NotFound:
    """Return the error for an email without an account."""
    return NotFound(f"{email} has no account; `analytics user list` shows who has")


def token_hash(token: str) -> bytes:
    """Return the hash that is stored for *token*."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
