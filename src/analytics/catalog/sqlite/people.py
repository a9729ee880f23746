"""People and their sessions in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from uuid import uuid4

import msgspec

from analytics.catalog.audit_log import AuditAction
from analytics.catalog.password import Passwords
from analytics.catalog.sqlite.audit import NothingChanged, SqliteAuditLog
from analytics.catalog.sqlite.database import Database
from analytics.catalog.sqlite.sessions import SqliteSessions, to_person, token_hash, unknown, wrong
from analytics.errors import Conflict, Malformed
from analytics.person import MAX_EMAIL_CHARS, Person


class SqlitePeople(SqliteSessions):
    """People, whose passwords are stored as argon2id hashes."""

    def __init__(
        self, database: Database, audit_log: SqliteAuditLog, now_ms: Callable[[], int]
    ) -> None:
        super().__init__(database, audit_log, now_ms)
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
        hashed = await self._passwords.hashed(password, person.email)

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

        await self._audit_log.change(insert, AuditAction.PERSON_ADDED, about=_rights(person))
        return person

    async def change(self, person: Person) -> None:
        def update(connection: sqlite3.Connection) -> None:
            stored = connection.execute(
                "SELECT owner, sites FROM people WHERE email = ?", (person.email,)
            ).fetchone()
            if stored is None:
                raise unknown(person.email)
            changed = (person.owner, msgspec.json.encode(person.sites))
            if changed == stored:
                raise NothingChanged
            connection.execute(
                "UPDATE people SET owner = ?, sites = ? WHERE email = ?",
                (*changed, person.email),
            )
            if stored[0] and not person.owner:
                _check_owner(connection, person.email)

        with suppress(NothingChanged):
            await self._audit_log.change(update, AuditAction.PERSON_CHANGED, about=_rights(person))

    async def set_password(
        self, email: str, password: str, *, keep: str = "", must_change: bool = False
    ) -> None:
        email = email.strip().lower()
        hashed = await self._passwords.hashed(password, email)

        def update(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE people SET password = ?, must_change = ? WHERE email = ? RETURNING id",
                (hashed, must_change, email),
            ).fetchone()
            if changed is None:
                raise unknown(email)
            connection.execute(
                "DELETE FROM sessions WHERE person = ? AND token <> ?",
                (changed[0], token_hash(keep)),
            )

        await self._audit_log.change(update, AuditAction.PASSWORD_CHANGED, about=email)

    async def remove(self, email: str) -> None:
        email = email.strip().lower()

        def delete(connection: sqlite3.Connection) -> None:
            removed = connection.execute(
                "DELETE FROM people WHERE email = ? RETURNING owner", (email,)
            ).fetchone()
            if removed is None:
                raise unknown(email)
            if removed[0]:
                _check_owner(connection, email)

        await self._audit_log.change(delete, AuditAction.PERSON_REMOVED, about=email)

    async def device_key(self, email: str) -> bytes | None:
        row = await self._database.run(
            lambda connection: connection.execute(
                "SELECT password FROM people WHERE email = ?", (email.strip().lower(),)
            ).fetchone()
        )
        return None if row is None else sha256(b"devices of " + row[0].encode()).digest()

    async def check(self, email: str, password: str) -> None:
        await self._checked(email.strip().lower(), password, at_home=True)

    async def log_in(
        self, email: str, password: str, *, at_home: bool = True, browser: str = ""
    ) -> str:
        email = email.strip().lower()
        person = await self._checked(email, password, at_home=at_home)
        return await self._open(person, email, browser)

    async def _checked(self, email: str, password: str, *, at_home: bool) -> str:
        """Return the id of the account if *password* fits. Raise `Unauthenticated`, `TooMany`."""
        row = await self._database.run(
            lambda connection: connection.execute(
                "SELECT id, password FROM people WHERE email = ?", (email,)
            ).fetchone()
        )
        if await self._passwords.fits(password, row[1] if row else None, at_home=at_home):
            return str(row[0])
        self._audit_log.refused(email if row else "")
        raise wrong()


def withdraw_site(connection: sqlite3.Connection, domain: str) -> None:
    """Take the site *domain* away from everybody."""
    for person in _every(connection):
        if domain in person.sites:
            remaining = tuple(site for site in person.sites if site != domain)
            connection.execute(
                "UPDATE people SET sites = ? WHERE id = ?",
                (msgspec.json.encode(remaining), person.id),
            )


def _every(connection: sqlite3.Connection) -> tuple[Person, ...]:
    rows = connection.execute(
        "SELECT id, email, owner, sites, must_change FROM people ORDER BY email"
    )
    return tuple(to_person(row) for row in rows)


def _check_owner(connection: sqlite3.Connection, email: str) -> None:
    """Raise `Conflict` if there are people and none of them is an owner."""
    owners, people = connection.execute("SELECT sum(owner), count(*) FROM people").fetchone()
    if people and not owners:
        raise Conflict(f"{email} is the only owner; make somebody else an owner first")


def _rights(person: Person) -> str:
    sees = "everything" if person.owner else ", ".join(person.sites) or "no site"
    return f"{person.email}, who sees {sees}"


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
