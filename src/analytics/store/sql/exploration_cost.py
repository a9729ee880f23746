"""Limits on the size of an exploration, checked before it is compiled, as `query_cost` does."""

from __future__ import annotations

from analytics import bounds, localtime
from analytics.errors import Malformed
from analytics.exploration import Exploration, FunnelQuery, JourneyQuery, RetentionQuery
from analytics.store.sql import event_scan, query_cost, retention
from analytics.store.sql.filter_shape import FilterShape


def check(exploration: Exploration) -> FilterShape:
    """Return the shape of the filters of *exploration*. Raise `Malformed`, naming the member."""
    match exploration:
        case FunnelQuery(steps=steps, within_days=days):
            if not 2 <= len(steps) <= bounds.STEPS:
                raise Malformed("steps", f"a funnel has 2 to {bounds.STEPS} steps")
            if days is not None and not 1 <= days <= bounds.WINDOW_DAYS:
                raise Malformed("within_days", f"must be from 1 to {bounds.WINDOW_DAYS}")
        case JourneyQuery(levels=levels, most=most):
            if not 1 <= levels <= bounds.LEVELS:
                raise Malformed("levels", f"must be from 1 to {bounds.LEVELS}")
            if not 1 <= most <= bounds.STOPS:
                raise Malformed("limit", f"must be from 1 to {bounds.STOPS}")
        case RetentionQuery():
            if len(buckets(exploration)) > bounds.COHORTS:
                raise Malformed(
                    "date_range",
                    f"has {len(buckets(exploration)):,} times of one {exploration.unit}; a table"
                    f" has at most {bounds.COHORTS}. Take a longer unit or a shorter time",
                )
    query_cost.check_filters((*exploration.filters, *event_scan.steps_of(exploration)))
    return event_scan.shape_of(exploration)


def buckets(exploration: RetentionQuery) -> range:
    """Return the numbers of the buckets of a table's period."""
    zone = exploration.period.timezone
    first = localtime.day_of(zone, exploration.period.start)
    last = localtime.day_of(zone, max(exploration.period.start, exploration.period.end - 1))
    return range(
        retention.bucket_of(exploration.unit, first),
        retention.bucket_of(exploration.unit, last) + 1,
    )
