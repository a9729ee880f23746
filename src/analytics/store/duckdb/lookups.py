"""The projector's lookups in the stored rows: known event ids, and visits still open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from analytics.pipeline.dedupe import Unsure
from analytics.pipeline.visit import Entry, Visit
from analytics.store.connection import Connection, Record
from analytics.units import DAY_MS, HOUR_MS

_MAX_WINDOWS: Final = 16
_ENTRY: Final = tuple(field.name for field in msgspec.structs.fields(Entry))

_SEEN: Final = """
WITH asked AS (SELECT unnest(from_json($candidates, '[{"site": "VARCHAR", "event_id": "UUID"}]'),
    recursive := true))
SELECT rows.site, rows.event_id::VARCHAR FROM rows JOIN asked USING (site, event_id)
WHERE rows.ts BETWEEN $earliest AND $latest OR rows.received_at >= $since
UNION ALL SELECT erased_ids.site, erased_ids.event_id::VARCHAR FROM erased_ids
JOIN asked USING (site, event_id)
"""

_OF_PAIRS: Final = """(site, visitor) IN (SELECT (site, visitor) FROM (SELECT unnest(from_json(
    $pairs, '[{"site": "VARCHAR", "visitor": "UBIGINT"}]'), recursive := true)))"""

_EARLIEST: Final = """
SELECT min(session_start) FROM rows
WHERE received_at >= $since AND session <> 0 AND {condition}
"""

_RECENT_IDS: Final = """
SELECT site, event_id::VARCHAR FROM rows WHERE received_at >= $since
UNION ALL SELECT site, event_id::VARCHAR FROM erased_ids WHERE received_at >= $since
"""


def seen(connection: Connection, candidates: Sequence[Unsure]) -> set[tuple[str, str]]:
    """Return those of *candidates* stored within a day of their `ts` or their `received_at`."""
    stored: set[tuple[str, str]] = set()
    for window in _windows(sorted(candidates, key=lambda each: each.ts)):
        pairs = [{"site": each.site, "event_id": each.event_id} for each in window]
        stored.update(
            (site, event_id)
            for site, event_id in connection.rows(
                _SEEN,
                {
                    "candidates": msgspec.json.encode(pairs).decode(),
                    "earliest": window[0].ts - DAY_MS,
                    "latest": window[-1].ts + DAY_MS,
                    "since": min(each.received_at for each in window) - DAY_MS,
                },
            )
        )
    return stored


def _windows(ordered: Sequence[Unsure]) -> Iterator[Sequence[Unsure]]:
    """Yield runs of candidates close in time, so that one old event does not widen the search."""
    gaps = sorted(
        (i for i in range(1, len(ordered)) if ordered[i].ts - ordered[i - 1].ts > 3 * DAY_MS),
        key=lambda i: ordered[i - 1].ts - ordered[i].ts,
    )
    start = 0
    for cut in sorted(gaps[: _MAX_WINDOWS - 1]):
        yield ordered[start:cut]
        start = cut
    if ordered:
        yield ordered[start:]


def recent_ids(connection: Connection, received_since: int) -> Iterator[list[tuple[str, str]]]:
    """Yield (site, event_id) of every row received since then, in chunks."""
    yield from connection.chunks(_RECENT_IDS, {"since": received_since})


def visits(
    connection: Connection, pairs: Collection[tuple[str, int]], touched_since: int
) -> list[Visit]:
    """Return the visits of these (site, visitor)s with a row received since then."""
    if not pairs:
        return []
    visitors = [{"site": site, "visitor": visitor} for site, visitor in pairs]
    return _touched_visits(
        connection, touched_since, _OF_PAIRS, {"pairs": msgspec.json.encode(visitors).decode()}
    )


def recent_visits(connection: Connection, touched_since: int) -> list[Visit]:
    """Return every visit with a row received since then."""
    return _touched_visits(connection, touched_since, "true", {})


def newest(connection: Connection) -> int | None:
    """Return the latest `received_at` of the rows."""
    ((latest,),) = connection.rows("SELECT max(received_at) FROM rows")
    return None if latest is None else int(latest)


def first_event(connection: Connection, site: str) -> int | None:
    """Return the earliest `ts` of a site's rows."""
    ((earliest,),) = connection.rows(
        "SELECT least((SELECT min(ts) FROM rows WHERE site = $site),"
        " (SELECT first_event FROM windows WHERE site = $site))",
        {"site": site},
    )
    return None if earliest is None else int(earliest)


def _touched_visits(
    connection: Connection, since: int, condition: str, values: Mapping[str, object]
) -> list[Visit]:
    """Return whole visits of rows that meet *condition*, if a row was received since then."""
    ((began,),) = connection.rows(_EARLIEST.format(condition=condition), {**values, "since": since})
    if began is None:
        return []
    # All rows of a visit were received after it began, up to the difference between the clocks of
    # several receivers; so the older rows of the table need not be read.
    records = connection.rows(
        _visits_sql().format(condition=condition),
        {**values, "since": since, "began": began - HOUR_MS},
    )
    return [_visit(record) for record in records]


@cache
def _visits_sql() -> str:
    entry = ", ".join(f"any_value(entry_{name})" for name in _ENTRY)
    template = files("analytics.store.duckdb").joinpath("visits.sql").read_text("utf-8")
    return template.replace("{entry}", entry)


def _visit(record: Record) -> Visit:
    names = (
        "site",
        "visitor",
        "session",
        "bot",
        "session_start",
        "first",
        "last",
        "touched",
        "offset",
        "pageviews",
        "engaged",
        "last_view",
        "last_path",
        "last_hostname",
    )
    return Visit(
        **dict(zip(names, record, strict=False)),
        entry=Entry(*record[len(names) :]),
    )
