"""A figure as the Stats API's JSON has it: a number, or money by its parts."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from analytics.currency import decimals, rounded
from analytics.query import Figure, Metric

_MONEY: Final = (Metric.TOTAL_REVENUE, Metric.AVERAGE_REVENUE)


def shown(metric: Metric, value: Figure) -> object:
    """A figure as JSON; money by its parts."""
    if metric not in _MONEY or not isinstance(value, str):
        return value
    amount, _, currency = value.partition(" ")
    return {
        "value": float(amount),
        "currency": currency,
        "short": f"{currency} {rounded(Decimal(amount), 0)}",
        "long": f"{currency} {rounded(Decimal(amount), decimals(currency))}",
    }
