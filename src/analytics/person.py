"""People and keys: who may see and change what."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

MAX_EMAIL_CHARS: Final = 254
MAX_KEY_DAYS: Final = 3650
"""As long as an email address can be."""


class Scope(StrEnum):
    """What a key may do."""

    STATS_READ = "stats:read"
    EVENTS_WRITE = "events:write"
    SITES_WRITE = "sites:write"
    SQL_READ = "sql:read"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who logs in. An owner sees and changes everything; others see *sites*."""

    id: str
    email: str
    owner: bool
    sites: tuple[str, ...] = ()
    """Domains that a person may see who is not an owner."""
    must_change: bool = False
    """Whether somebody else set the password, so that it must be changed at the next login."""

    def sees(self, domain: str) -> bool:
        """Return whether this person may read the figures of *domain*."""
        return self.owner or domain in self.sites


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One login that has not ended, without its token."""

    id: str
    created_at: int
    used_at: int
    """When it was last used, to the hour; both in UTC milliseconds."""
    browser: str
    """Its name for people, such as "Firefox on Linux"; "" if unknown."""
    own: bool = False
    """Whether it is the session of the current request."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key, without its secret."""

    id: str
    scopes: tuple[Scope, ...]
    site: str | None
    """The one domain it acts on; None for all sites."""
    created_at: int
    label: str = ""
    expires_at: int | None = None
    """The time at which it expires, in UTC milliseconds; None for never."""

    def allows(self, scope: Scope, domain: str) -> bool:
        """Return whether the key has *scope* for *domain*."""
        return scope in self.scopes and self.site in (None, domain)
