"""The audit log: who did what, when, and on which site. It holds no network addresses."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

KEPT_DAYS: Final = 400
KEPT_ENTRIES: Final = 2000
"""The oldest ones beyond these go; a cluster hands the catalog round as a whole."""


class AuditAction(StrEnum):
    """What was done."""

    LOGGED_IN = "logged-in"
    LOGIN_REFUSED = "login-refused"
    LOGGED_OUT = "logged-out"
    SESSIONS_ENDED = "sessions-ended"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105 - not a password
    PERSON_ADDED = "person-added"
    PERSON_CHANGED = "person-changed"
    PERSON_REMOVED = "person-removed"
    SITE_ADDED = "site-added"
    SITE_CHANGED = "site-changed"
    SITE_REMOVED = "site-removed"
    KEY_CREATED = "key-created"
    KEY_REVOKED = "key-revoked"
    DATA_IMPORTED = "data-imported"
    DATA_EXPORTED = "data-exported"
    DATA_ERASED = "data-erased"
    BACKUP_MADE = "backup-made"


FOLDED: Final = (AuditAction.LOGGED_IN, AuditAction.LOGIN_REFUSED, AuditAction.LOGGED_OUT)
"""What anybody can do as often as they like: the same again within an hour is one entry."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    id: int
    at: int
    """In UTC milliseconds; the last time, of what was folded."""
    who: str
    """An email address, or what acted: see `acting`."""
    what: AuditAction
    about: str = ""
    """Whom or what it was done to, in words."""
    site: str = ""
    """The domain that it concerns alone; "" for the whole server."""
    times: int = 1


class AuditLog(Protocol):
    """Where changes are written down. A catalog's own changes write their entries themselves."""

    async def record(self, what: AuditAction, *, about: str = "", site: str = "") -> None:
        """Write down that somebody, by `acting.actor`, did *what*."""

    async def recent(
        self, most: int, *, before: int | None = None, site: str | None = None
    ) -> Sequence[AuditEntry]:
        """Return up to *most* entries, the newest first: those older than the entry *before*,
        and those about *site*, where they are given."""
