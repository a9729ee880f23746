"""People with their sessions, in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final
from uuid import uuid4

import msgspec

from analytics.errors import Conflict, Malformed, NotFound, Unauthenticated
from analytics.person import MAX_EMAIL_CHARS, Person
from analytics.store.catalog.password import Passwords
from analytics.store.catalog.sqlite.database import Database

SESSION_MS: Final = 30 * 24 * 60 * 60 * 1000
_SITES: Final = msgspec.json.Decoder(tuple[str, ...])


class SqlitePeople:
    """Passwords are kept as argon2id hashes, session tokens as SHA-256 ones."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._passwords = Passwords()

    async def all(self) -> Sequence[Person]:
        return await self._database.run(_every)

    async def add(
        self,
        email: str,
        password: str,
        *,
        owner: bool,
        sites: Sequence[str] = (),
        must_change: bool = False,
    ) -> Person:
        person = Person(
            id=str(uuid4()),
            email=_email(email),
            owner=owner,
            sites=tuple(sites),
            must_change=must_change,
        )
        hashed = await self._passwords.hashed(password)

        def insert(connection: sqlite3.Connection) -> None:
            taken = "SELECT 1 FROM people WHERE email = ?"
            if connection.execute(taken, (person.email,)).fetchone():
                raise Conflict(f"{person.email} has an account already")
            connection.execute(
                "INSERT INTO people (id, email, password, owner, sites, must_change)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    person.id,
                    person.email,
                    hashed,
                    owner,
                    msgspec.json.encode(person.sites),
                    must_change,
                ),
            )

        await self._database.run(insert)
        return person

    async def change(self, person: Person) -> None:
        def update(connection: sqlite3.Connection) -> None:
            stored = connection.execute(
                "SELECT owner FROM people WHERE email = ?", (person.email,)
            ).fetchone()
            if stored is None:
                raise _unknown(person.email)
            connection.execute(
                "UPDATE people SET owner = ?, sites = ? WHERE email = ?",
                (person.owner, msgspec.json.encode(person.sites), person.email),
            )
            if stored[0] and not person.owner:
                _check_owner(connection, person.email)

        await self._database.run(update)

    async def set_password(
        self, email: str, password: str, *, keep: str = "", must_change: bool = False
    ) -> None:
        email = email.strip().lower()
        hashed = await self._passwords.hashed(password)

        def update(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE people SET password = ?, must_change = ? WHERE email = ? RETURNING id",
                (hashed, must_change, email),
            ).fetchone()
            if changed is None:
                raise _unknown(email)
            connection.execute(
                "DELETE FROM sessions WHERE person = ? AND token <> ?", (changed[0], _hash(keep))
            )

        await self._database.run(update)

    async def remove(self, email: str) -> None:
        email = email.strip().lower()

        def delete(connection: sqlite3.Connection) -> None:
            gone = connection.execute(
                "DELETE FROM people WHERE email = ? RETURNING owner", (email,)
            ).fetchone()
            if gone is None:
                raise _unknown(email)
            if gone[0]:
                _check_owner(connection, email)

        await self._database.run(delete)

    async def device_key(self, email: str) -> bytes | None:
        row = await self._database.run(
            lambda connection: connection.execute(
                "SELECT password FROM people WHERE email = ?", (email.strip().lower(),)
            ).fetchone()
        )
        return None if row is None else sha256(b"devices of " + row[0].encode()).digest()

    async def log_in(self, email: str, password: str, *, at_home: bool = True) -> str:
        email = email.strip().lower()
        row = await self._database.run(
            lambda connection: connection.execute(
                "SELECT id, password FROM people WHERE email = ?", (email,)
            ).fetchone()
        )
        if not await self._passwords.fits(password, row[1] if row else None, at_home=at_home):
            raise Unauthenticated("the email or the password is wrong")
        token, now = secrets.token_urlsafe(32), self._now_ms()

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions WHERE created_at < ?", (now - SESSION_MS,))
            if not connection.execute("SELECT 1 FROM people WHERE id = ?", (row[0],)).fetchone():
                raise Unauthenticated("the email or the password is wrong")
            connection.execute(
                "INSERT INTO sessions (token, person, created_at) VALUES (?, ?, ?)",
                (_hash(token), row[0], now),
            )

        await self._database.run(insert)
        return token

    async def logged_in(self, token: str) -> Person | None:
        oldest = self._now_ms() - SESSION_MS
        row = await self._database.run(
            lambda connection: connection.execute(
                "SELECT id, email, owner, sites, must_change FROM sessions"
                " JOIN people ON id = person "
                "WHERE token = ? AND created_at >= ?",
                (_hash(token), oldest),
            ).fetchone()
        )
        return None if row is None else _person(row)

    async def log_out(self, token: str) -> None:
        await self._database.run(
            lambda connection: (
                connection.execute("DELETE FROM sessions WHERE token = ?", (_hash(token),)).rowcount
            )
        )


def _every(connection: sqlite3.Connection) -> tuple[Person, ...]:
    rows = connection.execute(
        "SELECT id, email, owner, sites, must_change FROM people ORDER BY email"
    )
    return tuple(_person(row) for row in rows)


def _person(row: tuple[str, str, int, bytes, int]) -> Person:
    return Person(
        id=row[0],
        email=row[1],
        owner=bool(row[2]),
        sites=_SITES.decode(row[3]),
        must_change=bool(row[4]),
    )


def _check_owner(connection: sqlite3.Connection, email: str) -> None:
    """Raise `Conflict` when there are people and none of them is an owner."""
    owners, people = connection.execute("SELECT sum(owner), count(*) FROM people").fetchone()
    if people and not owners:
        raise Conflict(f"{email} is the only owner; make somebody else an owner first")


def _unknown(email: str) -> NotFound:
    return NotFound(f"{email} has no account; `analytics user list` shows who has")


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _email(text: str) -> str:
    email = text.strip().lower()
    name, at, host = email.rpartition("@")
    if (
        not (at and name and host)
        or any(c.isspace() for c in email)
        or len(email) > MAX_EMAIL_CHARS
    ):
        raise Malformed("email", f"{text!r} is not an email address, such as you@example.com")
    return email
