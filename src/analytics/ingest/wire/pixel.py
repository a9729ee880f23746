"""The wire format of `GET /pixel.gif`: a pageview without a script, answered with a picture."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import ClassVar, Final

from msgspec.structs import replace
from starlette.types import Scope

from analytics.api_operation import ApiAnswer, ApiOperation, ApiParameter
from analytics.errors import Malformed
from analytics.ingest import asgi as http
from analytics.ingest import page_url
from analytics.ingest.wire import plausible
from analytics.ingest.wire.base import (
    RECEIPT_HEADERS,
    Outcome,
    RawEvent,
    Reply,
    RequestLimits,
    receipt,
)

_GIF: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_HEADERS: Final[tuple[http.Header, ...]] = (
    (b"content-type", b"image/gif"),
    (b"cache-control", b"no-store"),
    *http.CORS,
)


class Pixel:
    """A query string with the names of a JSON event, answered with a transparent GIF.

    `d` is the site, `u` the page (by default the Referer header), `r` the page's referrer, `n` the
    event's name (by default pageview), `t` the title. HEAD records nothing: it comes from link
    checkers and caches, not from a reader.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")
    takes_key: ClassVar[bool] = False
    batched: ClassVar[bool] = False
    operation: ClassVar[ApiOperation] = ApiOperation(
        summary="Record one event by a picture",
        group="Events",
        parameters=(
            ApiParameter("d", "the site; long: `domain`"),
            ApiParameter("u", "the page's address, else the `Referer`; long: `url`"),
            ApiParameter("n", "the event's name, else `pageview`; long: `name`"),
            ApiParameter("r", "the page's referrer; long: `referrer`"),
            ApiParameter("t", "the page's title; long: `title`"),
            ApiParameter("dnt", "`1`: leave it out where the browser asks not to be tracked"),
            ApiParameter("id", "the event's UUID; the same one again is stored once"),
            ApiParameter("vid", "the visitor's id"),
        ),
        answers=(ApiAnswer("A transparent pixel.", {"image/gif": bytes}, 200, RECEIPT_HEADERS),),
        errors=(Malformed,),
    )

    def __init__(self, limits: RequestLimits) -> None:
        self.limits = limits

    def decode(self, scope: Scope, body: bytes) -> Sequence[RawEvent]:
        """Return the one event of the query string *body*. Raises `Malformed`."""
        return (replace(plausible.raw_event(_parsed(scope, body)), picture=True),)

    def reply(self, outcomes: Sequence[Outcome]) -> Reply:
        """Return the picture, with the event's receipt in the headers."""
        headers = [*_HEADERS]
        for outcome in outcomes:
            headers += receipt(outcome.records, outcome.positions)
        return Reply(200, _GIF, headers)


def _parsed(scope: Scope, query: bytes) -> plausible.EventBody:
    params = dict(page_url.fields(query.decode("latin-1")))
    site = params.get("d") or params.get("domain") or ""
    url = params.get("u") or params.get("url") or _referer(scope, site)
    if not url:
        raise Malformed(
            "u", "it is missing, and the request has no Referer; send the page's address"
        )
    return plausible.EventBody(
        n=params.get("n") or params.get("name") or "pageview",
        u=url,
        d=site or None,
        r=params.get("r") or params.get("referrer"),
        t=params.get("t") or params.get("title"),
        dnt=params.get("dnt"),
        id=params.get("id"),
        vid=params.get("vid"),
    )


def _referer(scope: Scope, site: str) -> str:
    """Return the page that includes the picture, by its Referer; "" when that is this server.

    Dillo sends the origin of the picture itself. A site that serves this server under its own name
    sends the same origin, and means a page.
    """
    headers = dict(scope["headers"])
    referer: str = headers.get(b"referer", b"").decode("latin-1")
    host = page_url.host_and_port(referer)
    own = (headers.get(name, b"").decode("latin-1") for name in (b"host", b"x-forwarded-host"))
    if host not in map(page_url.host_and_port, (f"//{name}" for name in own)):
        return referer
    return referer if host.removeprefix("www.") in site.lower().split(",") else ""
