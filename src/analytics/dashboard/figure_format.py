"""Figures as text: short, exact, and compared with the previous period."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal, NamedTuple

from analytics.metric_facts import METRICS, Unit
from analytics.query import Figure, Metric

LABELS: Final = {metric: facts.label for metric, facts in METRICS.items()}
SHORT_LABELS: Final = {metric: facts.column_label for metric, facts in METRICS.items()}
NOTHING: Final = "–"

Tone = Literal["good", "bad", "flat"]


class FigureChange(NamedTuple):
    """The change of a figure from the previous period."""

    text: str
    """The size of the change without a sign: `12%`, `3 pts`."""
    direction: Literal["up", "down", "flat"]
    tone: Tone


def number(value: Figure) -> float | None:
    """Return the figure as a number; None for a text (an amount of money) or None."""
    return float(value) if isinstance(value, int | float) else None


def short(value: float) -> str:
    """Return a count in at most four digits and a unit: 9,999 · 12.3k · 4.5M."""
    if abs(value) < 10_000:
        return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
    for limit, unit in ((1e6, "k"), (1e9, "M"), (1e12, "B")):
        if abs(value) < limit * 0.9995:
            scaled = Decimal(value) / Decimal(limit / 1000)
            places = "1" if scaled >= 100 else "0.1"
            rounded = scaled.quantize(Decimal(places), ROUND_HALF_UP)
            return f"{rounded.normalize():f}{unit}"
    return f"{value:.3g}"


def duration(seconds: float) -> str:
    """Return *seconds* as `45s`, `3m 05s` or `2h 10m`."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def read(metric: Metric, value: Figure) -> str:
    """Return the figure as a card or a table cell shows it."""
    amount = number(value)
    if amount is None:
        return NOTHING if value is None else str(value)
    if METRICS[metric].unit is Unit.PERCENT:
        return f"{amount:g}%"
    if METRICS[metric].unit is Unit.SECONDS:
        return duration(amount)
    if METRICS[metric].unit is Unit.MEAN:
        return f"{amount:.2f}".rstrip("0").rstrip(".")
    return short(amount)


def exact(metric: Metric, value: Figure) -> str:
    """Return the figure unrounded, for a tooltip or the table beside the plot."""
    amount = number(value)
    plain = METRICS[metric].unit not in (Unit.PERCENT, Unit.SECONDS)
    if amount is not None and plain and amount == int(amount):
        return f"{int(amount):,}"
    return read(metric, value)


def change(metric: Metric, now: Figure, before: Figure) -> FigureChange | None:
    """Return the change from *before* to *now*; None when they cannot be compared."""
    current, previous = number(now), number(before)
    if current is None or previous is None:
        return None
    if not current and not previous:
        return None
    difference = current - previous
    points = METRICS[metric].unit is Unit.PERCENT
    if previous == 0 and not points:
        return None  # a percentage of zero is undefined
    size = abs(difference) if points else abs(difference) / previous * 100
    rounded = int(size + 0.5)
    if rounded == 0:
        return FigureChange("0 pts" if points else "0%", "flat", "flat")
    better = (difference > 0) != METRICS[metric].lower_is_better
    text = f"{rounded} {'pt' if rounded == 1 else 'pts'}" if points else f"{rounded:,}%"
    return FigureChange(text, "up" if difference > 0 else "down", "good" if better else "bad")
