"""An exploration as one SQL statement, from rows or from partial answers, every value bound."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from analytics.exploration import Exploration, FunnelQuery, JourneyQuery, RetentionQuery
from analytics.store.sql import funnel, journey, retention
from analytics.store.sql.bound_values import BoundValues, Statement


def compile_exploration(exploration: Exploration, kept_since: int) -> Statement:
    """Return the statement of the answer from all rows, none of them before *kept_since* (ms)."""
    bound = BoundValues(exploration.site)
    return bound.statement(_answer(exploration, _additive(exploration, kept_since, bound), bound))


def compile_partial(exploration: Exploration, kept_since: int) -> Statement:
    """Return the statement whose answers, for some of the visitors each, add up to the whole."""
    bound = BoundValues(exploration.site)
    return bound.statement(_additive(exploration, kept_since, bound))


def compile_merged(exploration: Exploration, files: str) -> Statement:
    """Return the statement of the answer from *files*, a glob of Parquet files of partial ones."""
    bound = BoundValues(exploration.site)
    return bound.statement(
        _answer(exploration, f"SELECT * FROM read_parquet({bound(files)})", bound)
    )


def _additive(exploration: Exploration, kept_since: int, bound: BoundValues) -> str:
    period = exploration.period
    if period.start < kept_since:
        period = structs.replace(period, start=kept_since, end=max(period.end, kept_since))
    match exploration:
        case FunnelQuery():
            return funnel.additive(structs.replace(exploration, period=period), bound)
        case JourneyQuery():
            return journey.additive(structs.replace(exploration, period=period), bound)
        case RetentionQuery():
            return retention.additive(
                structs.replace(exploration, period=period), kept_since, bound
            )


def _answer(exploration: Exploration, sums: str, bound: BoundValues) -> str:
    match exploration:
        case FunnelQuery():
            return _added(funnel.KEYS, funnel.SUMS, sums)
        case JourneyQuery():
            return journey.folded(exploration, sums, bound)
        case RetentionQuery():
            return _added(retention.KEYS, retention.SUMS, sums)


def _added(keys: Sequence[str], sums: Sequence[str], source: str) -> str:
    added = [f"CAST(sum({each}) AS BIGINT) AS {each}" for each in sums]
    return f"SELECT {', '.join([*keys, *added])} FROM ({source}) GROUP BY {', '.join(keys)}"
