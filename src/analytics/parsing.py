"""Numbers and dates as text from outside: what is accepted, and within which bounds.

Plain digits and ISO dates only. What Python's own `int` and `fromisoformat` accept is more than
anybody means (`٣`, `1_000`, `2026-W01-1`), and thousands of digits are an error of its own.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Final

from analytics import zones
from analytics.errors import Malformed

_DIGITS: Final = re.compile("[0-9]{1,18}")
_DATE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT: Final = re.compile(f"{_DATE.pattern}([T ].{{1,30}})?")
_YEARS: Final = range(1970, 2200)
"""Nothing was counted before, and nobody will ask for what comes after."""
FIRST_DAY: Final = date(_YEARS[0], 1, 1)
LAST_DAY: Final = date(_YEARS[-1], 12, 31)
_SHOWN: Final = 40


def digits(text: str) -> int | None:
    """Return *text* as a number if it consists of 1 to 18 ASCII digits, else None."""
    return int(text) if _DIGITS.fullmatch(text) else None


def whole_number(text: str, field: str, *, least: int, most: int) -> int:
    """Return *text* as a number within its bounds. Raises `Malformed` for *field*."""
    number = digits(text)
    if number is None or not least <= number <= most:
        raise Malformed(field, f"{text[:_SHOWN]!r} is not a whole number from {least} to {most:,}")
    return number


def port(text: str) -> int | None:
    """Return *text* as a port number; None if it is not one."""
    number = digits(text)
    return number if number is not None and 0 < number < 1 << 16 else None


def host_and_port(text: str) -> tuple[str, int]:
    """Return the host and the port of `host:port`; the brackets of an IPv6 address are taken off.

    Raise `ValueError` for anything else.
    """
    host, _, port_text = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    number = port(port_text)
    if not host or "@" in host or number is None:
        raise ValueError('give it as "host:port"')
    return host, number


def address(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_date(text: str) -> bool:
    """Return whether *text* has the form of a date without a time."""
    return _DATE.fullmatch(text) is not None


def day(text: str, field: str) -> date:
    """Return *text* as a date. Raise `Malformed` for *field*."""
    parsed = None
    with suppress(ValueError):
        parsed = date.fromisoformat(text)
    if parsed is None or not is_date(text):
        raise Malformed(field, f"{text[:_SHOWN]!r} is not a date like 2026-11-24")
    _check_year(parsed, text, field)
    return parsed


def moment(text: str, field: str, timezone: str) -> int:
    """Return *text*, a date or a time, in UTC milliseconds. Raise `Malformed` for *field*.

    A time without an offset is local time in *timezone*.
    """
    parsed = None
    with suppress(ValueError):
        parsed = datetime.fromisoformat(text)
    if parsed is None or not _MOMENT.fullmatch(text):
        raise Malformed(
            field, f"{text[:_SHOWN]!r} is neither a date like 2026-11-24 nor a time in ISO 8601"
        )
    _check_year(parsed, text, field)
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=zones.zone(timezone))
    return round(parsed.astimezone(UTC).timestamp() * 1000)


def _check_year(parsed: date, text: str, field: str) -> None:
    if parsed.year not in _YEARS:
        raise Malformed(
            field,
            f"{text[:_SHOWN]!r} is outside the years {_YEARS[0]} to {_YEARS[-1]}",
        )
