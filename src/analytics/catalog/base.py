"""The interface of a catalog of sites, people, keys and salts.

Reads of sites, keys and salts are cheap and never wait for the network: an implementation keeps
them in memory and follows changes, so that ingest can read them for every hit.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

from analytics.catalog.audit_log import AuditLog
from analytics.errors import NotFound, StoreUnavailable
from analytics.person import Key, Person, Scope, Session
from analytics.site import Site


def unknown_site(domain: str) -> NotFound:
    """Return the error for a site that does not exist, or no longer does."""
    return NotFound(f"{domain} is not a site here; `analytics site list` shows them")


class Sites(Protocol):
    """The tracked sites."""

    def get(self, name: str) -> Site | None:
        """Return the site whose domain, id (UUID) or number (as text) is *name*; from memory.

        A domain may be spelt as people copy it: `https://www.Example.com./`, `example.com:443`.
        """

    def all(self) -> Sequence[Site]:
        """Return all sites, ordered by domain; from memory."""

    async def add(self, domain: str, *, timezone: str) -> Site:
        """Create a site and return it.

        Raise `Malformed` for an invalid domain or time zone, `Conflict` if the site exists.
        """

    async def edit(self, domain: str, edit: Callable[[Site], Site]) -> Site:
        """Replace the site by what *edit* makes of it, and return it; of two at once, none is lost.

        *edit* may be called again for a newer site: it must do nothing but compute, and may raise.
        Settings are stored in their usual spelling, and nothing is written without a difference.
        Raise `NotFound`, and `Malformed` for an invalid setting.
        """

    async def remove(self, domain: str) -> None:
        """Remove the site, the keys limited to it and its viewers' access, in one transaction.

        Its events are not touched. Raise `NotFound`.
        """


class People(Protocol):
    """The accounts and their sessions."""

    async def all(self) -> Sequence[Person]:
        """Return all people, ordered by email."""

    async def add(
        self,
        email: str,
        password: str,
        *,
        owner: bool,
        sites: Sequence[str] = (),
        must_change: bool = False,
    ) -> Person:
        """Create an account and return it; the password is stored as an argon2id hash only.

        With *must_change* the password only lets its owner choose another. Raise `Conflict` if the
        email has an account, `Malformed` for an invalid email or password.
        """

    async def change(self, person: Person) -> None:
        """Replace the role and the sites of the person of that email.

        Raise `NotFound`, and `Conflict` if that would leave people without an owner.
        """

    async def set_password(
        self, email: str, password: str, *, keep: str = "", must_change: bool = False
    ) -> None:
        """Replace the password, and end every session except that of the token *keep*.

        *must_change* as in `add`. Raise `NotFound`, and `Malformed` for an invalid password.
        """

    async def remove(self, email: str) -> None:
        """Delete the account and end its sessions.

        Raise `NotFound`, and `Conflict` if that would leave people without an owner.
        """

    async def check(self, email: str, password: str) -> None:
        """Return if *password* is that of the account of *email*. Raise as `log_in`."""

    async def log_in(
        self, email: str, password: str, *, at_home: bool = True, browser: str = ""
    ) -> str:
        """Open a session and return its random token, of which only a hash is stored.

        *at_home* says that the account has been used from this device or network before: such
        logins do not wait behind those of strangers. *browser* is the name by which the person
        will recognise the session.

        Raise `Unauthenticated`, after the same time whether the email or the password is wrong,
        and `TooMany`, before the password is looked at, if too many logins are waiting.
        """

    async def device_key(self, email: str) -> bytes | None:
        """Return the key that signs the device cookies of *email*; None without an account.

        It is the same in every process, and changes with the password.
        """

    async def logged_in(self, token: str) -> Person | None:
        """Return the person whose session has *token*.

        Return None for a session that is unknown, older than 30 days or unused for 14.
        """

    async def log_out(self, token: str) -> None:
        """End the session, if there is one with *token*."""

    async def sessions(self, email: str, *, token: str = "") -> Sequence[Session]:
        """Return the sessions of *email*, the last used one first; `own` marks that of *token*."""

    async def end_session(self, email: str, session: str) -> None:
        """End the session of *email* with the id *session*. Raise `NotFound`."""

    async def end_sessions(self, email: str | None, *, keep: str = "") -> int:
        """End the sessions of *email*, or everybody's for None, except that of the token *keep*.

        Return how many ended. Raise `NotFound` for an email without an account.
        """


class Keys(Protocol):
    """API keys. A secret is shown once, and stored as a hash."""

    async def create(
        self,
        *,
        scopes: Sequence[Scope],
        site: str | None,
        label: str = "",
        days: int | None = None,
    ) -> tuple[Key, str]:
        """Create a key that expires after *days* (never for None); return it and its secret.

        *site* None lets it act on all sites. Raise `Malformed`, and `NotFound` if *site* does not
        exist at that moment.
        """

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret, unless it has expired; from memory.

        The call counts as a use of the key: see `last_used`.
        """

    async def last_used(self) -> Mapping[str, int]:
        """Return the last day of use of each key: a mapping of ids to days since 1970."""

    async def all(self) -> Sequence[Key]:
        """Return all keys, oldest first."""

    async def revoke(self, key_id: str) -> None:
        """Revoke the key with immediate effect. Raise `NotFound`."""


class SaltMissing(StoreUnavailable):
    """The day has no salt in memory; `Salts.make` may make one."""

    def __init__(self, day: int) -> None:
        super().__init__(
            "a visitor without a cookie cannot be told from others on this day yet; send it again"
        )
        self.day = day


class Salts(Protocol):
    """The keys of the cookieless visitor hash: one per UTC day, gone after 48 hours.

    They are made ahead, so that a day begins with its salt in every process's memory. A salt
    expires once both its day and the day on which it was made are before today - 2. So the salt
    shared by all days long ago lasts as long as any other, and an import that is resumed finds the
    same visitors.
    """

    def of(self, day: int, *, today: int) -> bytes:
        """Return the 16 random bytes of *day* (days since 1970), the same in every process.

        From memory only. Raise `SaltMissing` for a day whose salt has expired or was not made.
        """

    async def make(self, days: Collection[int], *, today: int) -> None:
        """Make the missing salts of *days* for every process, and delete the expired ones.

        Raise `StoreUnavailable` if that is not possible: then no salt was made.
        """


class Catalog(AbstractAsyncContextManager["Catalog"], Protocol):
    """Sites, people, keys, salts and the audit log."""

    sites: Sites
    people: People
    keys: Keys
    salts: Salts
    audit_log: AuditLog

    async def flush(self) -> None:
        """Store what is only counted in memory so far: refused logins, and the last use of keys.

        Raise `StoreUnavailable`; the counts are kept for the next call.
        """

    async def __aenter__(self) -> Self: ...
