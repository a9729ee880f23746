"""Which days of a site have rows, and a fingerprint of each: two that are equal hold the same."""

from __future__ import annotations

from typing import Final

from analytics import localtime
from analytics.store.base import StoredDays
from analytics.store.connection import Connection
from analytics.store.duckdb import site_state
from analytics.store.sql import keys
from analytics.units import DAY_MS

_EVER: Final = -(1 << 31)


def of(connection: Connection, site: str, timezone: str) -> StoredDays:
    """Return the days of *site*.

    A row never changes but by `rebuild`, so its id and what that may change tell rows apart.
    """
    ((start, end),) = connection.rows("SELECT min(ts), max(ts) FROM rows WHERE site = ?", [site])
    hot = site_state.window(connection, site)
    first = _EVER
    if hot is not None:
        first = localtime.day_of(timezone, hot.since - 1) + 1
    if start is None:
        return StoredDays(first, {})
    local = keys.local_ms_sql("ts", localtime.changes(timezone, start, end + 1))
    days = connection.rows(
        f"SELECT {local} // {DAY_MS} AS day, count(*),"
        " bit_xor(hash(event_id, source, channel, browser, bot, session)) FROM rows"
        " WHERE site = ? GROUP BY 1 ORDER BY 1",
        [site],
    )
    return StoredDays(
        first, {day: f"{count} {mixed:016x}" for day, count, mixed in days if day >= first}
    )
