"""The measures that make up each metric.

A *measure* is a column that the selects of a query (rows by time, rows by visit, cells) yield and
that can be summed over them. `metric_sql` computes the metrics from the sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from analytics import metric_facts
from analytics.metric_facts import Counted, Unit
from analytics.query import Metric

# By the time of the event.
EVENT_MEASURES: Final = ("visitors", "pageviews", "events")
REVENUE_MEASURES: Final = ("revenue", "revenue_events", "currency_first", "currency_last")
# By the time the visit began.
VISIT_MEASURES: Final = ("begun", "engages", "duration_ms", "views")
VIEWED_MEASURES: Final = ("viewed",)
ATTENTION_MEASURES: Final = ("engaged_ms",)
SCROLL_MEASURES: Final = ("scroll_sum", "scroll_visits")
EXIT_MEASURES: Final = ("exits",)
EXIT_VIEW_MEASURES: Final = ("exit_views",)
"""Pageviews of the page whose exits they are to be compared with, whichever page is the last."""
SUM_MEASURES: Final = ("unrated", "untimed")
"""Of imported sums alone: visits, among `begun` and `viewed`, of which no course and no time on the
page is known, so that means are not of them."""
# By the time of the event, without regard to goals: those in percent of whom rates are.
BASE_MEASURES: Final = ("base_visitors",)
GROUP_MEASURES: Final = ("group_visitors",)

_NEEDS: Final[Mapping[Metric, tuple[str, ...]]] = {
    Metric.VISITORS: ("visitors",),
    Metric.PAGEVIEWS: ("pageviews",),
    Metric.EVENTS: ("events",),
    Metric.PERCENTAGE: ("visitors",),
    Metric.TOTAL_REVENUE: REVENUE_MEASURES,
    Metric.AVERAGE_REVENUE: REVENUE_MEASURES,
    Metric.VIEWS_PER_VISIT: ("begun", "views"),
    Metric.BOUNCE_RATE: ("begun", "engages"),
    Metric.VISIT_DURATION: ("begun", "duration_ms"),
    Metric.TIME_ON_PAGE: ("viewed", "engaged_ms"),
    Metric.SCROLL_DEPTH: SCROLL_MEASURES,
    Metric.EXITS: EXIT_MEASURES,
    Metric.EXIT_RATE: (*EXIT_MEASURES, *EXIT_VIEW_MEASURES),
    Metric.CONVERSIONS: ("events",),
    Metric.CONVERSION_RATE: ("visitors", *BASE_MEASURES),
    Metric.GROUP_CONVERSION_RATE: ("visitors", *GROUP_MEASURES),
}

VISIT_METRICS: Final = metric_facts.counted_over(Counted.VISITS, Counted.PAGES)
PAGE_METRICS: Final = metric_facts.counted_over(Counted.PAGES)
RATED_METRICS: Final = frozenset(
    {Metric.BOUNCE_RATE, Metric.VISIT_DURATION, Metric.VIEWS_PER_VISIT}
)
"""Means over visits."""
REVENUE_METRICS: Final = metric_facts.having(Unit.MONEY)
GOAL_METRICS: Final = frozenset(
    {Metric.CONVERSIONS, Metric.CONVERSION_RATE, Metric.GROUP_CONVERSION_RATE}
)
"""Metrics of events by which a goal was reached."""


def needed(metrics: Iterable[Metric], visits: str) -> frozenset[str]:
    """Return the names of the measures that make up *metrics*; *visits* is that of the visits."""
    measures: set[str] = set()
    for metric in metrics:
        measures.update((visits,) if metric is Metric.VISITS else _NEEDS[metric])
    return frozenset(measures)
