"""Answers explorations from rows, whole or in parts that add up, and labels the answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

from analytics import localtime
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
from analytics.store.connection import Connection, Record, transaction
from analytics.store.duckdb import engine, hot_window, site_state
from analytics.store.sql import (
    event_scan,
    exploration_compiler,
    exploration_cost,
    journey,
    retention,
)

_SUFFIX: Final = "exploration.parquet"
_KINDS: Final = {
    journey.PAGE: StopKind.PAGE,
    journey.EVENT: StopKind.EVENT,
    journey.OTHER: StopKind.OTHER,
}


def answer(connection: Connection, exploration: Exploration) -> ExplorationResult:
    """Answer *exploration* from everything stored.

    Raise `Malformed` for what makes no sense, and `RowsEvicted` if it needs rows that this replica
    no longer has.
    """
    shape = exploration_cost.check(exploration)
    engine.check_patterns(connection, shape.patterns)
    with transaction(connection):
        state = site_state.read(connection, exploration.site)
        hot_window.check_exploration(
            connection, state, exploration, follows_visits=event_scan.follows_visits(shape)
        )
        statement = exploration_compiler.compile_exploration(exploration, state.kept_since)
        return _labelled(exploration, connection.rows(*statement))


def make_partial(
    connection: Connection, exploration: Exploration, kept_since: int, scratch: Path
) -> bytes:
    """Return a Parquet file of the sums of *exploration* over the rows of *connection*.

    None of them are from before *kept_since* (ms). It is written to the folder *scratch* first.
    """
    path = scratch / f"{uuid4().hex}.{_SUFFIX}"
    target = str(path).replace("'", "''")
    statement = exploration_compiler.compile_partial(exploration, kept_since)
    try:
        connection.run(f"COPY ({statement.sql}) TO '{target}' (FORMAT parquet)", statement.values)
        return path.read_bytes()
    finally:
        path.unlink(missing_ok=True)


def merge(
    connection: Connection, exploration: Exploration, partials: Sequence[bytes], scratch: Path
) -> ExplorationResult:
    """Merge *partials* (at least one) into the whole answer.

    *connection* is only used for computation, the folder *scratch* for files.
    """
    run = uuid4().hex
    paths = [scratch / f"{run}-{number}.{_SUFFIX}" for number in range(len(partials))]
    try:
        for path, sums in zip(paths, partials, strict=True):
            path.write_bytes(sums)
        files = str(scratch / f"{run}-*.{_SUFFIX}")
        statement = exploration_compiler.compile_merged(exploration, files)
        return _labelled(exploration, connection.rows(*statement))
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


def _labelled(exploration: Exploration, records: Sequence[Record]) -> ExplorationResult:
    match exploration:
        case FunnelQuery():
            return _funnel(exploration, records)
        case JourneyQuery():
            return JourneyResult(passages=tuple(map(_passage, records)))
        case RetentionQuery():
            return _retention(exploration, records)


def _funnel(exploration: FunnelQuery, records: Iterable[Record]) -> FunnelResult:
    of_step: dict[int, list[Record]] = defaultdict(list)
    for step, *values in records:
        of_step[step].append(tuple(values))
    return FunnelResult(
        steps=tuple(
            FunnelStep(
                sum(reached for _, reached, _, _ in of_step[number]),
                sum(cookieless for _, _, cookieless, _ in of_step[number]),
                _waits(of_step[number] if number > 1 else ()),
            )
            for number in range(1, len(exploration.steps) + 1)
        ),
        to_convert=_waits(of_step[0]),
    )


def _waits(records: Iterable[Record]) -> Waits:
    counts = [0] * (len(WAIT_BOUNDS_MS) + 1)
    total_ms = 0
    for class_, reached, _, waited_ms in records:
        counts[class_] += reached
        total_ms += waited_ms
    return Waits(total_ms, tuple(counts))


def _passage(record: Record) -> Passage:
    level, before, stop, visits = record
    return Passage(level, _stop(before) if before else None, _stop(stop), visits)


def _stop(text: str) -> Stop:
    return Stop(_KINDS[text[0]], text[1:])


def _retention(exploration: RetentionQuery, records: Iterable[Record]) -> RetentionResult:
    figures = {(cohort, later): visitors for cohort, later, visitors in records}
    buckets = exploration_cost.buckets(exploration)
    labels = [str(retention.first_day(exploration.unit, each)) for each in buckets]
    if (
        exploration.unit is RetentionUnit.WEEK
    ):  # the first one begins with the period, as `time:week`
        start = localtime.day_of(exploration.period.timezone, exploration.period.start)
        labels[0] = str(localtime.date_of(start))
    return RetentionResult(
        cohorts=tuple(
            Cohort(
                label,
                tuple(figures.get((cohort, later), 0) for later in range(buckets.stop - cohort)),
            )
            for cohort, label in zip(buckets, labels, strict=True)
        ),
        cookieless=figures.get((retention.BEFORE, 0), 0),
    )
