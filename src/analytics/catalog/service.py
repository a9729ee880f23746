"""Changes to sites, people and keys, as both the dashboard and the commands make them.

Neither writes to the catalog in any other way (`tests/architecture/test_catalog_writes.py`), so a
change has the same effect wherever an owner makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple, Protocol, TypedDict, Unpack

import msgspec
import structlog

from analytics import localtime
from analytics.catalog.audit_log import AuditAction
from analytics.catalog.base import Catalog, unknown_site
from analytics.errors import Conflict, Forbidden, Malformed, NotFound, StoreUnavailable
from analytics.person import Key, Person, Scope
from analytics.query import Metric, Period, Query, Result
from analytics.site import Site
from analytics.wording import counted

log = structlog.get_logger()


class FirstEvents(Protocol):
    """The part of a store needed to add a site."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""


class Events(FirstEvents, Protocol):
    """The part of a store needed to count what a shorter retention deletes."""

    async def query(self, query: Query) -> Result:
        """As `SeriesStore.query`."""


class Rows(Protocol):
    """The part of an eraser needed to remove a site."""

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        """As `Erases.count_rows`."""

    async def delete_site(self, site: str) -> int:
        """As `Erases.delete_site`."""


class SiteChanges(TypedDict, total=False):
    """New values for the settings of a `Site`; settings that are left out stay as they are."""

    timezone: str
    shields: Mapping[str, Sequence[str]]
    """By field of `Shields`; lists that are left out stay as they are."""
    honour_dnt: bool
    cookieless: bool
    retention_days: int | None
    public: bool
    other_hostnames: tuple[str, ...]
    count_spam_referrers: bool
    revenue_ceiling: int | None
    custom_properties: tuple[str, ...]
    events_per_day: int | None


class Attached(NamedTuple):
    """Everything that is removed together with a site."""

    keys: Sequence[Key]
    """The keys limited to this site."""
    viewers: Sequence[Person]
    """The people who may see it and are not owners."""
    rows: int
    """Stored events, including those of bots and engagement pings."""


class Expired(NamedTuple):
    """The events that a retention period deletes."""

    first_kept: date
    """The first day, in the site's time zone, whose events are kept."""
    events: int
    """Page views and custom events before that day, including those of bots."""


class Removed(NamedTuple):
    """Counts of what the removal of a site deleted."""

    keys: int
    viewers: int
    rows: int
    """Deleted events; 0 when the events were kept."""


class Added(NamedTuple):
    """A new site, and the events that are left from an earlier site of the same domain."""

    site: Site
    since: int | None
    """The time of the first such event in UTC milliseconds; None when there are none."""


class EndedSessions(NamedTuple):
    """The sessions that were ended."""

    email: str | None
    """The account's email in its stored spelling; None for everybody."""
    sessions: int


async def add_site(catalog: Catalog, rows: FirstEvents, domain: str, *, timezone: str) -> Added:
    """Add a site and return it.

    Raise `Malformed` for a wrong domain or time zone, `Conflict` when the site exists.
    """
    site = await catalog.sites.add(domain, timezone=timezone)
    return Added(site, await rows.first_event(site.domain))


async def change_site(catalog: Catalog, domain: str, **changes: Unpack[SiteChanges]) -> Site:
    """Change some settings of the site *domain* and return it as stored.

    The other settings are those that are stored at the moment of writing, not those that the
    caller or this process read before somebody else changed them. Raise `NotFound`, and
    `Malformed` for a value that is not valid.
    """
    shields = changes.pop("shields", {})

    def edit(site: Site) -> Site:
        kept = msgspec.structs.replace(site.shields, **shields)
        return msgspec.structs.replace(site, shields=kept, **changes)

    return await catalog.sites.edit(_site(catalog, domain).domain, edit)


async def add_hostname(catalog: Catalog, domain: str, hostname: str) -> Site:
    """Let hits of pages at *hostname* count for a site. Raise `NotFound`, `Malformed`."""

    def edit(site: Site) -> Site:
        return msgspec.structs.replace(site, other_hostnames=(*site.other_hostnames, hostname))

    return await catalog.sites.edit(domain, edit)


