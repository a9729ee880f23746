"""The sessionizer against an oracle that works everything out anew for every event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


# --- the oracle -----------------------------------------------------------------------------


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


# --- the caller, with a store that is a list of rows -----------------------------------------


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


# --- hypothesis ------------------------------------------------------------------------------

STEPS = st.sampled_from([0, 0, 1, MINUTE, 29 * MINUTE, 30 * MINUTE, 3 * HOUR, 40 * HOUR])
LATENESS = st.one_of(
    st.sampled_from([0, 0, 0, 1, 30 * MINUTE - 1, 30 * MINUTE, 30 * MINUTE + 1, HOUR]),
    st.sampled_from([24 * HOUR, 24 * HOUR + 1, 72 * HOUR, 72 * HOUR + 31 * MINUTE]),
    st.integers(0, 80).map(lambda n: n * 10 * MINUTE),
)
ENGAGED = st.sampled_from([0, 0, MINUTE, 29 * MINUTE, 45 * MINUTE, 3 * HOUR, 24 * HOUR])
EDGES = st.sampled_from([0, 1, 30 * MINUTE, 30 * MINUTE + 1, HOUR]).flatmap(
    lambda edge: st.sampled_from([-edge, edge])
)


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[int, Hit]]:
    """A log with lateness, ties, clocks that run back, machines, and copies of earlier hits."""
    hits: list[Hit] = []
    now = START + 23 * HOUR + 59 * MINUTE
    for number in range(draw(st.integers(1, 25))):
        now += draw(STEPS)
        if hits and draw(st.integers(0, 6)) == 0:
            copied = draw(st.sampled_from(hits))
            fields = {f: getattr(copied, f) for f in copied.__struct_fields__}
            hits.append(Hit(**{**fields, "received_at": max(now, copied.ts)}))
            continue
        received_at = now - draw(st.sampled_from([0, 0, 0, 0, 5 * MINUTE, 2 * HOUR]))
        ts = received_at - draw(LATENESS)
        if hits and draw(st.sampled_from([False, True])):
            earlier = draw(st.sampled_from(hits))
            at = draw(st.sampled_from([earlier.ts, earlier.received_at]))
            ts = min(received_at, at + draw(EDGES))
        hits.append(
            sent(
                ts,
                received_at=received_at,
                event_id=f"id-{number}",
                visitor=draw(st.sampled_from([1, 1, 1, 1, 2, 3])),
                site=draw(st.sampled_from(["a.org", "a.org", "a.org", "b.org"])),
                name=draw(st.sampled_from([PAGEVIEW, PAGEVIEW, ENGAGEMENT, "signup"])),
                hostname=draw(st.sampled_from(["a.org", "b.org"])),
                path=draw(st.sampled_from(["/", "/x", "/y"])),
                interactive=draw(st.booleans()),
                engaged_ms=draw(ENGAGED),
                bot=draw(st.sampled_from([None, None, None, "spider"])),
            )
        )
    return list(enumerate(hits))


def without_copies(log: list[tuple[int, Hit]]) -> list[tuple[int, Hit]]:
    first: dict[tuple[str, str], tuple[int, Hit]] = {}
    for offset, one in log:
        first.setdefault((one.site, one.event_id), (offset, one))
    return list(first.values())


CUTS = st.lists(st.integers(1, 6), min_size=1, max_size=8)
KEEPS = st.sampled_from([0, MINUTE, HOUR, 48 * HOUR])


def crowded(chance: Random) -> list[tuple[int, Hit]]:
    """A log whose hits lie on each other's edges, which hypothesis alone seldom draws."""
    hits: list[Hit] = []
    now = START
    for number in range(chance.randint(2, 25)):
        now += chance.choice([0, 0, 1, MINUTE, 29 * MINUTE, 30 * MINUTE, 3 * HOUR, 40 * HOUR])
        received_at = now - chance.choice([0, 0, 0, 0, 5 * MINUTE, 2 * HOUR])
        ts = received_at - chance.choice([0, 0, 1, 30 * MINUTE, HOUR, 24 * HOUR, 72 * HOUR])
        if hits and chance.random() < 0.6:
            earlier = chance.choice(hits)
            edge = chance.choice([0, 1, 30 * MINUTE, 30 * MINUTE + 1, HOUR])
            at = chance.choice([earlier.ts, earlier.received_at]) + chance.choice([-edge, edge])
            ts = min(received_at, at)
        hits.append(
            sent(
                ts,
                received_at=received_at,
                event_id=f"id-{number}",
                visitor=chance.choice([1, 1, 1, 2]),
                name=chance.choice([PAGEVIEW, PAGEVIEW, ENGAGEMENT, "signup"]),
                path=chance.choice(["/", "/x"]),
                engaged_ms=chance.choice([0, 0, MINUTE, 30 * MINUTE, 45 * MINUTE, 3 * HOUR]),
            )
        )
    return list(enumerate(hits))


