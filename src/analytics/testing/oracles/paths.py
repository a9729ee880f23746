"""An oracle of funnels, journeys and retention, which follows them event by event."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

from analytics.event import PAGEVIEW, Hit
from analytics.exploration import (
    WAIT_BOUNDS_MS,
    Cohort,
    Exploration,
    ExplorationResult,
    FunnelQuery,
    FunnelResult,
    FunnelStep,
    JourneyQuery,
    JourneyResult,
    Passage,
    RetentionQuery,
    RetentionResult,
    RetentionUnit,
    Stop,
    StopKind,
    Waits,
)
from analytics.query import Dimension
from analytics.testing.oracles.answers import EventFilters
from analytics.testing.oracles.events import OracleEvent, bucket, visits_of
from analytics.units import DAY_MS
from analytics.visitor_id import COOKIELESS

Course = list[OracleEvent]
"""Events of one visit or visitor, in order."""


def explore(hits: Sequence[Hit], exploration: Exploration) -> ExplorationResult:
    """Return the result that a store must give for *exploration* after *hits* (each id once)."""
    events = [
        event
        for event in visits_of(hits)
        if event.hit.site == exploration.site
        and (exploration.bots or event.hit.bot is None)
        and event.counts
    ]
    matching = EventFilters(exploration.filters)
    events = [event for event in events if matching.event(event)]
    match exploration:
        case FunnelQuery():
            return _funnel(events, exploration)
        case JourneyQuery():
            return _journey(events, exploration)
        case RetentionQuery():
            return _retention(events, exploration)


def _in_order(events: Sequence[OracleEvent], key: Callable[[OracleEvent], object]) -> list[Course]:
    courses: dict[object, Course] = defaultdict(list)
    for event in sorted(events, key=lambda e: (e.hit.ts, e.offset)):
        courses[key(event)].append(event)
    return list(courses.values())


def _visits(events: Sequence[OracleEvent], exploration: FunnelQuery | JourneyQuery) -> list[Course]:
    span = range(exploration.period.start, exploration.period.end)
    mine = [e for e in events if e.visit is not None and e.visit.start in span]
    return _in_order(mine, lambda e: e.visit)


# ---- funnels


def _funnel(events: Sequence[OracleEvent], exploration: FunnelQuery) -> FunnelResult:
    if exploration.within_days is None:
        courses = _visits(events, exploration)
    else:
        span = range(exploration.period.start, exploration.period.end)
        courses = _in_order([e for e in events if e.hit.ts in span], lambda e: e.hit.visitor)
    steps = [EventFilters((step,)) for step in exploration.steps]
    best = []
    for course in courses:
        chains = [*_chains(course, steps, exploration)]
        if chains:
            best.append(max(chains, key=len))  # the first of the longest
    reached = [[chain for chain in best if len(chain) > n] for n in range(len(steps))]
    return FunnelResult(
        steps=tuple(
            FunnelStep(
                len(chains),
                sum(chain[0].hit.visitor >= COOKIELESS for chain in chains),
                _waits([chain[n].hit.ts - chain[n - 1].hit.ts for chain in chains] if n else []),
            )
            for n, chains in enumerate(reached)
        ),
        to_convert=_waits([chain[-1].hit.ts - chain[0].hit.ts for chain in reached[-1]]),
    )


def _chains(
    course: Course, steps: list[EventFilters], exploration: FunnelQuery
) -> Iterator[Course]:
    """Yield the chain from each event that is a first step."""
    for at, first in enumerate(course):
        if not steps[0].event(first):
            continue
        chain = [first]
        for event in course[at + 1 :]:
            days = exploration.within_days
            late = days is not None and event.hit.ts > first.hit.ts + days * DAY_MS
            if late or len(chain) == len(steps):
                break
            if steps[len(chain)].event(event):
                chain.append(event)
            elif exploration.strict:
                break
        yield chain


def _waits(waits: Sequence[int]) -> Waits:
    classes = Counter(sum(wait >= bound for bound in WAIT_BOUNDS_MS) for wait in waits)
    return Waits(sum(waits), tuple(classes[n] for n in range(len(WAIT_BOUNDS_MS) + 1)))


# ---- journeys


def _journey(events: Sequence[OracleEvent], exploration: JourneyQuery) -> JourneyResult:
    passages: Counter[tuple[int, Stop | None, Stop]] = Counter()
    for course in _visits(events, exploration):
        stops = _stops(course, exploration)
        for level, stop in enumerate(stops[: exploration.levels + 1]):
            passages[level, stops[level - 1] if level else None, stop] += 1
    named = _most_visited(passages, exploration.most)
    folded: Counter[tuple[int, Stop | None, Stop]] = Counter()
    for (level, before, stop), visits in passages.items():
        if before is not None and before not in named[level - 1]:
            before = Stop(StopKind.OTHER)
        folded[level, before, stop if stop in named[level] else Stop(StopKind.OTHER)] += visits
    ordered = sorted(folded.items(), key=lambda each: (each[0][0], -each[1], _names(each[0])))
    return JourneyResult(passages=tuple(Passage(*key, visits) for key, visits in ordered))


def _stops(course: Course, exploration: JourneyQuery) -> list[Stop]:
    start = EventFilters((exploration.start,))
    at = next((n for n, event in enumerate(course) if start.event(event)), None)
    if at is None:
        return []
    others = course[at + 1 :] if exploration.forward else course[:at][::-1]
    others = [e for e in others if exploration.events or e.hit.name == PAGEVIEW]
    return [_stop(event) for event in (course[at], *others)]


def _stop(event: OracleEvent) -> Stop:
    if event.hit.name == PAGEVIEW:
        return Stop(StopKind.PAGE, event.hit.path)
    return Stop(StopKind.EVENT, event.hit.name)


def _most_visited(
    passages: Counter[tuple[int, Stop | None, Stop]], most: int
) -> dict[int, set[Stop]]:
    levels: dict[int, Counter[Stop]] = defaultdict(Counter)
    for (level, _, stop), visits in passages.items():
        levels[level][stop] += visits
    return {
        level: {
            stop
            for stop, _ in sorted(stops.items(), key=lambda each: (-each[1], _name(each[0])))[:most]
        }
        for level, stops in levels.items()
    }


def _name(stop: Stop | None) -> bytes:
    """Return the sort key of a stop: events, "others", pages; then by name."""
    return b"" if stop is None else f"{stop.kind[0]}{stop.name}".encode()


def _names(key: tuple[int, Stop | None, Stop]) -> tuple[bytes, bytes]:
    return _name(key[1]), _name(key[2])


# ---- retention


def _retention(events: Sequence[OracleEvent], exploration: RetentionQuery) -> RetentionResult:
    span = range(exploration.period.start, exploration.period.end)
    labels = _labels(exploration)
    buckets: dict[int, list[OracleEvent]] = defaultdict(list)
    cookieless = set()
    for event in events:
        if event.hit.visitor < COOKIELESS and event.hit.ts < exploration.period.end:
            buckets[event.hit.visitor].append(event)
        elif event.hit.ts in span and event.hit.visitor >= COOKIELESS:
            cookieless.add(event.hit.visitor)
    table = {label: [0] * (len(labels) - n) for n, label in enumerate(labels)}
    for course in buckets.values():
        if min(event.hit.ts for event in course) < exploration.period.start:
            continue
        active = {labels.index(_bucket(exploration, event.hit.ts)) for event in course}
        for n in active:
            table[labels[min(active)]][n - min(active)] += 1
    return RetentionResult(
        cohorts=tuple(Cohort(label, tuple(visitors)) for label, visitors in table.items()),
        cookieless=len(cookieless),
    )


def _labels(exploration: RetentionQuery) -> list[str]:
    first = date.fromisoformat(bucket(Dimension.DAY, exploration.period.start, exploration.period))
    last = date.fromisoformat(bucket(Dimension.DAY, exploration.period.end - 1, exploration.period))
    days = (first + timedelta(n) for n in range((last - first).days + 1))
    return [*dict.fromkeys(_label(exploration.unit, day, first) for day in days)]


def _bucket(exploration: RetentionQuery, ts: int) -> str:
    return bucket(Dimension(f"time:{exploration.unit}"), ts, exploration.period)


def _label(unit: RetentionUnit, day: date, first: date) -> str:
    match unit:
        case RetentionUnit.DAY:
            return day.isoformat()
        case RetentionUnit.WEEK:
            return max(first, day - timedelta(day.weekday())).isoformat()
        case RetentionUnit.MONTH:
            return day.replace(day=1).isoformat()
