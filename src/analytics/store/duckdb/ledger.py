"""Reads the ledger, the position in the log, and the numbers of rows to check both."""

from __future__ import annotations

from typing import Final

from analytics import time_span
from analytics.errors import Malformed
from analytics.event import DropReason
from analytics.pipeline.ledger import LedgerKey, LedgerLine, by_reason
from analytics.store.connection import Connection
from analytics.units import HOUR_MS

_WITHIN: Final = "($site IS NULL OR site = $site) AND hour >= $since AND hour < $until"
_LEDGER: Final = f"""
SELECT site, hour, received, stored, duplicate, dead, erased FROM ledger
WHERE {_WITHIN} ORDER BY site, hour
"""
_DROPS: Final = f"""
SELECT site, hour, reason, count FROM drops WHERE {_WITHIN} ORDER BY site, hour, reason
"""
_SIZE: Final = f"""
SELECT (SELECT count(*) FROM ledger WHERE {_WITHIN}) + (SELECT count(*) FROM drops WHERE {_WITHIN})
"""


def offsets(connection: Connection) -> dict[int, int]:
    """Return the next offset to read of each partition of the log."""
    return dict(connection.rows("SELECT partition, next_offset FROM offsets"))


def ledger(
    connection: Connection,
    site: str | None,
    span: tuple[int, int] = time_span.ALWAYS,
    most: int | None = None,
) -> dict[LedgerKey, LedgerLine]:
    """Return the ledger of one site, or of all, within *span*.

    Raises `Malformed` where it has more than *most* lines, the reasons for drops included.
    """
    within = {"site": site, "since": span[0], "until": span[1]}
    if most is not None:
        ((size,),) = connection.rows(_SIZE, within)
        if size > most:
            raise Malformed(
                "from",
                f"the ledger has {size:,} lines there, and an answer {most:,} at most; ask for one"
                " site, or for less time with from and to",
            )
    dropped: dict[tuple[str, int], dict[str, int]] = {}
    for name, hour, reason, count in connection.rows(_DROPS, within):
        dropped.setdefault((name, hour), {})[reason] = count
    return {
        LedgerKey(name, hour): LedgerLine(
            received, stored, duplicate, by_reason(dropped.get((name, hour), {})), dead, erased
        )
        for name, hour, received, stored, duplicate, dead, erased in connection.rows(
            _LEDGER, within
        )
    }


_RECOUNT: Final = f"""
SELECT site, hour, CAST(sum(rows) AS BIGINT) FROM (
    SELECT site, received_at // {HOUR_MS} * {HOUR_MS} AS hour, 1 AS rows FROM rows
    UNION ALL SELECT site, hour, rows FROM gone_rows)
WHERE $site IS NULL OR site = $site GROUP BY ALL ORDER BY ALL
"""


def recount(connection: Connection, site: str | None) -> dict[LedgerKey, int]:
    """Return the number of rows stored under each key of the ledger, counted from the rows.

    Rows that the hot window evicted were counted at that time.
    """
    return {
        LedgerKey(name, hour): count
        for name, hour, count in connection.rows(_RECOUNT, {"site": site})
    }


_UNKNOWN: Final = """
SELECT site, CAST(sum(count) AS BIGINT) AS hits FROM drops
WHERE reason = $reason AND hour >= $since AND site <> ''
GROUP BY site ORDER BY hits DESC, site LIMIT $most
"""


def unknown_sites(connection: Connection, since: int, most: int) -> list[tuple[str, int]]:
    """Return the unknown sites that hits named, most hits first."""
    values = {"reason": DropReason.UNKNOWN_SITE.value, "since": since, "most": most}
    return [(name, hits) for name, hits in connection.rows(_UNKNOWN, values)]


_FOREIGN: Final = """
SELECT substr(reason, length($reason) + 2) AS hostname, CAST(sum(count) AS BIGINT) AS hits
FROM drops
WHERE site = $site AND starts_with(reason, $reason) AND hour >= $since AND hostname <> ''
GROUP BY hostname ORDER BY hits DESC, hostname LIMIT $most
"""


def foreign_hosts(
    connection: Connection, site: str, since: int, most: int
) -> list[tuple[str, int]]:
    """Return the hostnames of hits dropped because they are not the site's, most first."""
    reason = DropReason.FOREIGN_HOST.value
    values = {"site": site, "reason": reason, "since": since, "most": most}
    return [(hostname, hits) for hostname, hits in connection.rows(_FOREIGN, values)]
