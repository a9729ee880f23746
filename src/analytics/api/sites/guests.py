"""`/api/v1/sites/guests`: people who may see one site. Nothing is mailed to them from here."""

from __future__ import annotations

import secrets

from analytics.api.sites import listing
from analytics.api.sites.access import SitesRequest
from analytics.api.sites.messages import Deleted, GuestList, GuestReply, OfSite, PutGuest
from analytics.catalog import service
from analytics.errors import Malformed, NotFound
from analytics.person import Person


async def every(request: SitesRequest) -> GuestList:
    """List who may see the site, apart from owners, by email."""
    site = request.site_of_query()
    guests = [
        person
        for person in await request.catalog.people.all()
        if not person.owner and person.sees(site.domain)
    ]
    shown, meta = listing.page_of(guests, lambda person: person.email, request.request.query_params)
    return GuestList(guests=[_shown(person) for person in shown], meta=meta)


async def put(request: SitesRequest) -> GuestReply:
    """Let somebody see the site; create an account for an unknown address."""
    fields = await request.fields(PutGuest)
    site = request.site(fields.site_id)
    if fields.role != "viewer":
        raise Malformed(
            "role",
            f"{fields.role[:40]!r} is not known here: guests see a site (viewer), and who changes"
            " one is an owner of the server, whom `analytics user add --owner` makes",
        )
    guest = await service.find_person(request.catalog, fields.email)
    if guest is None:
        password = secrets.token_urlsafe(12)
        added = await service.add_person(
            request.catalog,
            fields.email,
            password,
            owner=False,
            sites=(site.domain,),
            must_change=True,
        )
        return _shown(added, first_password=password)
    if not guest.sees(site.domain):
        guest = await service.change_person(request.catalog, guest.email, add=(site.domain,))
    return _shown(guest)


async def remove(request: SitesRequest) -> Deleted:
    """Take the site away from somebody; delete the account if it was the last site."""
    site = request.site((await request.fields(OfSite)).site_id)
    email = request.request.path_params["email"]
    guest = await service.find_person(request.catalog, email)
    if guest is None or not guest.sees(site.domain):
        raise NotFound(f"{email[:254]} is not a guest of {site.domain}")
    await service.withdraw(request.catalog, guest.email, site.domain)
    return Deleted(deleted=True)


def _shown(person: Person, first_password: str = "") -> GuestReply:
    return GuestReply(
        email=person.email,
        role="owner" if person.owner else "viewer",
        status="invited" if person.must_change else "accepted",
        first_password=first_password,
    )
