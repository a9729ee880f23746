"""The audit log in SQLite: an entry is written in the transaction that it describes."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import structlog

from analytics import actor, submission
from analytics.catalog.audit_log import FOLDED, KEPT_DAYS, KEPT_ENTRIES, AuditAction, AuditEntry
from analytics.catalog.sqlite import submissions
from analytics.catalog.sqlite.database import Database, Work
from analytics.units import HOUR_MS

log = structlog.get_logger()

T = TypeVar("T")

_KEPT_MS: Final = KEPT_DAYS * 24 * HOUR_MS
_MAX_ABOUT_CHARS: Final = 300


class NothingChanged(Exception):
    """Raised by work that has nothing to change, so that no entry is written."""


class SqliteAuditLog:
    """Writes entries together with the changes they describe; counts refused logins in memory."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._refused: Counter[str] = Counter()

    async def change(
        self,
        work: Work[T],
        what: AuditAction,
        *,
        about: str | Callable[[T], str] = "",
        site: str = "",
        who: str | None = None,
        then: Callable[[T], None] | None = None,
    ) -> T:
        """Run *work* and write an entry of it, in one transaction; *then* as in `Database.run`.

        *about* may be a function of the work's result. The first change for a form spends it; raise
        `AlreadyDone` if it was sent before.
        """
        form = submission.current()
        who, now = actor.actor() if who is None else who, self._now_ms()

        def text(result: T) -> str:
            return (about if isinstance(about, str) else about(result))[:_MAX_ABOUT_CHARS]

        def both(connection: sqlite3.Connection) -> T:
            if form is not None and not form.is_spent:
                submissions.spend(connection, form.digest, now)
            result = work(connection)
            _insert(connection, now, who, what, text(result), site)
            return result

        result = await self._database.run(both, then)
        if form is not None:
            form.is_spent = True
        log.info("audit", who=who, what=what.value, about=text(result), site=site)
        return result

    async def record(self, what: AuditAction, *, about: str = "", site: str = "") -> None:
        await self.change(lambda _: None, what, about=about, site=site)

    def refused(self, email: str) -> None:
        """Count one more refused login of *email* ("" for an address without an account).

        In memory until `flush`, so that guessing passwords does not cause a write for each guess.
        """
        self._refused[email] += 1

    async def flush(self) -> None:
        """Write entries of the counted refusals. Raise `StoreUnavailable`; the counts are kept."""
        if not self._refused:
            return
        refusals, self._refused = self._refused, Counter()
        now = self._now_ms()

        def insert(connection: sqlite3.Connection) -> None:
            for email, times in refusals.items():
                about = email or "an unknown email address"
                what = AuditAction.LOGIN_REFUSED
                _insert(connection, now, actor.STRANGER, what, about, "", times)

        try:
            await self._database.run(insert)
        except BaseException:
            self._refused.update(refusals)
            raise
        for email, times in refusals.items():
            log.warning("audit", what=AuditAction.LOGIN_REFUSED.value, about=email, times=times)

    async def recent(
        self, most: int, *, before: int | None = None, site: str | None = None
    ) -> Sequence[AuditEntry]:
        await self.flush()
        rows = await self._database.run(
            lambda connection: connection.execute(
                "SELECT id, at, who, what, about, site, times FROM audit"
                " WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR site = ?2)"
                " ORDER BY id DESC LIMIT ?3",
                (before, site, most),
            ).fetchall()
        )
        return [
            AuditEntry(
                id=row[0],
                at=row[1],
                who=row[2],
                what=AuditAction(row[3]),
                about=row[4],
                site=row[5],
                times=row[6],
            )
            for row in rows
        ]


def _insert(
    connection: sqlite3.Connection,
    now: int,
    who: str,
    what: AuditAction,
    about: str,
    site: str,
    times: int = 1,
) -> None:
    same = (who, what.value, about, site)
    if what in FOLDED:
        row = connection.execute(
            "SELECT id FROM audit WHERE who = ? AND what = ? AND about = ? AND site = ?"
            " AND at > ? ORDER BY id DESC LIMIT 1",
            (*same, now - HOUR_MS),
        ).fetchone()
        if row is not None:
            connection.execute(
                "UPDATE audit SET at = ?, times = times + ? WHERE id = ?", (now, times, row[0])
            )
            return
    number = connection.execute(
        "INSERT INTO audit (who, what, about, site, at, times) VALUES (?, ?, ?, ?, ?, ?)"
        " RETURNING id",
        (*same, now, times),
    ).fetchone()[0]
    connection.execute(
        "DELETE FROM audit WHERE id <= ? OR at < ?", (number - KEPT_ENTRIES, now - _KEPT_MS)
    )
