"""Builds hits for tests and contract suites, which name only the fields that matter to them."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from msgspec import structs

from analytics.event import Hit

SITE: Final = "shop.example"
NOON: Final = 1_795_521_600_000
"""2026-11-24 12:00 UTC."""

_numbers = count(1)
_PAGEVIEW: Final = Hit(
    event_id="", site=SITE, ts=0, received_at=0, visitor=1, hostname=SITE, path="/"
)


def hit(at: int, **fields: Any) -> Hit:
    """Return a new pageview of `/` on `SITE` by visitor 1 at *at* (UTC ms), changed by *fields*.

    Each has an event id of its own. Raise `TypeError` for a field that a `Hit` does not have.
    """
    own = {"event_id": _event_id(next(_numbers)), "ts": at, "received_at": at}
    return structs.replace(_PAGEVIEW, **{**own, **fields})


def numbered_hit(number: int, **fields: Any) -> Hit:
    """Return the pageview on example.com whose id, time, visitor and path are *number*.

    It is changed by *fields*. Equal numbers give equal hits.
    """
    own = {
        "event_id": _event_id(number),
        "site": "example.com",
        "hostname": "",
        "visitor": number,
        "path": f"/{number}",
    }
    return hit(number, **{**own, **fields})


def _event_id(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012x}"
