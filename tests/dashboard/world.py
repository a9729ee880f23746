"""The moment, the people and the hits that the dashboard's tests speak of."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

OWNER: Final = "owner@shop.example"
VIEWER: Final = "viewer@shop.example"
PASSWORD: Final = "long enough"


def berlin(text: str) -> int:
    """The moment in milliseconds, of a text such as `2026-11-24 12:00` on Berlin's clocks."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    return int(moment.timestamp() * 1000)


NOW: Final = berlin("2026-11-24 12:00")
