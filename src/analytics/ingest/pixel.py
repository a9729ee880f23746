"""`GET /pixel.gif`: a pageview from where no script runs, such as a page without JavaScript."""

from __future__ import annotations

from base64 import b64decode
from typing import Final

from msgspec.structs import replace
from starlette.types import Receive, Scope, Send

from analytics.errors import AnalyticsError, Malformed
from analytics.ingest import asgi as http
from analytics.ingest import page_url
from analytics.ingest.context import IngestContext
from analytics.ingest.endpoint import receipt
from analytics.ingest.wire import plausible

_GIF: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_HEADERS: Final[tuple[http.Header, ...]] = (
    (b"content-type", b"image/gif"),
    (b"cache-control", b"no-store"),
    *http.CORS,
)


class PixelEndpoint:
    """The ASGI application behind `/pixel.gif`.

    The query string has the short names of an event's body: `d` the site, `u` the page (the
    Referer header when it is left out), `r` its referrer, `n` the event's name (pageview).
    """

    method: Final = "GET"
    charges: Final = True

    def __init__(self, intake: IngestContext) -> None:
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record the view, and show a transparent pixel."""
        if scope["method"] == "OPTIONS":
            return await http.preflight(scope, send)
        if scope["method"] not in ("GET", "HEAD"):
            return await http.refuse(scope, send, http.wrong_method("GET, HEAD"))
        if scope["method"] == "HEAD":
            # Nobody looks at the page: a link checker, or a cache, asks what the picture is like.
            return await http.answer(send, 200, _GIF, _HEADERS)
        try:
            client = self._intake.client(scope)
            sent = replace(plausible.raw_event(_body(scope)), picture=True)
            self._intake.charge(client, None, len(sent.domains), len(scope["query_string"]))
            records = await self._intake.acceptance.accept_any_day(sent, client)
            positions = await self._intake.log.append(records)
        except AnalyticsError as error:
            self._intake.counts.refused(error)
            return await http.refuse(scope, send, error)
        self._intake.counts.accepted += 1
        return await http.answer(send, 200, _GIF, (*_HEADERS, *receipt(records, positions)))


def _body(scope: Scope) -> plausible.Body:
    given = dict(page_url.fields(scope["query_string"].decode("latin-1")))
    site = given.get("d") or given.get("domain") or ""
    url = given.get("u") or given.get("url") or _referer(scope, site)
    if not url:
        raise Malformed(
            "u", "it is missing, and the request has no Referer; send the page's address"
        )
    return plausible.Body(
        n=given.get("n") or given.get("name") or "pageview",
        u=url,
        d=site or None,
        r=given.get("r") or given.get("referrer"),
        t=given.get("t") or given.get("title"),
        dnt=given.get("dnt"),
        id=given.get("id"),
        vid=given.get("vid"),
    )


def _referer(scope: Scope, site: str) -> str:
    """The page that asks, by its Referer; "" when that is no page but this server.

    Dillo sends the origin of what it asks for. A site that has this server under its own name
    sends that origin, too, and means a page.
    """
    headers = dict(scope["headers"])
    referer: str = headers.get(b"referer", b"").decode("latin-1")
    host = page_url.host_and_port(referer)
    own = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"x-forwarded-host"))
    if host not in map(page_url.host_and_port, (f"//{name}" for name in own)):
        return referer
    return referer if host.removeprefix("www.") in site.lower().split(",") else ""
