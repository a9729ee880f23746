"""The routes of the Sites API."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, get_type_hints

from msgspec import Meta
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import BaseRoute

from analytics.api.sites import custom_props, goals, guests, shared_links, sites
from analytics.api.sites.access import FORMS, Handler, SitesContext, endpoint
from analytics.api.sites.listing import MAX_LIMIT, USUAL_LIMIT
from analytics.api.sites.messages import (
    AddedSite,
    ChangedSite,
    PutGoal,
    PutGuest,
    PutLink,
    PutProperty,
)
from analytics.api_operation import (
    BODY_ERRORS,
    JSON,
    ApiAnswer,
    ApiOperation,
    ApiParameter,
    ApiRoute,
)
from analytics.errors import Conflict
from analytics.person import Scope

PREFIX = "/api/v1/sites"
_RESOURCES: Final = ("goals", "custom-props", "shared-links", "guests")


class _SiteOfPath(Convertor[str]):
    """A site's name in a path: `DELETE …/goals` lacks the goal's id, and means no site "goals"."""

    regex = rf"(?!(?:{'|'.join(_RESOURCES)})$)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("api_site", _SiteOfPath())

_SITE: Final = ApiParameter("site_id", "the site; a key for one site alone need not name it")
_PAGE: Final = (
    ApiParameter(
        "limit",
        f"how many entries; {USUAL_LIMIT}",
        Annotated[int, Meta(ge=1, le=MAX_LIMIT)],
    ),
    ApiParameter("after", "the cursor after which the page begins"),
    ApiParameter("before", "the cursor before which the page ends"),
)
_LIST: Final = (_SITE, *_PAGE)
_IN_PATH: Final = {
    "site_id": "the site's domain, id or number",
    "goal_id": "the goal's number",
    "property": "the property's name",
    "link_id": "the link's number",
    "email": "the guest's address",
}


def routes(context: SitesContext) -> list[BaseRoute]:
    """Return the routes, in the order in which they are tried."""

    def route(
        method: str, path: str, handler: Handler, *parameters: ApiParameter, body: Any = None
    ) -> ApiRoute:
        operation = _described(path, handler, parameters, body)
        return ApiRoute(method, PREFIX + path, endpoint(context, handler), operation)

    return [
        route("GET", "", sites.every, *_PAGE),
        route("POST", "", sites.add, body=AddedSite),
        route("GET", "/goals", goals.every, *_LIST),
        route("PUT", "/goals", goals.put, body=PutGoal),
        route("DELETE", "/goals/{goal_id}", goals.remove, _SITE),
        route("GET", "/custom-props", custom_props.every, _SITE),
        route("PUT", "/custom-props", custom_props.put, body=PutProperty),
        route("DELETE", "/custom-props/{property:path}", custom_props.remove, _SITE),
        route("GET", "/shared-links", shared_links.every, *_LIST),
        route("PUT", "/shared-links", shared_links.put, body=PutLink),
        route("DELETE", "/shared-links/{link_id}", shared_links.remove, _SITE),
        route("GET", "/guests", guests.every, *_LIST),
        route("PUT", "/guests", guests.put, body=PutGuest),
        route("DELETE", "/guests/{email}", guests.remove, _SITE),
        route("GET", "/{site_id:api_site}", sites.show),
        route("PUT", "/{site_id:api_site}", sites.change, body=ChangedSite),
        route("DELETE", "/{site_id:api_site}", sites.remove),
    ]


def _described(
    path: str, handler: Handler, parameters: tuple[ApiParameter, ...], body: Any
) -> ApiOperation:
    """Return what the document says of *handler*: its docstring, and the type that it returns."""
    about = (handler.__doc__ or "").partition("\n")[0]
    in_path = tuple(
        ApiParameter(name, _IN_PATH[name], place="path") for name in re.findall(r"{(\w+)", path)
    )
    return ApiOperation(
        summary=about.removesuffix("."),
        group="Sites",
        parameters=(*in_path, *parameters),
        body={} if body is None else dict.fromkeys((JSON, *FORMS), body),
        answers=(ApiAnswer(about, {JSON: get_type_hints(handler)["return"]}),),
        errors=(*BODY_ERRORS, Conflict),
        scope=Scope.SITES_WRITE,
    )
