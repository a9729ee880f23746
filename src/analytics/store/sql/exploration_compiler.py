"""An exploration as one SQL statement, from rows or from partial answers, every value bound."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from analytics.exploration import Exploration, FunnelQuery, JourneyQuery, RetentionQuery
from analytics.store.sql import funnel, journey, retention
from analytics.store.sql.bound_values import BoundValues, Statement


def compile_exploration(asked: Exploration, kept_since: int) -> Statement:
    """Return the statement of the answer from all rows, none of them before *kept_since* (ms)."""
    bound = BoundValues(asked.site)
    return bound.statement(_answer(asked, _additive(asked, kept_since, bound), bound))


def compile_partial(asked: Exploration, kept_since: int) -> Statement:
    """Return the statement whose answers, for some of the visitors each, add up to the whole."""
    bound = BoundValues(asked.site)
    return bound.statement(_additive(asked, kept_since, bound))


def compile_merged(asked: Exploration, files: str) -> Statement:
    """Return the statement of the answer from *files*, a glob of Parquet files of partial ones."""
    bound = BoundValues(asked.site)
    return bound.statement(_answer(asked, f"SELECT * FROM read_parquet({bound(files)})", bound))


def _additive(asked: Exploration, kept_since: int, bound: BoundValues) -> str:
    period = asked.period
    if period.start < kept_since:
        period = structs.replace(period, start=kept_since, end=max(period.end, kept_since))
    match asked:
        case FunnelQuery():
            return funnel.additive(structs.replace(asked, period=period), bound)
        case JourneyQuery():
            return journey.additive(structs.replace(asked, period=period), bound)
        case RetentionQuery():
            return retention.additive(structs.replace(asked, period=period), kept_since, bound)


def _answer(asked: Exploration, sums: str, bound: BoundValues) -> str:
    match asked:
        case FunnelQuery():
            return _added(funnel.KEYS, funnel.SUMS, sums)
        case JourneyQuery():
            return journey.folded(asked, sums, bound)
        case RetentionQuery():
            return _added(retention.KEYS, retention.SUMS, sums)


def _added(keys: Sequence[str], sums: Sequence[str], source: str) -> str:
    added = [f"CAST(sum({each}) AS BIGINT) AS {each}" for each in sums]
    return f"SELECT {', '.join([*keys, *added])} FROM ({source}) GROUP BY {', '.join(keys)}"
