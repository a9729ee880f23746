"""The event body of `POST /api/event`: Plausible's, long and short names, and a few more.

One name may stand for one meaning only: where both are sent, the long one wins.
"""

from __future__ import annotations

import re
import uuid
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from analytics import bounds, decoding
from analytics.bounded_cache import bounded_cache
from analytics.errors import UNDECODABLE, Malformed
from analytics.event import ENGAGEMENT
from analytics.ingest import language, page_url, surrogates
from analytics.ingest.text import clean
from analytics.ingest.wire.base import RawEvent

NAME_LIMIT: Final = 120
_PROPS_LIMIT: Final = 30
_KEY_LIMIT: Final = 300
_VALUE_LIMIT: Final = 2000
_TITLE_LIMIT: Final = 500
_ENGAGED_LIMIT_MS: Final = 86_400_000
_NO_DEPTH: Final = 255
"""What Plausible's script sends as `sd` where it has no reading."""
_MAX_TS: Final = 1 << 47
_LINKS: Final = frozenset(
    {
        "outboundlinkclick",
        "outboundlink",
        "cloakedlinkclick",
        "filedownload",
    }
)
"""Events, by whichever tracker, that name a link of which the page's owner may know nothing: the
letters of their names."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_AMOUNT: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,30})?")
_SCREEN: Final = re.compile(r"[0-9]{1,5}x[0-9]{1,5}")


class Body(msgspec.Struct, rename={"revenue_short": "$"}, gc=False):
    """The JSON object as it comes. Unknown members are ignored, as other trackers send more.

    What an event can do without may be anything: it is left out where it makes no sense.
    """

    name: str | None = None
    n: str | None = None
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


_decoder: Final = msgspec.json.Decoder(Body)
_object: Final = msgspec.json.Decoder()
_MANY: Final = re.compile(rb"\s*(\[|\{.*\}\s*\{)", re.DOTALL)
"""How a body of several events begins, or goes on."""


def decode(body: bytes) -> RawEvent:
    """Understand one event. Raises `Malformed` naming the member that is wrong."""
    try:
        parsed = surrogates.decode(_decoder, body)
    except UNDECODABLE as exc:
        fault = decoding.malformed(exc, "the event")
        if fault.field or not _MANY.match(body):
            raise fault from None
        raise Malformed("", f"{fault.reason}; send several events to /api/events") from None
    return raw_event(parsed)


def raw_event(body: Body) -> RawEvent:
    """The event that *body* describes. Raises `Malformed`."""
    name = _name((body.name if body.name is not None else body.n) or "")
    url = body.url if body.url is not None else body.u
    if not url:
        raise Malformed("url", "it is missing; send the page's full address")
    domain = body.domain if body.domain is not None else body.d
    if not domain:
        raise Malformed("domain", "it is missing; send the site's domain")
    given = body.revenue if body.revenue is not None else body.revenue_short
    revenue, currency = (None, "") if given is None else _revenue(given)
    interactive = body.interactive if body.interactive is not None else body.i
    screen = _scalar(body.screen or body.s)
    spoken = _scalar(body.language or body.l)
    engagement = name == ENGAGEMENT
    props = _props(body)
    if _is_link(name):
        props = _bare(props, query=_flag(body.linkQuery) or _flag(body.q))
    return RawEvent(
        domains=_domains(domain),
        url=url[: bounds.URL_CHARS],
        name=name,
        referrer=_scalar(body.referrer or body.r)[: bounds.REFERRER_CHARS],
        props=props,
        revenue=revenue,
        currency=currency,
        interactive=interactive not in (False, "false"),
        hash_mode=_flag(body.hashMode) or _flag(body.h),
        honours_opt_out=_flag(body.dnt),
        scroll_depth=_scroll(_number(body.sd)) if engagement else None,
        engaged_ms=_engaged(_number(body.e)) if engagement else 0,
        id=None if body.id is None else _uuid(body.id),
        ts=None if body.ts is None else _timestamp(body.ts),
        vid=None if body.vid is None else _vid(body.vid),
        title=clean(_scalar(body.title or body.t), _TITLE_LIMIT),
        language=language.tag(spoken) if spoken else "",
        screen=_screen(screen) if screen else "",
        address=body.ip,
        user_agent=None if body.user_agent is None else body.user_agent[: bounds.AGENT_CHARS],
    )


# What repeats from event to event is understood once: on the hot path every microsecond counts.


@bounded_cache(1024)
def _name(text: str) -> str:
    name = clean(text.strip(), NAME_LIMIT + 1).strip()
    if not name:
        raise Malformed("name", "it is missing; send the event's name, such as pageview")
    if len(name) > NAME_LIMIT:
        raise Malformed("name", f"it is longer than {NAME_LIMIT} characters")
    return name


@bounded_cache(1024, longest=16)
def _screen(text: str) -> str:
    return text if _SCREEN.fullmatch(text) else ""


@bounded_cache(1024)
def _domains(text: str) -> tuple[str, ...]:
    if len(text) > bounds.DOMAINS_CHARS:
        raise Malformed("domain", f"it is longer than {bounds.DOMAINS_CHARS:,} characters")
    parts = text.split(",") if "," in text else (text,)
    domains = tuple(dict.fromkeys(part for part in map(str.strip, parts) if part))
    if not domains:
        raise Malformed("domain", "it names nothing; send the site's domain")
    if len(domains) > bounds.DOMAINS:
        raise Malformed("domain", f"it names more than {bounds.DOMAINS} sites; send several events")
    return domains


def _props(body: Body) -> dict[str, str]:
    given = body.props if body.props is not None else body.p
    if given is None:
        given = body.meta if body.meta is not None else body.m
        if given is None:
            return {}
    if isinstance(given, str):
        # The old trackers' `meta` is a JSON object in a string.
        try:
            given = surrogates.decode(_object, given.encode("utf-8", "replace"))
        except UNDECODABLE:
            return {}
    if not isinstance(given, dict):
        return {}
    props: dict[str, str] = {}
    for key, value in given.items():
        name, text = clean(key, _KEY_LIMIT), clean(_scalar(value), _VALUE_LIMIT)
        if name and text and len(props) < _PROPS_LIMIT:
            props[name] = text
    return props


@bounded_cache(1024, longest=NAME_LIMIT)
def _is_link(name: str) -> bool:
    return "".join(filter(str.isalpha, name.lower())) in _LINKS


def _bare(props: dict[str, str], *, query: bool) -> dict[str, str]:
    return {key: page_url.link(value, query=query) for key, value in props.items()}


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return ""  # lists, objects and null are left out


def _revenue(given: object) -> tuple[str | None, str]:
    """Amount and currency; a revenue that makes no sense is left out, and the event kept."""
    if isinstance(given, str):
        try:
            given = surrogates.decode(_object, given.encode("utf-8", "replace"))
        except UNDECODABLE:
            return None, ""
    if not isinstance(given, dict):
        return None, ""
    amount, currency = given.get("amount"), given.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        return None, ""
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return None, ""
    if isinstance(amount, str) and not _AMOUNT.fullmatch(amount.strip()):
        return None, ""  # `Decimal` takes far more for a number: 1_000, 1e3, NaN, Arabic digits
    try:
        value = Decimal(str(amount)).quantize(Decimal("0.001"), ROUND_HALF_UP)
    except InvalidOperation:
        return None, ""
    if not value.is_finite() or abs(value) >= Decimal(10) ** 14:
        return None, ""
    return str(value), currency.upper()


def _flag(value: object) -> bool:
    return value is not None and value in (1, True, "1", "true")


def _number(value: object) -> float | None:
    """Return a measurement, which some clients send as text; None for what is not a number."""
    if isinstance(value, str):
        return float(value) if _DECIMAL.fullmatch(value) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _scroll(depth: float | None) -> int | None:
    if depth is None or depth < 0 or depth == _NO_DEPTH:
        return None
    # Of a page that grew shorter, Plausible's script sends more than all of it.
    return int(min(depth, 100))


def _engaged(ms: float | None) -> int:
    return int(ms) if ms is not None and 0 < ms <= _ENGAGED_LIMIT_MS else 0


def _uuid(text: str) -> str:
    if _UUID.fullmatch(text):
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Malformed("id", "it is not a UUID") from None


def _timestamp(sent: float | str) -> int:
    ts = _number(sent)
    if ts is None or not 0 <= ts < _MAX_TS:
        raise Malformed("ts", "it is not a time in milliseconds since 1970")
    return int(ts)


def _vid(text: str) -> str:
    if not _VID.fullmatch(text):
        raise Malformed("vid", "it is not 1 to 64 characters of A-Z a-z 0-9 _ -")
    return text
