"""The one formula of each metric, from the sums of its measures (`measures.py`).

Metrics are rounded half up in integer arithmetic. Definitions: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from analytics.query import Metric
from analytics.store.sql.query_shape import QueryShape

_PERCENTAGES: Final[Mapping[Metric, tuple[str, str, str]]] = {
    Metric.PERCENTAGE: ("visitors", "everyone", "0"),
    Metric.EXIT_RATE: ("exits", "exit_views", "NULL"),
    Metric.CONVERSION_RATE: ("visitors", "base_visitors", "0"),
    Metric.GROUP_CONVERSION_RATE: ("visitors", "group_visitors", "0"),
}
"""The part, the whole, and the value where the whole is nothing."""


def sum_sql(measure: str) -> str:
    """Return the aggregate that combines the values of *measure*, under its own name."""
    if measure == "currency_first":
        return "min(currency_first) AS currency_first"
    if measure == "currency_last":
        return "max(currency_last) AS currency_last"
    return f"coalesce(sum({measure}), 0) AS {measure}"


def partial_sql(measure: str) -> str:
    """Return the same aggregate for a partial answer in Parquet, whose integers have 64 bits."""
    if measure in ("currency_first", "currency_last"):
        return sum_sql(measure)
    kind = "DECIMAL(38, 3)" if measure == "revenue" else "BIGINT"
    return f"CAST(coalesce(sum({measure}), 0) AS {kind}) AS {measure}"


def metric_sql(metric: Metric, shape: QueryShape) -> str:
    """Return the SQL of *metric*, rounded, from the summed measures.

    Percentages and scroll depth are 0 to 100, durations seconds, money thousandths.
    """
    # A page where no visit began has no bounce rate; a site without visits has one of 0.
    nothing = "NULL" if shape.by_page else "0"
    rated = "(begun - unrated)" if "unrated" in shape.measures else "begun"
    if metric in _PERCENTAGES:
        part, whole, without = _PERCENTAGES[metric]
        return _two_decimals(f"100 * {part}", whole, without)
    match metric:
        case Metric.VISITS:
            return shape.visits
        case Metric.VIEWS_PER_VISIT:
            return _two_decimals("views", rated, nothing)
        case Metric.BOUNCE_RATE:
            return _ratio(f"{rated} - engages", rated, 100, nothing)
        case Metric.VISIT_DURATION:
            return _ratio("duration_ms", f"1000 * {rated}", 1, "NULL")
        case Metric.TIME_ON_PAGE:
            # Where nobody measured a time (a log that was imported, the pixel), it is not 0.
            timed = "(viewed - untimed)" if "untimed" in shape.measures else "viewed"
            measured = _ratio("engaged_ms", f"1000 * {timed}", 1, "NULL")
            return f"CASE WHEN engaged_ms > 0 THEN {measured} END"
        case Metric.SCROLL_DEPTH:
            return _ratio("scroll_sum", "scroll_visits", 1, "NULL")
        case Metric.CONVERSIONS:
            return "events"
        case Metric.TOTAL_REVENUE:
            return _TOTAL_REVENUE
        case Metric.AVERAGE_REVENUE:
            return _AVERAGE_REVENUE
        case _:
            return metric.value


def _half_up(numerator: str, denominator: str, scale: int) -> str:
    """Return the SQL of scale x numerator / denominator, rounded half up to an integer."""
    return f"((2 * {scale} * ({numerator}) + ({denominator})) // (2 * ({denominator})))"


def _ratio(numerator: str, denominator: str, scale: int, nothing: str) -> str:
    value = _half_up(numerator, denominator, scale)
    return f"CASE WHEN ({denominator}) > 0 THEN {value} ELSE {nothing} END"


def _two_decimals(numerator: str, denominator: str, nothing: str) -> str:
    value = _half_up(numerator, denominator, 100)
    return f"CASE WHEN ({denominator}) > 0 THEN {value} / 100 ELSE {nothing} END"


_ONE_CURRENCY: Final = "revenue_events > 0 AND currency_first = currency_last"
# Thousandths, which are whole numbers. `//` cuts towards zero, so what a negative mean (of
# refunds) leaves over is taken off first.
_DOUBLE: Final = "(2 * CAST(revenue * 1000 AS HUGEINT) + revenue_events)"
_LEFT_OVER: Final = (
    f"(({_DOUBLE} % (2 * revenue_events) + 2 * revenue_events) % (2 * revenue_events))"
)
_TOTAL_REVENUE: Final = f"CASE WHEN {_ONE_CURRENCY} THEN CAST(revenue * 1000 AS HUGEINT) END"
_AVERAGE_REVENUE: Final = (
    f"CASE WHEN {_ONE_CURRENCY} THEN ({_DOUBLE} - {_LEFT_OVER}) // (2 * revenue_events) END"
)
