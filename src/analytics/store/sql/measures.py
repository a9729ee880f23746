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
}

VISIT_METRICS: Final = metric_facts.counted_over(Counted.VISITS, Counted.PAGES)
PAGE_METRICS: Final = metric_facts.counted_over(Counted.PAGES)
REVENUE_METRICS: Final = metric_facts.having(Unit.MONEY)


def needed(metrics: Iterable[Metric], visits: str) -> frozenset[str]:
    """Return the names of the measures that make up *metrics*; *visits* is that of the visits."""
    measures: set[str] = set()
    for metric in metrics:
        measures.update((visits,) if metric is Metric.VISITS else _NEEDS[metric])
    return frozenset(measures)
