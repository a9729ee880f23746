"""Links that open a site's report without a login: made, found by their secret, and revoked."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from analytics.catalog import password
from analytics.catalog.base import Catalog
from analytics.catalog.rules import check_text
from analytics.errors import Conflict, Malformed, NotFound
from analytics.shared_link import SharedLink
from analytics.site import Site
from analytics.submission import AlreadyDone, new_secret

MAX_LINKS: Final = 100
"""Of one site."""
MAX_NAME_CHARS: Final = 120
_SECRET_BYTES: Final = 18
_LONGEST_SECRET: Final = 100
_PASSWORDS: Final = password.Passwords()


class NewLink(NamedTuple):
    """A link and its secret, which is shown this once."""

    link: SharedLink
    secret: str


async def add_link(
    catalog: Catalog,
    domain: str,
    name: str,
    *,
    now: int,
    password_text: str = "",
    embeddable: bool = False,
    renew: bool = False,
) -> NewLink:
    """Make a link of that name; with *renew*, in place of the one that has it.

    Raise `NotFound` for the site, `Malformed`, and `Conflict` if a link has the name.
    """
    name = name.strip()
    if not name:
        raise Malformed("name", "give the link a name")
    check_text("name", name, MAX_NAME_CHARS)
    if password_text and embeddable:
        raise Malformed(
            "password", "a frame cannot ask for one: browsers keep no cookies of framed pages"
        )
    secret = base64.urlsafe_b64encode(new_secret(_SECRET_BYTES)).decode()
    hashed = await _PASSWORDS.hashed(password_text, "") if password_text else ""

    def edit(site: Site) -> Site:
        others = tuple(each for each in site.shared_links if each.name != name)
        if len(others) < len(site.shared_links) and not renew:
            raise Conflict(f"{domain} has another shared link called {name!r}; give a new name")
        if len(others) >= MAX_LINKS:
            raise Conflict(f"{domain} has {MAX_LINKS} shared links, which is the most; revoke one")
        link = SharedLink(
            id=site.last_id + 1,
            name=name,
            secret_hash=_hash(secret),
            created_at=now,
            password_hash=hashed,
            embeddable=embeddable,
        )
        return msgspec.structs.replace(site, shared_links=(*others, link), last_id=link.id)

    try:
        site = await catalog.sites.edit(domain, edit)
    except AlreadyDone:
        current = catalog.sites.get(domain)
        link = None if current is None else link_of(current, secret)
        if link is None:
            raise  # it was revoked since
        return NewLink(link, secret)
    return NewLink(next(each for each in site.shared_links if each.name == name), secret)


async def revoke_link(catalog: Catalog, domain: str, link_id: int) -> SharedLink:
    """Make a link worthless at once, and return it. Raise `NotFound`."""
    revoked: list[SharedLink] = []

    def edit(site: Site) -> Site:
        revoked[:] = [find_link(site, link_id)]
        remaining = tuple(each for each in site.shared_links if each.id != link_id)
        return msgspec.structs.replace(site, shared_links=remaining)

    await catalog.sites.edit(domain, edit)
    return revoked[0]


def find_link(site: Site, link_id: int) -> SharedLink:
    """Return the link of that id. Raise `NotFound`."""
    for link in site.shared_links:
        if link.id == link_id:
            return link
    raise NotFound(f"{site.domain} has no such shared link")


def link_named(site: Site, name: str) -> SharedLink:
    """Return the link of that name or id. Raise `NotFound`."""
    for link in site.shared_links:
        if name in (link.name, str(link.id)):
            return link
    raise NotFound(
        f"{site.domain} has no shared link {name[:80]!r}; `analytics link list {site.domain}`"
        " shows them"
    )


def address_of(domain: str, secret: str) -> str:
    """Return the path and query string of the report behind the link with *secret*."""
    return f"/share/{quote(domain, safe='')}?auth={secret}"


def link_of(site: Site, secret: str) -> SharedLink | None:
    """Return the link of *site* that has *secret*; None when there is none."""
    if not secret or len(secret) > _LONGEST_SECRET:
        return None
    hashed = _hash(secret)
    for link in site.shared_links:
        if hmac.compare_digest(link.secret_hash, hashed):
            return link
    return None


async def opens(link: SharedLink, password_text: str) -> bool:
    """Return whether *password_text* is the password of *link*. Raise `TooMany`."""
    return await _PASSWORDS.fits(password_text, link.password_hash or None, at_home=False)


def proof(link: SharedLink, secret: str) -> str:
    """Return what a browser keeps that has given the password of *link*, until that changes."""
    return hmac.digest(link.password_hash.encode(), secret.encode(), "sha256").hex()


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
