"""The tracked sites in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import uuid4

import msgspec

from analytics.catalog import domain as domains
from analytics.catalog import rules
from analytics.catalog.audit_log import AuditAction
from analytics.catalog.base import unknown_site
from analytics.catalog.sqlite.audit import NothingChanged, SqliteAuditLog
from analytics.catalog.sqlite.database import Database
from analytics.catalog.sqlite.keys import SqliteKeys, delete_keys_of
from analytics.catalog.sqlite.people import withdraw_site
from analytics.errors import Conflict, Malformed
from analytics.person import Key
from analytics.site import Site
from analytics.submission import AlreadyDone


class _Edited(NamedTuple):
    """A change of one site, and every site after it."""

    before: Site
    after: Site
    all: tuple[Site, ...]


class SqliteSites:
    """Sites in memory, read from the database at the start and after each change."""

    def __init__(self, database: Database, audit_log: SqliteAuditLog, keys: SqliteKeys) -> None:
        self._database = database
        self._audit_log = audit_log
        self._keys = keys
        self._all: tuple[Site, ...] = ()
        self._by_name: Mapping[str, Site] = {}

    def load(self) -> None:
        """Load all sites into memory."""
        self._database.transact(_every, self._take)

    def get(self, name: str) -> Site | None:
        site = self._by_name.get(name)
        if site is None and name.isascii():
            site = self._by_name.get(name.lower().removeprefix("www."))
        if site is not None:
            return site
        try:
            domain = domains.normal(name)
        except Malformed:
            return None
        # A browser leaves out the port 443, and people who write it mean the site without it.
        return self._by_name.get(domain) or self._by_name.get(domain.removesuffix(":443"))

    def all(self) -> Sequence[Site]:
        return self._all

    async def add(self, domain: str, *, timezone: str = "Etc/UTC") -> Site:
        domain = domains.normal(domain)
        rules.checked_timezone(timezone)
        site_id = str(uuid4())

        def insert(
            connection: sqlite3.Connection,
        ) -> tuple[tuple[Site, ...], Mapping[bytes, Key]]:
            if _stored(connection, domain) is not None:
                raise Conflict(f"{domain} is a site already")
            number = connection.execute(
                "INSERT INTO sites (id, domain, body) VALUES (?, ?, x'') RETURNING number",
                (site_id, domain),
            ).fetchone()[0]
            added = Site(
                domain=domain, id=site_id, number=number, timezone=timezone, other_hostnames=()
            )
            _write(connection, added)
            # Rights given just after the removal of an earlier site must not apply to this one.
            return _every(connection), _disinherit(connection, domain)

        try:
            sites, _ = await self._audit_log.change(
                insert, AuditAction.SITE_ADDED, site=domain, then=self._take_all
            )
        except AlreadyDone:
            if (match := self._by_name.get(domain)) is None:
                raise  # it was removed since
            return match
        return next(site for site in sites if site.id == site_id)

    async def edit(self, domain: str, edit: Callable[[Site], Site]) -> Site:
        def update(connection: sqlite3.Connection) -> _Edited:
            stored = _stored(connection, domain)
            if stored is None:
                raise unknown_site(domain)
            changed = msgspec.structs.replace(
                rules.checked(edit(stored)), id=stored.id, number=stored.number
            )
            if changed == stored:
                raise NothingChanged
            _write(connection, changed)
            return _Edited(stored, changed, _every(connection))

        try:
            edited = await self._audit_log.change(
                update,
                AuditAction.SITE_CHANGED,
                about=lambda edited: _difference(edited.before, edited.after),
                site=domain,
                then=lambda edited: self._take(edited.all),
            )
        except NothingChanged:
            return self._by_name[domain]
        return edited.after

    async def remove(self, domain: str) -> None:
        def delete(
            connection: sqlite3.Connection,
        ) -> tuple[tuple[Site, ...], Mapping[bytes, Key]]:
            if not connection.execute("DELETE FROM sites WHERE domain = ?", (domain,)).rowcount:
                raise unknown_site(domain)
            return _every(connection), _disinherit(connection, domain)

        await self._audit_log.change(
            delete, AuditAction.SITE_REMOVED, site=domain, then=self._take_all
        )

    def _take_all(self, contents: tuple[tuple[Site, ...], Mapping[bytes, Key]]) -> None:
        sites, keys = contents
        self._take(sites)
        self._keys.take(keys)

    def _take(self, sites: tuple[Site, ...]) -> None:
        names = {name: site for site in sites for name in (str(site.number), site.id, site.domain)}
        self._all, self._by_name = sites, names


def _every(connection: sqlite3.Connection) -> tuple[Site, ...]:
    rows = connection.execute("SELECT body FROM sites ORDER BY domain")
    return tuple(msgspec.json.decode(body, type=Site) for (body,) in rows)


def _disinherit(connection: sqlite3.Connection, domain: str) -> Mapping[bytes, Key]:
    """Delete all keys and rights of the site *domain*, and return the remaining keys."""
    withdraw_site(connection, domain)
    return delete_keys_of(connection, domain)


def _stored(connection: sqlite3.Connection, domain: str) -> Site | None:
    row = connection.execute("SELECT body FROM sites WHERE domain = ?", (domain,)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Site)


def _write(connection: sqlite3.Connection, site: Site) -> None:
    connection.execute(
        "UPDATE sites SET body = ? WHERE domain = ?", (msgspec.json.encode(site), site.domain)
    )


def _difference(before: Site, after: Site) -> str:
    """Return the names of the changed settings, without values: shields contain addresses."""
    names = [
        name
        for name in Site.__struct_fields__
        if name not in ("id", "number", "last_id") and getattr(before, name) != getattr(after, name)
    ]
    return ", ".join(name.replace("_", " ") for name in names)
