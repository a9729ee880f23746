"""The moment, the people and the hits that the dashboard's tests speak of."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.event import Hit

SITE: Final = "shop.example"
OWNER: Final = "owner@shop.example"
VIEWER: Final = "viewer@shop.example"
PASSWORD: Final = "long enough"

_numbers = count(1)


def berlin(text: str) -> int:
    """The moment in milliseconds, of a text such as `2026-11-24 12:00` on Berlin's clocks."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    return int(moment.timestamp() * 1000)


NOW: Final = berlin("2026-11-24 12:00")


def hit(at: int, **values: object) -> Hit:
    """A pageview of `/` by visitor 1, or what *values* say instead."""
    given: dict[str, object] = {
        "event_id": str(UUID(int=next(_numbers))),
        "site": SITE,
        "ts": at,
        "received_at": at,
        "visitor": 1,
        "hostname": SITE,
        "path": "/",
        **values,
    }
    return Hit(**given)  # type: ignore[arg-type]
