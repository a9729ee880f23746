"""What an owner does to sites, people and keys: pages and commands do it through here alone.

So that what is removed on a page is gone as thoroughly as by a command.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple, Protocol

import msgspec

from analytics import localtime
from analytics.catalog.audit_log import AuditAction
from analytics.catalog.base import Catalog, unknown_site
from analytics.errors import Conflict, Forbidden, Malformed, NotFound
from analytics.person import Key, Person, Scope
from analytics.query import Metric, Period, Query, Result
from analytics.site import Site
from analytics.wording import counted


class FirstEvents(Protocol):
    """The part of a store that the addition of a site concerns."""

    async def first_event(self, site: str) -> int | None:
        """As `Lookups.first_event`."""


class Events(FirstEvents, Protocol):
    """The part of a store that a shorter retention concerns."""

    async def query(self, query: Query) -> Result:
        """As `SeriesStore.query`."""


class Rows(Protocol):
    """What erases, as far as the removal of a site concerns it."""

    async def count_rows(self, site: str, visitor: int | None = None) -> int:
        """As `Erases.count_rows`."""

    async def delete_site(self, site: str) -> int:
        """As `Erases.delete_site`."""


class Attached(NamedTuple):
    """What goes with a site when it is removed."""

    keys: Sequence[Key]
    """Those that act on it alone."""
    viewers: Sequence[Person]
    """Who may see it without being an owner."""
    rows: int
    """Stored events, those of machines and the pings included."""


class Expired(NamedTuple):
    """What a retention deletes."""

    first_kept: date
    """The first day of the site that it keeps."""
    events: int
    """Page views and custom events from before it, those of machines included."""


class Removed(NamedTuple):
    """What the removal of a site did."""

    keys: int
    viewers: int
    rows: int
    """How many events were deleted."""


class Added(NamedTuple):
    """A new site, and since when there are events of it from a time when it was a site before."""

    site: Site
    since: int | None


async def add_site(catalog: Catalog, rows: FirstEvents, domain: str, *, timezone: str) -> Added:
    """Add a site. Raises `Malformed`, `Conflict`."""
    site = await catalog.sites.add(domain, timezone=timezone)
    return Added(site, await rows.first_event(site.domain))


async def expired(store: Events, site: Site, days: int, now: int) -> Expired:
    """Return what goes when the events of *site* are kept for *days* only."""
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
    """Whether a retention of *days* keeps less than one of *kept*; None keeps everything."""
    return kept is None or days < kept


async def attached(catalog: Catalog, rows: Rows, domain: str) -> Attached:
    """Return what the removal of *domain* would take along, and its events."""
    return Attached(
        keys=[key for key in await catalog.keys.all() if key.site == domain],
        viewers=[p for p in await catalog.people.all() if not p.owner and domain in p.sites],
        rows=await rows.count_rows(domain),
    )


async def remove_site(catalog: Catalog, rows: Rows, domain: str, *, erase: bool) -> Removed:
    """Forget a site, the keys that act on it alone, and who may see it; with *erase* its events.

    Without, its events come back when the site is added again. Raises `NotFound`.
    """
    if catalog.sites.get(domain) is None:
        raise unknown_site(domain)
    going = await attached(catalog, rows, domain)
    # Before the site goes: what cannot be erased now must keep a name by which to ask again.
    gone = await rows.delete_site(domain) if erase else 0
    if erase:
        about = counted(gone, "event")
        await catalog.audit_log.record(AuditAction.DATA_ERASED, about=about, site=domain)
    await catalog.sites.remove(domain)
    return Removed(keys=len(going.keys), viewers=len(going.viewers), rows=gone)


async def add_person(
    catalog: Catalog,
    email: str,
    password: str,
    *,
    owner: bool,
    sites: Sequence[str],
    must_change: bool,
) -> Person:
    """Let somebody log in. Raises `Malformed`, `Conflict`."""
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
    """Return the person with the account of *email*, None without one."""
    wanted = email.strip().lower()
    return next((each for each in await catalog.people.all() if each.email == wanted), None)


async def person(catalog: Catalog, email: str) -> Person:
    """Return the person with the account of *email*. Raises `NotFound`."""
    found = await find_person(catalog, email)
    if found is None:
        raise NotFound(
            f"{email.strip().lower()} has no account; `analytics user list` shows who has"
        )
    return found


async def change_person(
    catalog: Catalog,
    email: str,
    *,
    owner: bool | None = None,
    add: Sequence[str] = (),
    drop: Sequence[str] = (),
) -> Person:
    """Give somebody sites, take sites away, make them an owner or no longer one.

    Raises `NotFound`, and `Conflict` when nobody would own the server any more, or when somebody
    who is no owner would be left without a site.
    """
    known = await person(catalog, email)
    kept = [site for site in known.sites if site not in drop]
    changed = msgspec.structs.replace(
        known,
        owner=known.owner if owner is None else owner,
        sites=tuple(dict.fromkeys([*kept, *add])),
    )
    if not (changed.owner or changed.sites):
        raise Conflict(
            f"{known.email} would see no site any more; remove the account, or name a site"
        )
    await catalog.people.change(changed)
    return changed


async def withdraw(catalog: Catalog, email: str, domain: str) -> bool:
    """Take the site *domain* away from somebody; return whether their account went with it."""
    known = await person(catalog, email)
    if known.owner:
        raise Conflict(f"{known.email} is an owner, and sees every site")
    left = tuple(site for site in known.sites if site != domain)
    if not left:
        await catalog.people.remove(known.email)
        return True
    await catalog.people.change(msgspec.structs.replace(known, sites=left))
    return False


async def create_key(
    catalog: Catalog,
    *,
    scopes: Sequence[Scope],
    site: str | None,
    label: str,
    days: int | None = None,
) -> tuple[Key, str]:
    """Create a key that works for *days*, or for ever; return it and its secret.

    Raise `Malformed` when it may do nothing, or for too many days, and `NotFound` for a *site*
    that is not there, or was removed a moment ago.
    """
    return await catalog.keys.create(scopes=scopes, site=site, label=label, days=days)


async def find_key(catalog: Catalog, key_id: str, *, of: str | None = None) -> Key:
    """The key of that id, which must act on the site *of* alone when one is given.

    Raises `NotFound`, and `Forbidden` for a key that reaches further.
    """
    key = next((each for each in await catalog.keys.all() if each.id == key_id), None)
    if key is None or (of is not None and key.site not in (None, of)):
        raise NotFound(f"{key_id[:80]} is not a key here; `analytics key list` shows them")
    if of is not None and key.site is None:
        raise Forbidden("This key acts on all sites. Revoke it on the Server page.")
    return key


async def revoke_key(catalog: Catalog, key_id: str, *, of: str | None = None) -> Key:
    """Make a key worthless at once; raises as `find_key`."""
    key = await find_key(catalog, key_id, of=of)
    await catalog.keys.revoke(key.id)
    return key
