"""`/api/v1/sites` and `/api/v1/sites/{site_id}`."""

from __future__ import annotations

from analytics.api.sites import listing
from analytics.api.sites.access import SitesRequest
from analytics.api.sites.messages import (
    AddedSite,
    ChangedSite,
    SiteDeleted,
    SiteLine,
    SiteList,
    SiteReply,
)
from analytics.catalog import domain as domains
from analytics.catalog import service
from analytics.errors import Conflict
from analytics.site import Site


async def every(request: SitesRequest) -> SiteList:
    """List the sites that the key reaches, by domain."""
    reached = [
        site for site in request.catalog.sites.all() if request.key.site in (None, site.domain)
    ]
    shown, meta = listing.page_of(reached, lambda site: site.domain, request.request.query_params)
    lines = [SiteLine(domain=site.domain, timezone=site.timezone) for site in shown]
    return SiteList(sites=lines, meta=meta)


async def add(request: SitesRequest) -> SiteReply:
    """Add a site."""
    request.of_all_sites()
    fields = await request.fields(AddedSite)
    first_events = _FirstEvents(request)
    added = await service.add_site(
        request.catalog, first_events, fields.domain, timezone=fields.timezone or "Etc/UTC"
    )
    return _shown(added.site)


async def show(request: SitesRequest) -> SiteReply:
    """Return one site."""
    return _shown(request.site(request.request.path_params["site_id"]))


async def change(request: SitesRequest) -> SiteReply:
    """Change a site's time zone; its domain cannot be changed."""
    site = request.site(request.request.path_params["site_id"])
    fields = await request.fields(ChangedSite)
    if fields.domain is not None and domains.normal(fields.domain) != site.domain:
        raise Conflict(
            f"the domain of {site.domain} cannot be changed: its events are stored under that name."
            f" Add {domains.normal(fields.domain)} as a site of its own, or count it here as one"
            " of the hostnames that count (Settings, Made-up hits)"
        )
    if fields.timezone:
        site = await service.change_site(request.catalog, site.domain, timezone=fields.timezone)
    return _shown(site)


async def remove(request: SitesRequest) -> SiteDeleted:
    """Remove a site with its events, the keys that are for it alone, and who may see it."""
    site = request.site(request.request.path_params["site_id"])
    await request.context.settle()
    removed = await service.remove_site(
        request.catalog, request.context.rows, site.domain, erase=True
    )
    return SiteDeleted(
        deleted=True,
        events_deleted=removed.rows,
        keys_revoked=removed.keys,
        viewers_withdrawn=removed.viewers,
    )


class _FirstEvents:
    def __init__(self, request: SitesRequest) -> None:
        self._asked = request

    async def first_event(self, site: str) -> int | None:
        return await self._asked.context.first_event(site)


def _shown(site: Site) -> SiteReply:
    return SiteReply(
        domain=site.domain, timezone=site.timezone, custom_properties=site.custom_properties
    )
