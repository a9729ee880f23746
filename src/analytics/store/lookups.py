"""What the projector asks the stored rows: ids already there, and visits still open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

import msgspec

from analytics.pipeline.dedupe import DAY_MS, Unsure
from analytics.pipeline.visit import Entry, Visit
from analytics.store.connection import Connection, Record

_HOUR_MS: Final = 3_600_000
_MAX_WINDOWS: Final = 16
_ENTRY: Final = tuple(field.name for field in msgspec.structs.fields(Entry))

_SEEN: Final = """
SELECT rows.site, rows.event_id::VARCHAR FROM rows
JOIN (SELECT unnest(from_json($candidates, '[{"site": "VARCHAR", "event_id": "UUID"}]'),
    recursive := true)) AS asked USING (site, event_id)
WHERE rows.ts BETWEEN $earliest AND $latest
"""

_RECENT_IDS: Final = "SELECT site, event_id::VARCHAR FROM rows WHERE received_at >= $since"


def seen(connection: Connection, candidates: Sequence[Unsure]) -> set[tuple[str, str]]:
    """Which of *candidates* are stored; a copy's `ts` lies within a day of the stored one's."""
    found: set[tuple[str, str]] = set()
    for window in _windows(sorted(candidates, key=lambda each: each.ts)):
        wanted = [{"site": each.site, "event_id": each.event_id} for each in window]
        found.update(
            (site, event_id)
            for site, event_id in connection.rows(
                _SEEN,
                {
                    "candidates": msgspec.json.encode(wanted).decode(),
                    "earliest": window[0].ts - DAY_MS,
                    "latest": window[-1].ts + DAY_MS,
                },
            )
        )
    return found


def _windows(ordered: Sequence[Unsure]) -> Iterator[Sequence[Unsure]]:
    """Runs of candidates close in time, so that one old straggler does not widen the search."""
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
    """(site, event_id) of every row received since then, in chunks."""
    yield from connection.chunks(_RECENT_IDS, {"since": received_since})


def visits(connection: Connection, pairs: Collection[tuple[str, int]]) -> list[Visit]:
    """Every visit of these (site, visitor)s."""
    if not pairs:
        return []
    asked = [{"site": site, "visitor": visitor} for site, visitor in pairs]
    condition = """(site, visitor) IN (SELECT (site, visitor) FROM (SELECT unnest(from_json($pairs,
        '[{"site": "VARCHAR", "visitor": "UBIGINT"}]'), recursive := true)))"""
    found = connection.rows(
        _visits_sql().format(condition=condition),
        {"pairs": msgspec.json.encode(asked).decode()},
    )
    return [_visit(record) for record in found]


def recent_visits(connection: Connection, touched_since: int) -> list[Visit]:
    """Every visit, whole, that has a row received since then."""
    ((earliest,),) = connection.rows(
        "SELECT min(session_start) FROM rows WHERE received_at >= $since AND session <> 0",
        {"since": touched_since},
    )
    if earliest is None:
        return []
    # A visit's rows were all received after it began, give or take what clocks of several
    # receivers differ by.
    condition = """received_at >= $began AND (site, session) IN (
        SELECT (site, session) FROM rows WHERE received_at >= $since)"""
    found = connection.rows(
        _visits_sql().format(condition=condition),
        {"since": touched_since, "began": earliest - _HOUR_MS},
    )
    return [_visit(record) for record in found]


@cache
def _visits_sql() -> str:
    entry = ", ".join(f"any_value(entry_{name})" for name in _ENTRY)
    template = files("analytics.store").joinpath("visits.sql").read_text("utf-8")
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