def test_rows_equal_the_oracle_on_a_thousand_crowded_logs() -> None:
    for seed in range(1500):
        chance = Random(seed)
        log = crowded(chance)
        caller = Caller(chance.choice([0, MINUTE, HOUR]))
        start = 0
        while start < len(log):
            size = chance.randint(1, 4)
            caller.take(log[start : start + size])
            start += size
            if chance.random() < 0.1:
                caller.restart()
        told, _ = tell(log)
        assert {row.log_offset: columns(row) for row in caller.rows} == told, seed


@settings(max_examples=300, deadline=None)
@given(logs(), CUTS, KEEPS, st.sets(st.integers(0, 8)))
def test_rows_equal_the_oracle_whatever_the_batches_the_memory_and_the_restarts(
    log: list[tuple[int, Hit]], cuts: list[int], keep_ms: int, restarts: set[int]
) -> None:
    caller = Caller(keep_ms)
    start = 0
    for batch in range(len(log)):
        size = cuts[batch % len(cuts)]
        caller.take(log[start : start + size])
        start += size
        if batch in restarts:
            caller.restart()
    told, _ = tell(without_copies(log))
    assert {row.log_offset: columns(row) for row in caller.rows} == told


@settings(max_examples=200, deadline=None)
@given(logs())
def test_the_sums_over_rows_are_the_figures_of_the_visits(log: list[tuple[int, Hit]]) -> None:
    rows = rows_of([one for _, one in log])
    _, visits = tell(without_copies(log))
    assert sum(row.opens for row in rows) == len(visits)
    assert sum(row.engages for row in rows) == sum(engaged(visit) for visit in visits)
    assert sum(row.gap_ms for row in rows) == sum(duration(visit) for visit in visits)
    views = Counter((row.hostname, row.path) for row in rows if row.name == PAGEVIEW)
    views.subtract(
        (str(row.prev_hostname), row.prev_path) for row in rows if row.prev_path is not None
    )
    exits = Counter(page for visit in visits if (page := exit_page(visit)) is not None)
    assert +views == exits
    assert min(views.values(), default=0) >= 0


@settings(max_examples=100, deadline=None)
@given(logs())
def test_no_bucket_of_visits_ever_goes_negative(log: list[tuple[int, Hit]]) -> None:
    bounces: Counter[int] = Counter()
    for row in rows_of([one for _, one in log]):
        bounces[row.session] += row.opens - row.engages
        assert bounces[row.session] >= 0
        assert row.gap_ms >= 0


@settings(max_examples=100, deadline=None)
@given(logs())
def test_a_visitors_rows_do_not_depend_on_other_visitors(log: list[tuple[int, Hit]]) -> None:
    together = Caller(MINUTE)
    alone = {visitor: Caller(MINUTE) for visitor in (1, 2, 3)}
    for record in log:
        together.take([record])
        alone[record[1].visitor].take([record])
    apart = [row for caller in alone.values() for row in caller.rows]
    assert sorted(apart, key=lambda row: row.log_offset) == together.rows


# --- by example ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pause", "visits"), [(30 * MINUTE - 1, 1), (30 * MINUTE, 1), (30 * MINUTE + 1, 2)]
)
def test_exactly_thirty_minutes_still_join(pause: int, visits: int) -> None:
    rows = rows_of([sent(START), sent(START + pause)])
    assert sum(row.opens for row in rows) == visits


@pytest.mark.parametrize(("early", "visits"), [(30 * MINUTE, 1), (30 * MINUTE + 1, 2)])
def test_a_late_event_before_the_start_lengthens_the_visit(early: int, visits: int) -> None:
    first, late = rows_of([sent(START), sent(START - early, received_at=START)])
    assert first.opens + late.opens == visits
    if visits == 1:
        assert (late.gap_ms, late.session_start) == (early, START)


def test_a_visit_goes_on_over_midnight() -> None:
    rows = rows_of([sent(START - MINUTE), sent(START + MINUTE, path="/next")])
    assert [row.opens for row in rows] == [1, 0]
    assert rows[1].session_start == START - MINUTE


def test_two_tabs_are_one_visit() -> None:
    times = [0, 1, 2, 3]
    rows = rows_of([sent(START + t * MINUTE, path=f"/tab{t % 2}") for t in times])
    assert {row.session for row in rows} == {rows[0].session}
    assert [row.prev_path for row in rows] == [None, "/tab0", "/tab1", "/tab0"]