async def expired(store: Events, site: Site, days: int, now: int) -> Expired:
    """Count the events of *site* that are older than *days* at *now* (UTC milliseconds)."""
    zone = site.timezone
    first_kept = localtime.date_of(localtime.day_of(zone, now)) - timedelta(days)
    cut = localtime.day_start(zone, localtime.day_number(first_kept))
    first = await store.first_event(site.domain)
    if first is None or first >= cut:
        return Expired(first_kept, 0)
    period = Period(localtime.day_start(zone, localtime.day_of(zone, first)), cut, zone)
    counts = await store.query(
        Query(site=site.domain, metrics=(Metric.EVENTS,), period=period, bots=True)
    )
    figures = (row.metrics[0] for row in counts.rows)
    return Expired(first_kept, sum(each for each in figures if isinstance(each, int)))


def is_shorter(days: int, kept: int | None) -> bool:
    """Return True if keeping *days* deletes more than keeping *kept*; None keeps everything."""
    return kept is None or days < kept


async def attached(catalog: Catalog, rows: Rows, domain: str) -> Attached:
    """Return everything that removing the site *domain* would remove with it."""
    return Attached(
        keys=[key for key in await catalog.keys.all() if key.site == domain],
        viewers=[p for p in await catalog.people.all() if not p.owner and domain in p.sites],
        rows=await rows.count_rows(domain),
    )


async def remove_site(catalog: Catalog, rows: Rows, domain: str, *, erase: bool) -> Removed:
    """Remove a site, the keys limited to it, and its viewers' access; with *erase*, its events too.

    Events that are kept show again when the site is added again. Raise `NotFound`.
    """
    _site(catalog, domain)
    removed = await attached(catalog, rows, domain)
    # Events first: if they cannot be deleted now, the site must still be there to try again.
    deleted = await rows.delete_site(domain) if erase else 0
    if erase:
        await record(catalog, AuditAction.DATA_ERASED, rows=deleted, site=domain)
    await catalog.sites.remove(domain)
    return Removed(keys=len(removed.keys), viewers=len(removed.viewers), rows=deleted)


async def add_person(
    catalog: Catalog,
    email: str,
    password: str,
    *,
    owner: bool,
    sites: Sequence[str],
    must_change: bool,
) -> Person:
    """Create an account and return it.

    With *must_change* the password only lets its owner choose another. Raise `Malformed` for a
    wrong email or password and for somebody who could see no site, `Conflict` when the email has
    an account.
    """
    if not (owner or sites):
        raise Malformed("sites", "name at least one site that they may see, or make them an owner")
    return await catalog.people.add(
        email,
        password,
        owner=owner,
        sites=() if owner else tuple(sites),
        must_change=must_change,
    )


async def find_person(catalog: Catalog, email: str) -> Person | None:
    """Return the person whose account has *email*, or None."""
    spelling = email.strip().lower()
    return next((each for each in await catalog.people.all() if each.email == spelling), None)


async def person(catalog: Catalog, email: str) -> Person:
    """Return the person whose account has *email*. Raise `NotFound`."""
    account = await find_person(catalog, email)
    if account is None:
        raise NotFound(
            f"{email.strip().lower()} has no account; `analytics user list` shows who has"
        )
    return account


