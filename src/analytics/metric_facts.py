"""The facts about each metric, one row each: what it is called, its unit, what it counts.

How a metric is computed stands in `store/sql/measures.py`, its definition in docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from analytics.query import Metric


class Unit(Enum):
    """What a metric's figure is a number of; it decides how the figure is shown."""

    COUNT = auto()
    PERCENT = auto()
    SECONDS = auto()
    MEAN = auto()
    """A mean of counts, with two decimals."""
    MONEY = auto()
    """An amount with its currency; none where currencies are mixed, since they do not add up."""


class Counted(Enum):
    """What a metric is counted over, and so by what it can be split."""

    EVENTS = auto()
    """Events, by when they happened."""
    VISITS = auto()
    """Visits, by when they began; they cannot be split by what differs between their events."""
    PAGES = auto()
    """A visit's time on, depth of, or exit from a page: as visits, and only by or of a page."""


class MetricFacts(NamedTuple):
    """One row of the table."""

    label: str
    """Its name on a card of the report."""
    column_label: str
    """Its name above a column, where there is less room."""
    unit: Unit
    counted: Counted
    lower_is_better: bool = False


METRICS: Final[Mapping[Metric, MetricFacts]] = {
    Metric.VISITORS: MetricFacts("Unique visitors", "Visitors", Unit.COUNT, Counted.EVENTS),
    Metric.VISITS: MetricFacts("Visits", "Visits", Unit.COUNT, Counted.VISITS),
    Metric.PAGEVIEWS: MetricFacts("Pageviews", "Pageviews", Unit.COUNT, Counted.EVENTS),
    Metric.VIEWS_PER_VISIT: MetricFacts(
        "Views per visit", "Views/visit", Unit.MEAN, Counted.VISITS
    ),
    Metric.BOUNCE_RATE: MetricFacts(
        "Bounce rate", "Bounce", Unit.PERCENT, Counted.VISITS, lower_is_better=True
    ),
    Metric.VISIT_DURATION: MetricFacts("Visit duration", "Duration", Unit.SECONDS, Counted.VISITS),
    Metric.EVENTS: MetricFacts("Events", "Events", Unit.COUNT, Counted.EVENTS),
    Metric.TIME_ON_PAGE: MetricFacts("Time on page", "Time on page", Unit.SECONDS, Counted.PAGES),
    Metric.SCROLL_DEPTH: MetricFacts("Scroll depth", "Scroll", Unit.PERCENT, Counted.PAGES),
    Metric.EXITS: MetricFacts("Exits", "Exits", Unit.COUNT, Counted.PAGES),
    Metric.EXIT_RATE: MetricFacts("Exit rate", "Exit rate", Unit.PERCENT, Counted.PAGES),
    Metric.PERCENTAGE: MetricFacts("Share", "Share", Unit.PERCENT, Counted.EVENTS),
    Metric.TOTAL_REVENUE: MetricFacts("Revenue", "Revenue", Unit.MONEY, Counted.EVENTS),
    Metric.AVERAGE_REVENUE: MetricFacts(
        "Average revenue", "Average revenue", Unit.MONEY, Counted.EVENTS
    ),
    Metric.CONVERSIONS: MetricFacts("Total conversions", "Conversions", Unit.COUNT, Counted.EVENTS),
    Metric.CONVERSION_RATE: MetricFacts(
        "Conversion rate", "Conversion", Unit.PERCENT, Counted.EVENTS
    ),
    Metric.GROUP_CONVERSION_RATE: MetricFacts(
        "Conversion rate of the row", "Conversion", Unit.PERCENT, Counted.EVENTS
    ),
}


def having(*units: Unit) -> frozenset[Metric]:
    """Return the metrics whose unit is one of *units*."""
    return frozenset(metric for metric, facts in METRICS.items() if facts.unit in units)


def counted_over(*counted: Counted) -> frozenset[Metric]:
    """Return the metrics that are counted over one of *counted*."""
    return frozenset(metric for metric, facts in METRICS.items() if facts.counted in counted)
