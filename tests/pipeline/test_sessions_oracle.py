"""The sessionizer gives the rows of an oracle, whatever the log, the batches and the restarts."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pipeline.visit_oracle import (
    HOUR,
    MINUTE,
    START,
    Caller,
    columns,
    duration,
    engaged,
    exit_page,
    rows_of,
    sent,
    tell,
)

from analytics.event import ENGAGEMENT, PAGEVIEW, Hit

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
