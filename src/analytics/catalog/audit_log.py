"""The audit log: who did what, when, and to which site. It holds no network addresses."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec

KEPT_DAYS: Final = 400
KEPT_ENTRIES: Final = 2000
"""The oldest entries beyond this are deleted, because a cluster copies the catalog as a whole."""


class AuditAction(StrEnum):
    """The kinds of actions."""

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
    DATA_REBUILT = "data-rebuilt"
    BACKUP_MADE = "backup-made"


FOLDED: Final = (AuditAction.LOGGED_IN, AuditAction.LOGIN_REFUSED, AuditAction.LOGGED_OUT)
"""Actions that anybody can repeat at will: repetitions within an hour share one entry."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    id: int
    at: int
    """UTC milliseconds; the last time, if repetitions share the entry."""
    who: str
    """An email address, or one of the names in `actor`."""
    what: AuditAction
    about: str = ""
    """The object of the action, in words."""
    site: str = ""
    """The domain of the only site concerned; "" for the whole server."""
    times: int = 1


class AuditLog(Protocol):
    """The log of a catalog. The catalog's own methods write their entries themselves."""

    async def record(self, what: AuditAction, *, about: str = "", site: str = "") -> None:
        """Write an entry: `actor.actor()` did *what*. Raise `StoreUnavailable`."""

    async def recent(
        self, most: int, *, before: int | None = None, site: str | None = None
    ) -> Sequence[AuditEntry]:
        """Return up to *most* entries, newest first.

        With *before*, only those older than the entry of that id; with *site*, only those of it.
        """
