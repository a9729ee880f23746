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


async def every(asked: SitesRequest) -> SiteList:
    """List the sites that the key reaches, by domain."""
    reached = [site for site in asked.catalog.sites.all() if asked.key.site in (None, site.domain)]
    shown, meta = listing.page_of(reached, lambda site: site.domain, asked.request.query_params)
    lines = [SiteLine(domain=site.domain, timezone=site.timezone) for site in shown]
    return SiteList(sites=lines, meta=meta)


async def add(asked: SitesRequest) -> SiteReply:
    """Add a site."""
    asked.of_all_sites()
    fields = await asked.fields(AddedSite)
    first_events = _FirstEvents(asked)
    added = await service.add_site(
        asked.catalog, first_events, fields.domain, timezone=fields.timezone or "Etc/UTC"
    )
    return _shown(added.site)


async def show(asked: SitesRequest) -> SiteReply:
    """Return one site."""
    return _shown(asked.site(asked.request.path_params["site_id"]))


async def change(asked: SitesRequest) -> SiteReply:
    """Change a site's time zone; its domain cannot be changed."""
    site = asked.site(asked.request.path_params["site_id"])
    fields = await asked.fields(ChangedSite)
    if fields.domain is not None and domains.normal(fields.domain) != site.domain:
        raise Conflict(
            f"the domain of {site.domain} cannot be changed: its events are stored under that name."
            f" Add {domains.normal(fields.domain)} as a site of its own, or count it here as one"
            " of the hostnames that count (Settings, Made-up hits)"
        )
    if fields.timezone:
        site = await service.change_site(asked.catalog, site.domain, timezone=fields.timezone)
    return _shown(site)


async def remove(asked: SitesRequest) -> SiteDeleted:
    """Remove a site with its events, the keys that are for it alone, and who may see it."""
    site = asked.site(asked.request.path_params["site_id"])
    await asked.context.settle()
    removed = await service.remove_site(asked.catalog, asked.context.rows, site.domain, erase=True)
    return SiteDeleted(
        deleted=True,
        events_deleted=removed.rows,
        keys_revoked=removed.keys,
        viewers_withdrawn=removed.viewers,
    )


class _FirstEvents:
    def __init__(self, asked: SitesRequest) -> None:
        self._asked = asked

    async def first_event(self, site: str) -> int | None:
        return await self._asked.context.first_event(site)


def _shown(site: Site) -> SiteReply:
    return SiteReply(
        domain=site.domain, timezone=site.timezone, custom_properties=site.custom_properties
    )
