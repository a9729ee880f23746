"""The rows of one list of a report, each with its name, its bar and where it leads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from analytics import dimension_facts
from analytics.dashboard import display_names, figure_format, filters
from analytics.dashboard.panels import Tab
from analytics.dashboard.report_url import ReportUrl
from analytics.event import ENGAGEMENT, PAGEVIEW
from analytics.query import Compare, Dimension, Filter, Metric, Op, Order, Period, Query, Result


class ListRow(NamedTuple):
    """One value of a dimension with its figures."""

    text: str
    kind: str
    """`country`, `region` or `language` for what the browser has names of, else ""."""
    url: str
    """The report filtered by this value."""
    width: float
    """The bar, in percent of the longest."""
    share: str
    figures: tuple[str, ...]
    exact: str
    chosen: bool
    """Whether the report is filtered by this value already."""

    few: bool
    """Whether it has so few visitors that it comes last."""


RATES: Final = frozenset(
    {
        Metric.BOUNCE_RATE,
        Metric.VISIT_DURATION,
        Metric.VIEWS_PER_VISIT,
        Metric.TIME_ON_PAGE,
        Metric.SCROLL_DEPTH,
    }
)
"""Figures that one visitor alone can take to either end of a list."""
_FEWEST: Final = range(5, 101)

_KINDS: Final = {"country": "country", "region": "region", "language": "language"}


def fewest_visitors(order: Metric, visitors: float) -> int:
    """Return how many visitors a row needs to stand among the first where *order* sorts the list.

    One in a hundred of all *visitors*, within bounds; 0 where it is no rate that sorts.
    """
    if order not in RATES:
        return 0
    return min(max(_FEWEST.start, int(visitors) // 100), _FEWEST.stop - 1)


def name_of(tab: Tab, address: ReportUrl) -> str:
    """The filter's name that the rows of *tab* use; "" when no property is chosen yet."""
    if tab.name != "props":
        return tab.name
    return f"props:{address.prop}" if address.prop else ""


def query(
    address: ReportUrl,
    tab: Tab,
    period: Period,
    metrics: Sequence[Metric],
    *,
    limit: int,
    offset: int = 0,
    search: str = "",
    order: Metric | None = None,
    ascending: bool = False,
    fewest: int = 0,
    total_rows: bool = False,
) -> Query:
    """What to ask for the rows of *tab*."""
    dimension = filters.dimension(name_of(tab, address))
    conditions: tuple[Filter, ...] = filters.compile_filters(address.conditions)
    if tab.key == "event":
        conditions += (Compare(Op.IS_NOT, Dimension.NAME, (PAGEVIEW, ENGAGEMENT)),)
    if tab.key == "props":
        conditions += (Compare(Op.IS_NOT, dimension, (dimension_facts.blank(dimension),)),)
    if search:
        conditions += (_search(tab, dimension, search),)
    return Query(
        site=address.site,
        metrics=tuple(metrics),
        period=period,
        dimensions=(dimension,),
        filters=conditions,
        order_by=(Order(order.value, descending=not ascending), Order(dimension, descending=False))
        if order
        else (),
        fewest_visitors=fewest,
        limit=limit,
        offset=offset,
        total_rows=total_rows,
        bots=address.bots,
    )


def _search(tab: Tab, dimension: str, text: str) -> Filter:
    """The rows whose text has *text* in it; countries and languages go by their names, too."""
    if tab.name == "country" and (codes := display_names.countries_like(text)):
        return Compare(Op.IS, dimension, codes)
    if tab.name == "language" and (codes := display_names.languages_like(text)):
        alike = "|".join(map(re.escape, codes))
        pattern = f"(?i)^({alike})([-_].*)?$"
        return Compare(Op.MATCHES, dimension, (pattern,))
    return Compare(Op.CONTAINS, dimension, (text,), case_sensitive=False)


def rows(
    address: ReportUrl,
    tab: Tab,
    metrics: Sequence[Metric],
    result: Result,
    visitors: float,
    *,
    fewest: int = 0,
) -> list[ListRow]:
    """The answer as the page shows it; *visitors* is the whole that shares are of.

    Rows of less than *fewest* visitors are marked.
    """
    name = name_of(tab, address)
    chosen = {
        value
        for each in address.conditions
        if each.name == name and each.op is Op.IS
        for value in each.values
    }
    longest = (
        max([figure_format.number(row.metrics[0]) or 0 for row in result.rows], default=0) or 1
    )
    made: list[ListRow] = []
    for row in result.rows:
        value = row.dimensions[0]
        amount = figure_format.number(row.metrics[0]) or 0
        part = amount / visitors * 100 if visitors else 0
        filtered = (
            value not in chosen and len(filters.texts(address.conditions)) < filters.MAX_FILTERS
        )
        made.append(
            ListRow(
                text=value,
                kind=_KINDS.get(tab.name, ""),
                url=_filtered(address, name, value) if filtered else address.url(),
                width=round(amount / longest * 100, 2),
                share=f"{part:.0f}%" if part >= 1 else "<1%",
                figures=tuple(
                    figure_format.read(metric, figure)
                    for metric, figure in zip(metrics, row.metrics, strict=True)
                ),
                exact=figure_format.exact(metrics[0], row.metrics[0]),
                chosen=value in chosen,
                few=amount < fewest,
            )
        )
    return made


def _filtered(address: ReportUrl, name: str, value: str) -> str:
    if len(value) > filters.MAX_VALUE_CHARS:
        return address.url()
    return address.with_condition(name, value).url()