def test_of_two_views_at_the_same_time_the_later_in_the_log_is_the_exit() -> None:
    rows = rows_of([sent(START, path="/a", event_id="1"), sent(START, path="/b", event_id="2")])
    assert rows[1].prev_path == "/a"


def test_a_late_view_takes_its_own_exit_away() -> None:
    hits = [
        sent(START),
        sent(START + 9, path="/end"),
        sent(START + 5, path="/late", event_id="l"),
    ]
    late = rows_of(hits)[-1]
    assert (late.prev_path, late.gap_ms) == ("/late", 0)


def test_a_machine_and_a_person_of_one_address_are_two_visits() -> None:
    rows = rows_of([sent(START), sent(START + 1, bot="spider"), sent(START + 2)])
    assert [row.opens for row in rows] == [1, 1, 0]


def test_a_ping_with_no_visit_open_opens_none() -> None:
    ping, view = rows_of([sent(START, name=ENGAGEMENT, path="/p"), sent(START + 1)])
    assert (ping.session, ping.opens, ping.session_start, ping.entry_path) == (0, 0, START, "/p")
    assert view.opens == 1


def test_a_reading_of_a_long_sitting_belongs_to_its_visit_and_lengthens_it() -> None:
    reading = sent(START + 45 * MINUTE, name=ENGAGEMENT, engaged_ms=45 * MINUTE)
    rows = rows_of([sent(START), reading, sent(START + 70 * MINUTE, path="/next")])
    assert {row.session for row in rows} == {rows[0].session}
    assert [row.gap_ms for row in rows] == [0, 45 * MINUTE, 25 * MINUTE]


@pytest.mark.parametrize("later", [31 * MINUTE, 5 * HOUR, 71 * HOUR])
@pytest.mark.parametrize("keep_ms", [0, MINUTE, 100 * HOUR])
def test_a_reading_of_a_page_that_lay_idle_belongs_to_its_visit_and_does_not_lengthen_it(
    later: int, keep_ms: int
) -> None:
    caller = Caller(keep_ms)
    reading = sent(START + later, name=ENGAGEMENT, engaged_ms=10_000)
    others = [sent(START + 90 * HOUR + n * HOUR, visitor=8, event_id=f"o{n}") for n in (0, 1, 2)]
    back = sent(START + later + MINUTE, path="/next")
    for offset, one in enumerate([sent(START), reading, back, *others]):
        caller.take([(offset, one)])
    view, ping, again, *_ = caller.rows
    assert (ping.session, ping.session_start, ping.gap_ms) == (view.session, view.ts, 0)
    assert (again.opens, again.session == view.session) == (1, False)


def test_a_reading_from_before_its_visitors_first_visit_stays_outside() -> None:
    early = sent(START - 31 * MINUTE, received_at=START, name=ENGAGEMENT)
    assert [row.session == 0 for row in rows_of([sent(START), early])] == [False, True]


def test_a_ping_keeps_a_visit_alive() -> None:
    ping_at, view_at = START + 20 * MINUTE, START + 45 * MINUTE
    rows = rows_of([sent(START), sent(ping_at, name=ENGAGEMENT), sent(view_at)])
    assert [row.gap_ms for row in rows] == [0, 20 * MINUTE, 25 * MINUTE]
    assert [row.engages for row in rows] == [0, 0, 1]


@pytest.mark.parametrize(("interactive", "engages"), [(True, 1), (False, 0)])
def test_only_an_interactive_event_alone_is_no_bounce(interactive: bool, engages: int) -> None:
    (row,) = rows_of([sent(START, name="signup", interactive=interactive)])
    assert (row.opens, row.engages) == (1, engages)


def test_a_visit_untouched_for_three_days_is_joined_no_more() -> None:
    reach = 72 * HOUR + 30 * MINUTE
    late = [
        sent(START, received_at=START + reach + extra, event_id=f"late-{extra}") for extra in (1, 2)
    ]
    assert [row.opens for row in rows_of([sent(START), *late])] == [1, 1, 0]
    in_time = sent(START, received_at=START + reach, event_id="in-time")
    assert [row.opens for row in rows_of([sent(START), in_time])] == [1, 0]


def test_a_hit_received_out_of_turn_does_not_shorten_the_reach_of_its_visit() -> None:
    reach = 72 * HOUR + 30 * MINUTE
    hits = [
        sent(START, received_at=START + HOUR, event_id="1"),
        sent(START, received_at=START, event_id="2"),
        sent(START, received_at=START + HOUR + reach, event_id="3"),
    ]
    assert [row.opens for row in rows_of(hits)] == [1, 0, 0]
