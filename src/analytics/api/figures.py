"""Figures of answers: as JSON, for empty buckets, and compared with one another."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import floor
from typing import Final

from analytics.currency import decimals, rounded
from analytics.query import Figure, Metric

_MONEY: Final = frozenset({Metric.TOTAL_REVENUE, Metric.AVERAGE_REVENUE})
_WITHOUT_VALUE: Final = _MONEY | {
    Metric.VISIT_DURATION,
    Metric.TIME_ON_PAGE,
    Metric.SCROLL_DEPTH,
    Metric.EXIT_RATE,
}
"""Metrics that have no value where nothing was counted; the others are 0 there."""
_IN_POINTS: Final = frozenset(
    {
        Metric.BOUNCE_RATE,
        Metric.SCROLL_DEPTH,
        Metric.EXIT_RATE,
        Metric.CONVERSION_RATE,
        Metric.GROUP_CONVERSION_RATE,
    }
)
"""Percentages that are compared by their difference."""


def json_of(metric: Metric, value: Figure) -> object:
    """Return a figure as JSON: a number, or an amount of money as a mapping.

    The mapping has the keys `value` (a number), `currency`, and `short` and `long` (texts, rounded
    to whole units and to the currency's decimals).
    """
    if metric not in _MONEY or not isinstance(value, str):
        return value
    amount, _, currency = value.partition(" ")
    return {
        "value": float(amount),
        "currency": currency,
        "short": f"{currency} {rounded(Decimal(amount), 0)}",
        "long": f"{currency} {rounded(Decimal(amount), decimals(currency))}",
    }


def of_nothing(metrics: Sequence[Metric]) -> tuple[Figure, ...]:
    """Return the figures of a bucket in which nothing was counted."""
    return tuple(None if metric in _WITHOUT_VALUE else 0 for metric in metrics)


def money_of(metrics: Sequence[Metric]) -> list[Metric]:
    """Return those of *metrics* that are amounts of money."""
    return [metric for metric in metrics if metric in _MONEY]


def change(metric: Metric, new: Figure, old: Figure) -> float | None:
    """Return the change of a figure in percent, of a rate in percentage points.

    Return None if one has no value, or the currencies differ.
    """
    values = _comparable(new, old)
    if values is None:
        return None
    after, before = values
    if metric in _IN_POINTS:
        points = _half_up((after - before) * 10) / 10
        return int(points) if points == int(points) else points
    if before == 0:
        return 100 if after else 0
    return _half_up((after - before) / before * 100)


def _comparable(new: Figure, old: Figure) -> tuple[Decimal, Decimal] | None:
    if new is None or old is None:
        return None
    (after, *currency), (before, *earlier) = str(new).split(), str(old).split()
    return (Decimal(after), Decimal(before)) if currency == earlier else None


def _half_up(value: Decimal) -> int:
    """Return *value* as a whole number, halves away from 0."""
    whole = floor(abs(value) + Decimal("0.5"))
    return whole if value >= 0 else -whole
