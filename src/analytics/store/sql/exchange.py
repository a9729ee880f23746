"""Revenue in one currency, by the rates of the day on which an event happened.

Each event's amount is converted and rounded to thousandths, halves away from zero, so that a refund
takes away what a purchase of the same day brought; then amounts add up exactly, whatever they are
split by. An event without a rate stays in its own currency.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from analytics import localtime
from analytics.exchange_rates import DAYS_KEPT
from analytics.query import DailyRates, Query
from analytics.store.sql.bound_values import BoundValues
from analytics.store.sql.keys import local_ms_sql
from analytics.units import DAY_MS

_SCALE: Final = 10**8
"""Rates are compared as whole numbers: they have at most eight decimals."""


class RevenueSql(NamedTuple):
    """Revenue of the row `r` as SQL, and what must be joined with `r` for it."""

    amount: str
    currency: str
    joins: str


AS_SENT: Final = RevenueSql("r.revenue", "r.currency", "")


class Exchange:
    """Converts the revenue of a query's rows, if it brings rates."""

    def __init__(self, query: Query, bound: BoundValues) -> None:
        self._bound = bound
        period = query.period
        offsets = localtime.changes(period.timezone, period.start, period.end)
        self._day = f"{local_ms_sql('r.ts', offsets)} // {DAY_MS}"
        self.table = "" if query.rates is None else _table(query.rates, bound)
        """The common table expression of the rates; "" without any."""

    def into(self, currency: str) -> RevenueSql:
        """Return revenue in *currency* where there are rates; as it was sent without one."""
        if not currency or not self.table:
            return AS_SENT
        target = self._bound(currency)
        thousandths = "CAST(r.revenue * 1000 AS HUGEINT)"
        rounded = f"((2 * abs({thousandths}) * x.target + x.own) // (2 * x.own))"
        converted = (
            f"CAST(sign(r.revenue) * {rounded} AS DECIMAL(35, 0)) * CAST(0.001 AS DECIMAL(3, 3))"
        )
        pairs = (
            "SELECT own.currency AS currency, own.day AS day, own.rate AS own,"
            " target.rate AS target FROM rates own JOIN rates target USING (day)"
            f" WHERE target.currency = {target} AND own.currency <> {target}"
        )
        return RevenueSql(
            f"CASE WHEN x.own IS NULL THEN r.revenue ELSE {converted} END",
            f"CASE WHEN x.own IS NULL THEN r.currency ELSE {target} END",
            f" LEFT JOIN ({pairs}) x ON r.revenue IS NOT NULL AND x.currency = r.currency"
            f" AND x.day = {self._day}",
        )


def _table(rates: DailyRates, bound: BoundValues) -> str:
    """Return `rates`: the rate of each currency on each day, missing days filled."""
    days = bound(msgspec.json.encode(rates.days).decode())
    currencies = bound(msgspec.json.encode(rates.currencies).decode())
    kinds = '[{"currency": "VARCHAR", "rates": ["VARCHAR"]}]'
    listed = (
        f"""SELECT each.currency AS currency, unnest(from_json({days}, '["BIGINT"]')) AS day,"""
        " unnest(each.rates) AS rate"
        f" FROM (SELECT unnest(from_json({currencies}, '{kinds}')) AS each)"
    )
    quoted = (
        f"SELECT currency, day, CAST(CAST(rate AS DECIMAL(27, 8)) * {_SCALE} AS HUGEINT) AS rate,"
        " lead(day) OVER (PARTITION BY currency ORDER BY day) AS following"
        f" FROM ({listed}) WHERE rate <> ''"
    )
    until = f"least(day + {DAYS_KEPT}, coalesce(following - 1, day + {DAYS_KEPT}))"
    return (
        "rates AS MATERIALIZED (SELECT currency,"
        f" unnest(generate_series(day, {until})) AS day, rate FROM ({quoted}))"
    )
