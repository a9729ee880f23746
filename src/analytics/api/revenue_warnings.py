"""Warns that revenue metrics of an answer are empty, with the codes of Plausible's API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from analytics.api import figures
from analytics.query import Compare, Dimension, Filter, Query, Result
from analytics.site import Site
from analytics.store.sql.filter_shape import walk

_SEVERAL: Final = {
    "code": "no_single_revenue_currency",
    "warning": "The goals that are asked about have revenue in several currencies, which have no"
    " sum: filter by one goal, or split by event:goal.",
}
_NONE: Final = {
    "code": "no_revenue_goals_matching",
    "warning": "There is no sum: no event that matches has revenue, or they have it in several"
    " currencies; ask about one goal with a currency.",
}
_NO_RATE: Final = {
    "code": "no_exchange_rate",
    "warning": "There is no sum: events have revenue in several currencies, and there is no file of"
    " exchange rates (store.exchange_rates), or it lacks one of them on some day; split by"
    " event:currency for the sum in each.",
}


def of(
    query: Query, filters: Sequence[Filter], site: Site, result: Result
) -> Mapping[str, Mapping[str, str]]:
    """Return a warning for each revenue metric that is empty in every row, by the metric's name.

    *filters* are those of the question, which name goals.
    """
    money = figures.money_of(query.metrics)
    places = [query.metrics.index(metric) for metric in money]
    if any(row.metrics[place] is not None for row in result.rows for place in places):
        return {}
    by_goal = Dimension.GOAL in query.dimensions
    names = {goal.name for goal in query.goals} if by_goal else set(_named(filters))
    currencies = {g.currency for g in site.goals if g.name in names and g.currency}
    if len(currencies) > 1 and not by_goal:
        return {metric.value: _SEVERAL for metric in money}
    if not currencies:
        return {metric.value: _NONE for metric in money}
    return {metric.value: _NO_RATE for metric in money} if result.mixed_revenue else {}


def _named(filters: Sequence[Filter]) -> Iterable[str]:
    for each, _ in walk(filters):
        if isinstance(each, Compare) and each.dimension == Dimension.GOAL:
            yield from each.values
