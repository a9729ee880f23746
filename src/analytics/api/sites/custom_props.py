"""`/api/v1/sites/custom-props`: the custom properties that a site's report offers."""

from __future__ import annotations

from analytics.api.sites.access import SitesRequest
from analytics.api.sites.messages import (
    Created,
    Deleted,
    OfSite,
    PropertyList,
    PropertyReply,
    PutProperty,
)
from analytics.catalog import service


async def every(request: SitesRequest) -> PropertyList:
    """List them by name."""
    names = request.site_of_query().custom_properties
    return PropertyList(custom_properties=[PropertyReply(property=name) for name in names])


async def put(request: SitesRequest) -> Created:
    """Add one, unless the report has it already."""
    fields = await request.fields(PutProperty)
    site = request.site(fields.site_id)
    await service.add_custom_property(request.catalog, site.domain, fields.property)
    return Created(created=True)


async def remove(request: SitesRequest) -> Deleted:
    """Remove one from the report; events keep it."""
    site = request.site((await request.fields(OfSite)).site_id)
    name = request.request.path_params["property"]
    await service.remove_custom_property(request.catalog, site.domain, name)
    return Deleted(deleted=True)
