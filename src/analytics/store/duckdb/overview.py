"""The last day of many sites at once: what a list of sites shows, in a constant number of queries.

Counted as `Metric.VISITORS` is: everybody with an event that is no ping, machines left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from analytics.query import Recent
from analytics.store.connection import Connection, transaction
from analytics.units import DAY_MS, HOUR_MS

HOURS: Final = 24
CURRENT_MS: Final = 5 * 60_000
"""A visitor with an event within this time is a current visitor."""

# The three spans that a site's figures are of, and how many visitors each has.
_FIGURES: Final = """
SELECT site,
    count(DISTINCT visitor) FILTER (ts >= $day),
    count(DISTINCT visitor) FILTER (ts < $day),
    count(DISTINCT visitor) FILTER (ts >= $current)
FROM rows
WHERE ts >= $before AND ts <= $now AND name <> 'engagement' AND bot IS NULL
    AND site IN (SELECT unnest($sites))
GROUP BY site
"""
_LINES: Final = """
SELECT site, (ts - $first) // $hour, count(DISTINCT visitor)
FROM rows
WHERE ts >= $first AND ts < $first + 24 * $hour AND name <> 'engagement' AND bot IS NULL
    AND site IN (SELECT unnest($sites))
GROUP BY ALL
"""
# Of the day before, rows may be gone: a replica lets old ones go, and retention deletes them.
_CUT: Final = """
SELECT site FROM windows WHERE since > $before
UNION SELECT site FROM kept_since WHERE since > $before
"""
_CURRENT: Final = """
SELECT site, count(DISTINCT visitor) FROM rows
WHERE ts >= $current AND ts <= $now AND name <> 'engagement' AND bot IS NULL
GROUP BY site
"""


def recent(connection: Connection, sites: Collection[str], now: int) -> Mapping[str, Recent]:
    """Return the last 24 hours of each of *sites*; those without any event are left out."""
    # Whole hours, so that a line has 24 equal steps and the last one is the running hour.
    first = now - now % HOUR_MS + HOUR_MS - DAY_MS
    before = now - 2 * DAY_MS
    named = {"sites": list(sites)}
    spans = {"now": now, "current": now - CURRENT_MS, "day": now - DAY_MS, "before": before}
    with transaction(connection):
        figures = connection.rows(_FIGURES, {**named, **spans})
        hours = connection.rows(_LINES, {**named, "first": first, "hour": HOUR_MS})
        cut = {site for (site,) in connection.rows(_CUT, {"before": before})}
    lines: dict[str, list[int]] = {}
    for site, hour, visitors in hours:
        lines.setdefault(site, [0] * HOURS)[hour] = visitors
    nothing = [0] * HOURS
    return {
        site: Recent(
            visitors=visitors,
            before=None if site in cut else earlier,
            current=current,
            hours=tuple(lines.get(site, nothing)),
        )
        for site, visitors, earlier, current in figures
    }


def current(connection: Connection, now: int) -> Mapping[str, int]:
    """Return how many visitors each site has now; sites without any are left out."""
    return dict(connection.rows(_CURRENT, {"now": now, "current": now - CURRENT_MS}))
