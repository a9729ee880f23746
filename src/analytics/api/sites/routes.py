"""The routes of the Sites API."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from analytics.api.sites import custom_props, goals, guests, shared_links, sites
from analytics.api.sites.access import Handler, SitesContext, endpoint

PREFIX = "/api/v1/sites"


def routes(context: SitesContext) -> list[BaseRoute]:
    """Return the routes; a site's own path lies beside its resources', so it comes last."""

    def route(method: str, path: str, handler: Handler) -> Route:
        return Route(PREFIX + path, endpoint(context, handler), methods=[method])

    return [
        route("GET", "", sites.every),
        route("POST", "", sites.add),
        route("GET", "/goals", goals.every),
        route("PUT", "/goals", goals.put),
        route("DELETE", "/goals/{goal_id}", goals.remove),
        route("GET", "/custom-props", custom_props.every),
        route("PUT", "/custom-props", custom_props.put),
        route("DELETE", "/custom-props/{property:path}", custom_props.remove),
        route("GET", "/shared-links", shared_links.every),
        route("PUT", "/shared-links", shared_links.put),
        route("DELETE", "/shared-links/{link_id}", shared_links.remove),
        route("GET", "/guests", guests.every),
        route("PUT", "/guests", guests.put),
        route("DELETE", "/guests/{email}", guests.remove),
        route("GET", "/{site_id}", sites.show),
        route("PUT", "/{site_id}", sites.change),
        route("DELETE", "/{site_id}", sites.remove),
    ]
