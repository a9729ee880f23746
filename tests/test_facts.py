"""Each metric and each dimension has one row of facts, and no two of them the same name."""

from __future__ import annotations

from analytics.dimension_facts import DIMENSIONS
from analytics.metric_facts import METRICS
from analytics.query import TIME_DIMENSIONS, Dimension, Metric


def test_every_metric_has_its_row() -> None:
    assert set(METRICS) == set(Metric)
    assert len({facts.label for facts in METRICS.values()}) == len(Metric)


def test_every_dimension_but_times_has_its_row() -> None:
    assert set(DIMENSIONS) == set(Dimension) - TIME_DIMENSIONS
    assert len({facts.name for facts in DIMENSIONS.values()}) == len(DIMENSIONS)
    assert len({facts.label for facts in DIMENSIONS.values()}) == len(DIMENSIONS)
