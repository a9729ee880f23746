"""The audit log in words, for the server's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from analytics.catalog.audit_log import AuditAction, AuditEntry
from analytics.dashboard.page_request import PageRequest
from analytics.dashboard.report_period import day_name
from analytics.date_range import local
from analytics.parsing import digits

_ON_A_PAGE: Final = 25
_WORDS: Final = {
    AuditAction.LOGGED_IN: "Logged in",
    AuditAction.LOGIN_REFUSED: "Failed to log in",
    AuditAction.LOGGED_OUT: "Logged out",
    AuditAction.SESSIONS_ENDED: "Ended sessions",
    AuditAction.PASSWORD_CHANGED: "Changed a password",
    AuditAction.PERSON_ADDED: "Added an account",
    AuditAction.PERSON_CHANGED: "Changed an account",
    AuditAction.PERSON_REMOVED: "Removed an account",
    AuditAction.SITE_ADDED: "Added a site",
    AuditAction.SITE_CHANGED: "Changed a site",
    AuditAction.SITE_REMOVED: "Removed a site",
    AuditAction.KEY_CREATED: "Created a key",
    AuditAction.KEY_REVOKED: "Revoked a key",
    AuditAction.DATA_IMPORTED: "Imported events",
    AuditAction.DATA_EXPORTED: "Exported events",
    AuditAction.DATA_ERASED: "Erased events",
    AuditAction.DATA_REBUILT: "Rebuilt figures",
    AuditAction.BACKUP_MADE: "Made a backup",
}


class AuditLine(NamedTuple):
    """One entry of the log in words."""

    when: str
    who: str
    what: str
    site: str
    about: str


class AuditList(NamedTuple):
    """One page of entries, newest first."""

    lines: Sequence[AuditLine]
    newer: bool
    """Whether there may be a page of newer entries."""
    older: int | None
    """The id that the next page asks for as `before`; None on the last page."""


async def read(ask: PageRequest) -> AuditList:
    """Return the newest entries, or those before the id in the parameter `before`."""
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
