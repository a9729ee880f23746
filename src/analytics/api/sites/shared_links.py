"""`/api/v1/sites/shared-links`: links that open a site's report without a login."""

from __future__ import annotations

from typing import Any

from analytics.api.sites import listing
from analytics.api.sites.access import SitesRequest
from analytics.api.sites.messages import (
    Deleted,
    LinkFound,
    LinkList,
    LinkReply,
    OfSite,
    PutLink,
)
from analytics.catalog import shared_links
from analytics.errors import NotFound
from analytics.shared_link import SharedLink


async def every(request: SitesRequest) -> LinkList:
    """List the links of a site, the oldest first, without their addresses."""
    site = request.site_of_query()
    shown, meta = listing.page_of(
        site.shared_links, lambda link: f"{link.id:020}", request.request.query_params
    )
    return LinkList(shared_links=[LinkReply(**_members(link)) for link in shown], meta=meta)


async def put(request: SitesRequest) -> LinkFound:
    """Create a link; return the existing one if there is one of that name."""
    fields = await request.fields(PutLink)
    site = request.site(fields.site_id)
    for link in site.shared_links:
        if link.name == fields.name.strip() and not fields.renew:
            hint = (
                "The link is there, and only a hash of its secret is kept, so its address cannot be"
                ' shown again. Send "renew": true for a new address in place of the old one.'
            )
            return LinkFound(**_members(link), url=None, hint=hint)
    new_link = await shared_links.add_link(
        request.catalog,
        site.domain,
        fields.name,
        now=request.context.clock(),
        password_text=fields.password,
        embeddable=fields.embeddable,
        renew=fields.renew,
    )
    path = shared_links.address_of(site.domain, new_link.secret)
    return LinkFound(**_members(new_link.link), url=request.context.origin(request.request) + path)


async def remove(request: SitesRequest) -> Deleted:
    """Revoke a link at once."""
    site = request.site((await request.fields(OfSite)).site_id)
    name = request.request.path_params["link_id"]
    if not (name.isascii() and name.isdigit() and len(name) < 20):
        raise NotFound(f"{site.domain} has no shared link {name[:80]!r}")
    await shared_links.revoke_link(request.catalog, site.domain, int(name))
    return Deleted(deleted=True)


def _members(link: SharedLink) -> dict[str, Any]:
    return {
        "id": str(link.id),
        "name": link.name,
        "has_password": bool(link.password_hash),
        "embeddable": link.embeddable,
    }
