"""The columns of visits, worked out anew for every event: the oracle of the sessionizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.event import ENGAGEMENT, PAGEVIEW, Hit, Row
from analytics.pipeline.fold import fold
from analytics.pipeline.source import Sources
from analytics.pipeline.state import PipelineState, Records
from analytics.pipeline.visit import Visit, visits_from_rows
from analytics.stable_hash import hash64
from analytics.testing import builders

MINUTE = 60_000
HOUR = 60 * MINUTE
START = 1_790_035_200_000  # 2026-09-22T00:00Z
SOURCES = Sources()


@dataclass
class Told:
    """What the oracle says of one event: the session columns."""

    session: int
    session_start: int
    opens: int
    engages: int
    gap_ms: int
    prev: tuple[str, str] | None
    entry_path: str


@dataclass(frozen=True)
class Idle:
    """Stands in a visit for a reading of a page that lay idle: no part of the visit's extent."""

    reading: Hit


def extent(events: Sequence[tuple[int, Hit | Idle]]) -> list[tuple[int, Hit]]:
    return [(offset, hit) for offset, hit in events if isinstance(hit, Hit)]


def duration(events: list[tuple[int, Hit]]) -> int:
    times = [hit.ts for _, hit in events]
    return max(times) - min(times) if times else 0


def engaged(events: list[tuple[int, Hit]]) -> bool:
    names = [hit.name for _, hit in events]
    custom = [hit for _, hit in events if hit.name not in (PAGEVIEW, ENGAGEMENT)]
    return names.count(PAGEVIEW) > 1 or any(hit.interactive for hit in custom)


def exit_page(events: list[tuple[int, Hit]]) -> tuple[str, str] | None:
    views = sorted((hit.ts, offset, hit) for offset, hit in events if hit.name == PAGEVIEW)
    return (views[-1][2].hostname, views[-1][2].path) if views else None


def joins(events: list[tuple[int, Hit | Idle]], hit: Hit) -> bool:
    times = [other.ts for _, other in extent(events)]
    begin = hit.ts - hit.engaged_ms if hit.name == ENGAGEMENT else hit.ts
    near = any(time - 30 * MINUTE <= hit.ts and begin <= time + 30 * MINUTE for time in times)
    return (near or min(times) <= hit.ts <= max(times)) and is_fresh(events, hit)


def is_fresh(events: list[tuple[int, Hit | Idle]], hit: Hit) -> bool:
    received = (h.reading.received_at if isinstance(h, Idle) else h.received_at for _, h in events)
    return hit.received_at <= max(received) + 72 * HOUR + 30 * MINUTE


def tell(
    log: Sequence[tuple[int, Hit]],
) -> tuple[dict[int, Told], list[list[tuple[int, Hit]]]]:
    """The columns by offset, and the visits as lists of events; *log* is free of copies."""
    told: dict[int, Told] = {}
    visits: list[list[tuple[int, Hit | Idle]]] = []
    for offset, hit in log:
        own = [
            v
            for v in visits
            if (e := extent(v)[0][1])
            and (e.site, e.visitor, e.bot is None) == (hit.site, hit.visitor, hit.bot is None)
        ]
        own.sort(key=lambda v: v[-1][0])
        fitting = [v for v in own if joins(v, hit)]
        if not fitting and hit.name == ENGAGEMENT:
            began = [
                v for v in own if min(h.ts for _, h in extent(v)) <= hit.ts and is_fresh(v, hit)
            ]
            if not began:
                told[offset] = Told(0, hit.ts, 0, 0, 0, None, hit.path)
                continue
            began[-1].append((offset, Idle(hit)))
            opener = extent(began[-1])[0][1]
            told[offset] = Told(session(opener), opener.ts, 0, 0, 0, None, opener.path)
            continue
        if fitting:
            visit = fitting[-1]
        else:
            visit = []
            visits.append(visit)
        before = extent(visit)
        visit.append((offset, hit))
        after = extent(visit)
        opener = after[0][1]
        prev = exit_page(before) if hit.name == PAGEVIEW else None
        if prev is not None and any(h.ts > hit.ts for _, h in before if h.name == PAGEVIEW):
            prev = (hit.hostname, hit.path)
        told[offset] = Told(
            session(opener),
            opener.ts,
            int(not before),
            int(engaged(after)) - int(engaged(before)),
            duration(after) - duration(before),
            prev,
            opener.path,
        )
    return told, [extent(visit) for visit in visits]


def session(opener: Hit) -> int:
    return hash64(opener.site, opener.visitor.to_bytes(8, "little"), opener.event_id)


class Caller:
    """Does what a projector does; *keep_ms* is small so that much is forgotten."""

    def __init__(self, keep_ms: int) -> None:
        self.keep_ms = keep_ms
        self.rows: list[Row] = []
        self.state = PipelineState(SOURCES, keep_ms=keep_ms)

    def take(self, records: Records) -> None:
        stored = {(row.site, row.event_id) for row in self.rows}
        known = {(u.site, u.event_id) for u in self.state.unsure(records)} & stored
        absent = self.state.absent(records)
        self.state.load(self.visits_of(absent))
        self.rows += fold(records, self.state, known).rows

    def visits_of(self, visitors: set[tuple[str, int]]) -> list[Visit]:
        return visits_from_rows(r for r in self.rows if (r.site, r.visitor) in visitors)

    def restart(self) -> None:
        if not self.rows:
            return
        newest = max(row.received_at for row in self.rows)
        visits = [v for v in visits_from_rows(self.rows) if v.touched >= newest - self.keep_ms]
        self.state = PipelineState(SOURCES, newest=newest, visits=visits, keep_ms=self.keep_ms)


def columns(row: Row) -> Told:
    prev = None if row.prev_path is None else (row.prev_hostname or "", row.prev_path)
    return Told(
        row.session,
        row.session_start,
        row.opens,
        row.engages,
        row.gap_ms,
        prev,
        row.entry_path,
    )


def sent(ts: int, **fields: Any) -> Hit:
    own = {"visitor": 7, "site": "a.org", "hostname": "", "event_id": f"id-{ts}"}
    return builders.hit(ts, **{**own, **fields})


def rows_of(hits: Sequence[Hit]) -> list[Row]:
    caller = Caller(HOUR)
    caller.take(list(enumerate(hits)))
    return caller.rows
