"""Authorizes requests of the Sites API, finds their site, and parses their bodies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from analytics import access, actor, decoding
from analytics.api.sites.messages import OfSite
from analytics.catalog.base import Catalog
from analytics.catalog.service import Rows
from analytics.errors import UNDECODABLE, Forbidden, Malformed, NotFound
from analytics.person import Key, Scope
from analytics.site import Site

T = TypeVar("T", bound=msgspec.Struct)
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
"""What a body may be besides JSON."""


@dataclass(frozen=True, kw_only=True)
class SitesContext:
    """The parts of the program that the Sites API uses."""

    catalog: Catalog
    rows: Rows
    first_event: Callable[[str], Awaitable[int | None]]
    clock: Callable[[], int]
    """Returns the time now, in UTC milliseconds."""
    settle: Callable[[], Awaitable[None]]
    """Returns when everything appended before the call is in the store."""
    origin: Callable[[Request], str]
    """Returns the address of this server as its clients know it, without a path."""


@dataclass(frozen=True)
class SitesRequest:
    """A request with a key that may change sites."""

    context: SitesContext
    request: Request
    key: Key

    @property
    def catalog(self) -> Catalog:
        """Return the catalog."""
        return self.context.catalog

    def site(self, name: str) -> Site:
        """Return the site of that name, if the key covers it.

        A key for one site alone need not name it. Raise `Malformed`, `Forbidden`, `NotFound`.
        """
        if not name and self.key.site is not None:
            name = self.key.site
        if not name:
            raise Malformed("site_id", "is missing; send the site's domain")
        site = self.catalog.sites.get(name)
        if self.key.site is not None and (site is None or site.domain != self.key.site):
            raise Forbidden(f"this key is for {self.key.site} only")
        if site is None:
            raise NotFound(f"there is no site {name[:300]!r} here")
        return site

    def site_of_query(self) -> Site:
        """Return the site that `?site_id=` names. Raise as `site`."""
        return self.site(self.request.query_params.get("site_id", ""))

    def of_all_sites(self) -> None:
        """Raise `Forbidden` for a key that is limited to one site."""
        if self.key.site is not None:
            raise Forbidden(f"this key is for {self.key.site} only; this takes one for all sites")

    async def fields(self, kind: type[T]) -> T:
        """Return the body, JSON or a form, as *kind*; for an empty one, the query string.

        A body that leaves out its site means the one that the query string names.
        """
        sent = await self._sent(kind)
        if isinstance(sent, OfSite) and not sent.site_id:
            named = self.request.query_params.get("site_id", "")
            return structs.replace(sent, site_id=named)
        return sent

    async def _sent(self, kind: type[T]) -> T:
        body, content_type = await self.request.body(), self._content_type()
        try:
            if content_type in FORMS:
                form = await self.request.form(max_files=0, max_fields=100)
                return msgspec.convert(_nested(form.multi_items()), kind, strict=False)
            if not body:
                pairs = self.request.query_params.multi_items()
                return msgspec.convert(_nested(pairs), kind, strict=False)
            return msgspec.json.decode(body, type=kind)
        except UNDECODABLE as exc:
            raise decoding.malformed(exc, body=body, model=kind) from exc

    def _content_type(self) -> str:
        return self.request.headers.get("content-type", "").partition(";")[0].strip().lower()


Handler = Callable[[SitesRequest], Awaitable[msgspec.Struct]]


def endpoint(context: SitesContext, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of a route, which acts on behalf of the key."""

    async def answer(request: Request) -> Response:
        sent = access.key(request.headers.get("authorization", ""), context.catalog.keys)
        key = access.check(sent, Scope.SITES_WRITE)
        with actor.acting_as(f"the key {key.label or key.id}"):
            reply = await handler(SitesRequest(context, request, key))
        return Response(msgspec.json.encode(reply), media_type="application/json")

    return answer


def _nested(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """Return the fields of a form as an object: `custom_props[plan]` is a member of a member."""
    members: dict[str, object] = {}
    for name, value in pairs:
        outer, bracket, inner = name.partition("[")
        text = value if isinstance(value, str) else ""
        if bracket and inner.endswith("]"):
            object_ = members.setdefault(outer, {})
            if isinstance(object_, dict):
                object_[inner.removesuffix("]")] = text
        else:
            members[name] = text
    return members
