"""The audit log in words, for the server's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from analytics.dashboard.ask import Ask
from analytics.dashboard.date_range import local
from analytics.dashboard.span import day_name
from analytics.parsing import digits
from analytics.store.catalog.audit import AuditEntry, Deed

_ON_A_PAGE: Final = 25
_WORDS: Final = {
    Deed.LOGGED_IN: "Logged in",
    Deed.LOGIN_REFUSED: "Was refused: wrong password",
    Deed.LOGGED_OUT: "Logged out",
    Deed.SESSIONS_ENDED: "Ended sessions",
    Deed.PASSWORD_CHANGED: "Changed a password",
    Deed.PERSON_ADDED: "Added an account",
    Deed.PERSON_CHANGED: "Changed an account",
    Deed.PERSON_REMOVED: "Removed an account",
    Deed.SITE_ADDED: "Added a site",
    Deed.SITE_CHANGED: "Changed a site",
    Deed.SITE_REMOVED: "Removed a site",
    Deed.KEY_CREATED: "Created a key",
    Deed.KEY_REVOKED: "Revoked a key",
    Deed.DATA_IMPORTED: "Imported events",
    Deed.DATA_EXPORTED: "Exported events",
    Deed.DATA_ERASED: "Erased events",
    Deed.BACKUP_MADE: "Made a backup",
}


class AuditLine(NamedTuple):
    """One entry, for a person to read."""

    when: str
    who: str
    what: str
    site: str
    about: str


class AuditList(NamedTuple):
    """Some entries, the newest first, and where the next ones begin."""

    lines: Sequence[AuditLine]
    newer: bool
    """Whether there may be newer ones."""
    older: int | None
    """The number to ask for what came before; None when nothing did."""


async def asked(ask: Ask) -> AuditList:
    """Return the entries that the address asks for: the newest, or those before `before`."""
    before = digits(ask.request.query_params.get("before", ""))
    entries = await ask.deps.catalog.audit_log.recent(_ON_A_PAGE + 1, before=before)
    shown = entries[:_ON_A_PAGE]
    return AuditList(
        lines=[line(entry) for entry in shown],
        newer=before is not None,
        older=shown[-1].id if len(entries) > len(shown) else None,
    )


def line(entry: AuditEntry) -> AuditLine:
    """Return *entry* in words."""
    at = local(entry.at, "Etc/UTC")
    times = f", {entry.times:,} times" if entry.times > 1 else ""
    return AuditLine(
        when=f"{day_name(at.date(), with_year=True)}, {at:%H:%M} UTC",
        who=entry.who,
        what=f"{_WORDS[entry.what]}{times}",
        site=entry.site,
        about=entry.about,
    )
