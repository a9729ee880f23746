"""The event body of `POST /api/event`: Plausible's members, long and short names, and a few more.

One name has one meaning only; where both names of a member are sent, the long one wins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec
from starlette.types import Scope

from analytics import decoding
from analytics.api_operation import JSON, SCHEMAS, ApiAnswer, ApiOperation
from analytics.bounded_cache import bounded_cache
from analytics.errors import (
    UNDECODABLE,
    Forbidden,
    Malformed,
    TooLarge,
    Unauthenticated,
    UnsupportedCoding,
)
from analytics.event import ENGAGEMENT
from analytics.ingest import asgi as http
from analytics.ingest import page_url, surrogates
from analytics.ingest.wire import fields
from analytics.ingest.wire.base import (
    RECEIPT_HEADERS,
    Outcome,
    RawEvent,
    Reply,
    RequestLimits,
    receipt,
)
from analytics.person import Scope as Right

ACCEPTED: Final = b"ok"
_NO_DEPTH: Final = 255
"""What Plausible's script sends as `sd` when it has no reading."""
_LINKS: Final = frozenset({"outboundlinkclick", "outboundlink", "cloakedlinkclick", "filedownload"})
"""Names, reduced to their letters, of the events whose properties hold the address of a link."""


class EventBody(msgspec.Struct, rename={"revenue_short": "$"}, gc=False):
    """The JSON object as it is sent. Unknown members are ignored: other trackers send more.

    Optional members accept any JSON value; one that makes no sense is left out of the event.
    """

    name: str | int | None = None
    n: str | int | None = None
    url: str | None = None
    u: str | None = None
    domain: str | None = None
    d: str | None = None
    referrer: Any = None
    r: Any = None
    props: Any = None
    p: Any = None
    meta: Any = None
    m: Any = None
    revenue: Any = None
    revenue_short: Any = None
    interactive: Any = None
    i: Any = None
    hashMode: Any = None  # noqa: N815 - the wire's name
    h: Any = None
    linkQuery: Any = None  # noqa: N815 - the wire's name
    q: Any = None
    dnt: Any = None
    sd: Any = None
    e: Any = None
    id: str | None = None
    ts: int | float | str | None = None
    vid: str | None = None
    title: Any = None
    t: Any = None
    language: Any = None
    l: Any = None  # noqa: E741 - the wire's name
    screen: Any = None
    s: Any = None
    ip: str | None = None
    user_agent: str | None = None


_decoder: Final = msgspec.json.Decoder(EventBody)
_SEVERAL: Final = re.compile(rb"\s*(\[|\{.*\}\s*\{)", re.DOTALL)
"""Matches a body of several events: a list, or one object after another."""


EVENT_ERRORS: Final = (Malformed, Unauthenticated, Forbidden, TooLarge, UnsupportedCoding)
EventText = Annotated[
    str,
    msgspec.Meta(
        description="The same JSON: a browser sends it to another origin without asking first.",
        extra_json_schema={
            "contentMediaType": JSON,
            "contentSchema": {"$ref": f"{SCHEMAS}{EventBody.__name__}"},
        },
    ),
]


class PlausibleEvent:
    """The wire format of `POST /api/event`: one event in JSON, answered with `ok`."""

    methods: ClassVar[tuple[str, ...]] = ("POST",)
    takes_key: ClassVar[bool] = True
    batched: ClassVar[bool] = False
    operation: ClassVar[ApiOperation] = ApiOperation(
        summary="Record one event",
        group="Events",
        body={JSON: EventBody, "text/plain": EventText},
        answers=(
            ApiAnswer(
                "The event is on disk, or was left out on purpose and counted.",
                {"text/plain": str},
                202,
                RECEIPT_HEADERS,
            ),
        ),
        errors=EVENT_ERRORS,
        scope=Right.EVENTS_WRITE,
        key_optional=True,
    )

    def __init__(self, limits: RequestLimits) -> None:
        self.limits = limits

    def decode(self, _: Scope, body: bytes) -> Sequence[RawEvent]:
        """Return the one event of *body*. Raises `Malformed`."""
        return (decode(body),)

    def reply(self, outcomes: Sequence[Outcome]) -> Reply:
        """Acknowledge the event, with its receipt in the headers."""
        (outcome,) = outcomes
        headers = (*http.TEXT_HEADERS, *receipt(outcome.records, outcome.positions))
        return Reply(202, ACCEPTED, headers)


def decode(body: bytes) -> RawEvent:
    """Return the event of *body*. Raises `Malformed`, which names the wrong member."""
    try:
        parsed = surrogates.decode(_decoder, body)
    except UNDECODABLE as exc:
        fault = decoding.malformed(exc, "the event")
        if fault.field or not _SEVERAL.match(body):
            raise fault from None
        raise Malformed("", f"{fault.reason}; send several events to /api/events") from None
    return raw_event(parsed)


def raw_event(body: EventBody) -> RawEvent:
    """Return the event that *body* describes. Raises `Malformed`, which names the wrong member."""
    sent = body.name if body.name is not None else body.n
    name = fields.name("" if sent is None else str(sent))  # a page "not found" sends 404
    url = body.url if body.url is not None else body.u
    if not url:
        raise Malformed("url", "it is missing; send the page's full address")
    domain = body.domain if body.domain is not None else body.d
    if not domain:
        raise Malformed("domain", "it is missing; send the site's domain")
    domains = fields.domains(domain)
    price = body.revenue if body.revenue is not None else body.revenue_short
    revenue, currency = (None, "") if price is None else fields.revenue(price)
    interactive = body.interactive if body.interactive is not None else body.i
    referrer = body.referrer or body.r
    title = body.title or body.t
    language = body.language or body.l
    screen = body.screen or body.s
    engagement = name == ENGAGEMENT
    # `meta` is what the older trackers call it, and a JSON object in a text.
    props = body.props if body.props is not None else body.p
    if props is None:
        props = body.meta if body.meta is not None else body.m
    props = {} if props is None else fields.props(props)
    if props and _is_link(name):
        query = fields.flag(body.linkQuery) or fields.flag(body.q)
        props = {key: page_url.link(value, query=query) for key, value in props.items()}
    return RawEvent(
        domains=domains,
        url=page_url.with_scheme(fields.url(url), domains),
        name=name,
        referrer="" if referrer is None else fields.referrer(referrer),
        props=props,
        revenue=revenue,
        currency=currency,
        interactive=not fields.denial(interactive),
        hash_mode=fields.flag(body.hashMode) or fields.flag(body.h),
        honours_opt_out=fields.flag(body.dnt),
        scroll_depth=_scroll_depth(body.sd) if engagement else None,
        engaged_ms=fields.engaged_ms(body.e) if engagement else 0,
        id=None if body.id is None else fields.event_id(body.id),
        ts=None if body.ts is None else fields.timestamp(body.ts),
        vid=None if body.vid is None else fields.visitor_id(body.vid),
        title="" if title is None else fields.title(title),
        language="" if language is None else fields.language(language),
        screen="" if screen is None else fields.screen(screen),
        address=body.ip,
        user_agent=None if body.user_agent is None else fields.user_agent(body.user_agent),
    )


def _scroll_depth(value: object) -> int | None:
    return None if fields.number(value) == _NO_DEPTH else fields.scroll_depth(value)


@bounded_cache(1024, longest=fields.NAME_LIMIT)
def _is_link(name: str) -> bool:
    return "".join(filter(str.isalpha, name.lower())) in _LINKS