async def change_person(
    catalog: Catalog,
    email: str,
    *,
    owner: bool | None = None,
    add: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> Person:
    """Add and drop sites that somebody may see, change whether they are an owner; return them.

    *owner* None keeps the role. Raise `NotFound`, and `Conflict` when the server would be left
    without an owner or the person, not being an owner, without a site.
    """
    account = await person(catalog, email)
    kept = [site for site in account.sites if site not in drop]
    changed = msgspec.structs.replace(
        account,
        owner=account.owner if owner is None else owner,
        sites=tuple(dict.fromkeys([*kept, *add])),
    )
    if not (changed.owner or changed.sites):
        raise Conflict(
            f"{account.email} would see no site any more; remove the account, or name a site"
        )
    await catalog.people.change(changed)
    return changed


async def set_password(
    catalog: Catalog, email: str, password: str, *, keep: str = "", must_change: bool = False
) -> Person:
    """Replace somebody's password, end their sessions except that of the token *keep*; return them.

    *must_change* as in `add_person`. Raise `NotFound`, and `Malformed` for a bad password.
    """
    account = await person(catalog, email)
    await catalog.people.set_password(account.email, password, keep=keep, must_change=must_change)
    return account


async def end_session(catalog: Catalog, email: str, session: str) -> None:
    """End the session of *email* whose id is *session*. Raise `NotFound` when there is none."""
    await catalog.people.end_session(email, session)


async def end_sessions(catalog: Catalog, email: str | None, *, keep: str = "") -> EndedSessions:
    """End the sessions of *email*, or everybody's for None, except that of the token *keep*.

    Raise `NotFound` when the email has no account.
    """
    if email is not None:
        email = (await person(catalog, email)).email
    return EndedSessions(email, await catalog.people.end_sessions(email, keep=keep))


async def remove_person(catalog: Catalog, email: str) -> Person:
    """Delete an account, end its sessions, and return whose it was.

    Raise `NotFound`, and `Conflict` when the server would be left without an owner.
    """
    account = await person(catalog, email)
    await catalog.people.remove(account.email)
    return account


async def withdraw(catalog: Catalog, email: str, domain: str) -> bool:
    """Take the site *domain* away from somebody, and their account with their last site.

    Return True if the account was removed. Raise `NotFound`, and `Conflict` for an owner.
    """
    account = await person(catalog, email)
    if account.owner:
        raise Conflict(f"{account.email} is an owner, and sees every site")
    remaining = tuple(site for site in account.sites if site != domain)
    if not remaining:
        await catalog.people.remove(account.email)
        return True
    await catalog.people.change(msgspec.structs.replace(account, sites=remaining))
    return False


async def create_key(
    catalog: Catalog,
    *,
    scopes: Sequence[Scope],
    site: str | None,
    label: str,
    days: int | None = None,
) -> tuple[Key, str]:
    """Create a key that expires after *days* (never for None); return it and its secret.

    *site* None lets it act on all sites. Raise `Malformed` for no scopes or too many days, and
    `NotFound` for a *site* that does not exist or has just been removed.
    """
    return await catalog.keys.create(scopes=scopes, site=site, label=label, days=days)


async def find_key(catalog: Catalog, key_id: str, *, of: str | None = None) -> Key:
    """Return the key of that id; with *of*, only if it is limited to that site.

    Raise `NotFound`, and `Forbidden` for a key of all sites when *of* is given.
    """
    key = next((each for each in await catalog.keys.all() if each.id == key_id), None)
    if key is None or (of is not None and key.site not in (None, of)):
        raise NotFound(f"{key_id[:80]} is not a key here; `analytics key list` shows them")
    if of is not None and key.site is None:
        raise Forbidden("This key acts on all sites. Revoke it on the Server page.")
    return key


async def revoke_key(catalog: Catalog, key_id: str, *, of: str | None = None) -> Key:
    """Revoke a key with immediate effect and return it. Raise as `find_key`."""
    key = await find_key(catalog, key_id, of=of)
    await catalog.keys.revoke(key.id)
    return key


async def record(
    catalog: Catalog,
    action: AuditAction,
    *,
    rows: int | None = None,
    of: str = "event",
    site: str = "",
) -> None:
    """Write to the audit log what was done to *rows* events, which the catalog does not see.

    *of* says what the rows are, if they are no events.

    A catalog that cannot write is logged, not raised: the action itself has succeeded.
    """
    about = "" if rows is None else counted(rows, of)
    try:
        await catalog.audit_log.record(action, about=about, site=site)
    except StoreUnavailable as exc:
        log.warning("audit_not_written", what=action, about=about, site=site, error=str(exc))


async def add_custom_property(catalog: Catalog, domain: str, name: str) -> None:
    """Let the report of a site offer the custom property *name*; nothing if it does already.

    Raise `NotFound`, and `Malformed` also when it offers as many as it may.
    """
    if not name.strip():
        raise Malformed("property", "give the name of a custom property")

    def edit(site: Site) -> Site:
        return msgspec.structs.replace(site, custom_properties=(*site.custom_properties, name))

    await catalog.sites.edit(domain, edit)


async def remove_custom_property(catalog: Catalog, domain: str, name: str) -> None:
    """Let the report of a site no longer offer *name*; events keep it. Raise `NotFound`."""

    def edit(site: Site) -> Site:
        if name not in site.custom_properties:
            raise NotFound(f"{domain} offers no property {name[:80]!r}")
        remaining = tuple(each for each in site.custom_properties if each != name)
        return msgspec.structs.replace(site, custom_properties=remaining)

    await catalog.sites.edit(domain, edit)


def _site(catalog: Catalog, domain: str) -> Site:
    site = catalog.sites.get(domain)
    if site is None:
        raise unknown_site(domain)
    return site
