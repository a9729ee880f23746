"""What a catalog of sites, people, keys and salts must do.

Reads are cheap and never wait for the network: an implementation keeps a snapshot of the sites
and the keys in memory and follows changes, so that ingest may ask for every hit.
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
    """Return the error of a change that concerns a site which is not there (any more)."""
    return NotFound(f"{domain} is not a site here; `analytics site list` shows them")


class Sites(Protocol):
    """The tracked sites."""

    def get(self, name: str) -> Site | None:
        """The site whose domain, id (UUID) or number (as text) is *name*; from memory.

        A domain may be spelt as people copy it: `https://www.Example.com./`, `example.com:443`.
        """

    def all(self) -> Sequence[Site]:
        """Every site, by domain; from memory."""

    async def add(self, domain: str, *, timezone: str) -> Site:
        """Create it. Raises `Malformed` for no domain or time zone, `Conflict` if it exists."""

    async def change(self, site: Site) -> None:
        """Replace the stored site of the same domain, with its settings in their usual spelling.

        Raises `NotFound`, and `Malformed` for a setting that makes no sense. What is the same
        already is not written down again.
        """

    async def edit(self, domain: str, edit: Callable[[Site], Site]) -> Site:
        """Replace the site by what *edit* makes of it, and return it; of two at once, none is lost.

        *edit* may be called again for a newer site: it must do nothing but compute, and may raise.
        Raises as `change`.
        """

    async def remove(self, domain: str) -> None:
        """Forget the site, the keys that act on it alone and who may see it, all or nothing.

        Its rows are the store's affair. Raises `NotFound`.
        """


class People(Protocol):
    """Who may log in, and who is logged in."""

    async def all(self) -> Sequence[Person]:
        """Everybody, by email."""

    async def add(
        self,
        email: str,
        password: str,
        *,
        owner: bool,
        sites: Sequence[str] = (),
        must_change: bool = False,
    ) -> Person:
        """Create somebody; the password is stored as an argon2id hash only.

        With *must_change* it only opens the page that asks for another.
        Raises `Conflict` when the email has an account.
        """

    async def change(self, person: Person) -> None:
        """Replace the role and the sites of the person of that email. Raises `NotFound`.

        Raises `Conflict` when that would leave people without an owner.
        """

    async def set_password(
        self, email: str, password: str, *, keep: str = "", must_change: bool = False
    ) -> None:
        """Replace the password, and end every session except that of the token *keep*.

        *must_change* as in `add`. Raises `NotFound`.
        """

    async def remove(self, email: str) -> None:
        """Forget somebody and end their sessions. Raises `NotFound`.

        Raises `Conflict` when that would leave people without an owner.
        """

    async def check(self, email: str, password: str) -> None:
        """Return when *password* opens the account of *email*. Raises as `log_in`."""

    async def log_in(
        self, email: str, password: str, *, at_home: bool = True, browser: str = ""
    ) -> str:
        """A new random session token, stored hashed. Raises `Unauthenticated`, in equal time
        whether the email or the password is wrong.

        Raises `TooMany`, before it looks at the password, when too many wait for an answer; who is
        *at_home* with the account does not wait behind strangers. *browser* is by which name the
        person will know the session.
        """

    async def device_key(self, email: str) -> bytes | None:
        """Return what signs the devices on which *email* has logged in; None without an account.

        The same in every process, until the password is changed.
        """

    async def logged_in(self, token: str) -> Person | None:
        """Whose session it is; None when it is unknown, older than 30 days, or was not used for
        14 days."""

    async def log_out(self, token: str) -> None:
        """End the session; no error if it is unknown."""

    async def sessions(self, email: str, *, token: str = "") -> Sequence[Session]:
        """Return the sessions of *email*, the last used one first; that of *token* is the own."""

    async def end_session(self, email: str, session: str) -> None:
        """End the session of that id. Raises `NotFound` when *email* has none of it."""

    async def end_sessions(self, email: str | None, *, keep: str = "") -> int:
        """End every session of *email*, of everybody for None, and return how many there were;
        that of the token *keep* goes on. Raises `NotFound` for an email without an account."""


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
        """The new key and its secret; it works for *days* from now on.

        Raises `Malformed`, and `NotFound` when *site* is not there at that moment.
        """

    def find(self, secret: str) -> Key | None:
        """The key with this secret, if it has not expired; from memory.

        Whoever asks is taken to use it: see `last_used`.
        """

    async def last_used(self) -> Mapping[str, int]:
        """Return the last day on which each key was used, in days since 1970, by the key's id."""

    async def all(self) -> Sequence[Key]:
        """Every key, oldest first."""

    async def revoke(self, key_id: str) -> None:
        """Raises `NotFound`."""


class SaltMissing(StoreUnavailable):
    """A day has no salt: `Salts.make` makes one, where it can."""

    def __init__(self, day: int) -> None:
        super().__init__(
            "a visitor without a cookie cannot be told from others on this day yet; send it again"
        )
        self.day = day


class Salts(Protocol):
    """The keys of the cookieless visitor hash: one per UTC day, gone after 48 hours.

    They are made ahead, so that a day begins with its salt in every process's memory. A salt is
    over when its day and the day on which it was made lie before today - 2: so the one
    of all days long ago lasts as long as any other, and an import that is taken up again finds the
    same visitors.
    """

    def of(self, day: int, *, today: int) -> bytes:
        """Return the 16 random bytes of *day* (days since 1970), the same in every process.

        It looks into memory only. Raises `SaltMissing` for a day whose salt is over or not made.
        """

    async def make(self, days: Collection[int], *, today: int) -> None:
        """Return when each of *days* has a salt in every process, and no salt is left that is over.

        Raises `StoreUnavailable` when that cannot be: then no salt was made.
        """


class Catalog(AbstractAsyncContextManager["Catalog"], Protocol):
    """Everything that people set, as against what visitors send."""

    sites: Sites
    people: People
    keys: Keys
    salts: Salts
    audit_log: AuditLog

    async def flush(self) -> None:
        """Write down what was only counted in memory: refused logins, the last use of keys.

        Raises `StoreUnavailable`; then it is counted still.
        """

    async def __aenter__(self) -> Self: ...
