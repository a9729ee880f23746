"""Validators of the fields that every wire format has, for each format's module to call.

A field that an event needs raises `Malformed` when it makes no sense; one that an event can do
without is left out instead. What repeats from event to event is cached, because these functions
are on the hot path.
"""

from __future__ import annotations

import re
import uuid
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Final

import msgspec

from analytics import bounds
from analytics.bounded_cache import bounded_cache
from analytics.currency import is_code
from analytics.errors import UNDECODABLE, Malformed
from analytics.ingest import language as languages
from analytics.ingest import surrogates
from analytics.ingest.text import clean

NAME_LIMIT: Final = 120
_TITLE_LIMIT: Final = 500
_PROPS_LIMIT: Final = 30
_KEY_LIMIT: Final = 300
_VALUE_LIMIT: Final = 2000
_ENGAGED_LIMIT_MS: Final = 86_400_000
_MAX_TS: Final = 1 << 47
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_AMOUNT: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,30})?")
_SCREEN: Final = re.compile(r"[0-9]{1,5}x[0-9]{1,5}")
_object: Final = msgspec.json.Decoder()


@bounded_cache(1024)
def name(text: str) -> str:
    """Return an event's name. Raises `Malformed` when it is empty or too long."""
    cleaned = clean(text.strip(), NAME_LIMIT + 1).strip()
    if not cleaned:
        raise Malformed("name", "it is missing; send the event's name, such as pageview")
    if len(cleaned) > NAME_LIMIT:
        raise Malformed("name", f"it is longer than {NAME_LIMIT} characters")
    return cleaned


@bounded_cache(1024)
def domains(text: str) -> tuple[str, ...]:
    """Return the sites in *text*, separated by commas, each once.

    Raises `Malformed` when there is no site or too many.
    """
    if len(text) > bounds.DOMAINS_CHARS:
        raise Malformed("domain", f"it is longer than {bounds.DOMAINS_CHARS:,} characters")
    parts = text.split(",") if "," in text else (text,)
    names = tuple(dict.fromkeys(part for part in map(str.strip, parts) if part))
    if not names:
        raise Malformed("domain", "it names nothing; send the site's domain")
    if len(names) > bounds.DOMAINS:
        raise Malformed("domain", f"it names more than {bounds.DOMAINS} sites; send several events")
    return names


def url(text: str) -> str:
    """Return a page's URL, cut to its longest form."""
    return text[: bounds.URL_CHARS]


def referrer(value: object) -> str:
    """Return a referrer, cut to its longest form; "" for anything but text or a number."""
    return scalar(value)[: bounds.REFERRER_CHARS]


def user_agent(text: str) -> str:
    """Return a User-Agent header, cut to its longest form."""
    return text[: bounds.AGENT_CHARS]


def title(value: object) -> str:
    """Return a page's title; "" for anything but text or a number."""
    return clean(scalar(value), _TITLE_LIMIT)


def language(value: object) -> str:
    """Return the language that *value* names, in lower case; "" when it names none."""
    return languages.tag(scalar(value))


def screen(value: object) -> str:
    """Return a screen's size as `1920x1080`, in CSS pixels; "" for anything else."""
    return _screen(scalar(value))


@bounded_cache(1024, longest=16)
def _screen(text: str) -> str:
    return text if _SCREEN.fullmatch(text) else ""


def props(value: object) -> dict[str, str]:
    """Return an event's properties, from a JSON object or from the text of one.

    Names and values are cut to their longest form; lists, objects and blank names and texts are
    left out, and so is everything after the first 30 properties.
    """
    members = value if isinstance(value, dict) else _members(value)
    if members is None:
        return {}
    kept: dict[str, str] = {}
    for key, member in members.items():
        label, text = clean(key, _KEY_LIMIT), clean(scalar(member), _VALUE_LIMIT)
        if label.strip() and text.strip() and len(kept) < _PROPS_LIMIT:
            kept[label] = text
    return kept


def revenue(value: object) -> tuple[str | None, str]:
    """Return amount and currency from a JSON object with these members, or from the text of one.

    The amount is a decimal number with three places, the currency a code of ISO 4217. Without
    both, return (None, ""): the event is kept.
    """
    members = _members(value)
    if members is None:
        return None, ""
    amount, currency = members.get("amount"), members.get("currency")
    if not isinstance(currency, str) or not is_code(currency := currency.strip().upper()):
        return None, ""
    if isinstance(amount, bool) or not isinstance(amount, int | float | str):
        return None, ""
    if isinstance(amount, str) and not _AMOUNT.fullmatch(amount.strip()):
        return None, ""  # `Decimal` takes far more for a number: 1_000, 1e3, NaN, Arabic digits
    try:
        exact = Decimal(str(amount)).quantize(Decimal("0.001"), ROUND_HALF_UP)
    except InvalidOperation:
        return None, ""
    if not exact.is_finite() or abs(exact) >= Decimal(10) ** 14:
        return None, ""
    return str(exact), currency


def _members(value: object) -> dict[str, object] | None:
    """Return the members of a JSON object, which some trackers send as text; None without one."""
    if isinstance(value, str):
        try:
            value = surrogates.decode(_object, value.encode("utf-8", "replace"))
        except UNDECODABLE:
            return None
    return value if isinstance(value, dict) else None


def scalar(value: object) -> str:
    """Return a JSON text, number or boolean as text; "" for a list, an object or null."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return ""


def flag(value: object) -> bool:
    """Return whether *value* is true, 1, or the text of either."""
    return value is not None and value in (1, True, "1", "true")


def denial(value: object) -> bool:
    """Return whether *value* is false, 0, or the text of either."""
    return value is not None and value in (0, False, "0", "false")


def number(value: object) -> float | None:
    """Return a measurement, which some clients send as text; None for what is not a number."""
    if isinstance(value, str):
        return float(value) if _DECIMAL.fullmatch(value) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def scroll_depth(value: object) -> int | None:
    """Return a depth in percent of the page, at most 100; None when there is no reading."""
    depth = number(value)
    if depth is None or depth < 0:
        return None
    # Of a page that grew shorter, Plausible's script sends more than all of it.
    return int(min(depth, 100))


def engaged_ms(value: object) -> int:
    """Return a time of engagement in milliseconds; 0 when it is not positive or over a day."""
    ms = number(value)
    return int(ms) if ms is not None and 0 < ms <= _ENGAGED_LIMIT_MS else 0


def event_id(text: str) -> str:
    """Return a UUID in its canonical form. Raises `Malformed`."""
    if _UUID.fullmatch(text):
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Malformed("id", "it is not a UUID") from None


def timestamp(value: float | str) -> int:
    """Return a time in milliseconds since 1970, UTC. Raises `Malformed`."""
    ts = number(value)
    if ts is None or not 0 <= ts < _MAX_TS:
        raise Malformed("ts", "it is not a time in milliseconds since 1970")
    return int(ts)


def visitor_id(text: str) -> str:
    """Return the visitor id of a cookie. Raises `Malformed`."""
    if not _VID.fullmatch(text):
        raise Malformed("vid", "it is not 1 to 64 characters of A-Z a-z 0-9 _ -")
    return text
