"""The query for one list of a report, and its rows as the page shows them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from analytics import dimension_facts
from analytics.dashboard import display_names, figure_format, filters
from analytics.dashboard.panels import Tab
from analytics.dashboard.report_url import ReportUrl
from analytics.query import Compare, Filter, Metric, Op, Order, Period, Query, Result


class ListRow(NamedTuple):
    """One value of a dimension with its figures."""

    text: str
    kind: str
    """As `Tab.kind`: browsers translate these codes into the reader's language."""
    url: str
    """The report filtered by this value."""
    width: float
    """The length of the bar, in percent of the longest."""
    share: str
    """The row's part of all visitors, such as `12%`; "" for a machine."""
    figures: tuple[str, ...]
    """One figure for each column."""
    exact: str
    """The first figure, unrounded."""
    chosen: bool
    """Whether the report is already filtered by this value."""
    few: bool
    """Whether it has so few visitors that it is sorted last."""


RATES: Final = frozenset(
    {
        Metric.BOUNCE_RATE,
        Metric.VISIT_DURATION,
        Metric.VIEWS_PER_VISIT,
        Metric.TIME_ON_PAGE,
        Metric.SCROLL_DEPTH,
        Metric.CONVERSION_RATE,
    }
)
"""Metrics by which a single visitor could put a row first or last."""
_FEWEST: Final = range(5, 101)


def fewest_visitors(order: Metric, visitors: float) -> int:
    """Return how many visitors a row needs so as not to be sorted last when *order* sorts the list.

    That is one in a hundred of all *visitors*, but 5 to 100; 0 unless *order* is one of `RATES`.
    """
    if order not in RATES:
        return 0
    return min(max(_FEWEST.start, int(visitors) // 100), _FEWEST.stop - 1)


def name_of(tab: Tab, address: ReportUrl) -> str:
    """Return the dimension of *tab* by its name in filters; "" while no property is chosen."""
    if not tab.by_property:
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
    """Return the query for the rows of *tab*."""
    dimension = filters.dimension(name_of(tab, address))
    conditions: tuple[Filter, ...] = filters.compile_filters(address.conditions)
    if tab.excluded:
        conditions += (Compare(Op.IS_NOT, dimension, tab.excluded),)
    if tab.by_property:
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
        bots=address.bots or tab.of_machines,
        imports=address.imports,
    )


def _search(tab: Tab, dimension: str, text: str) -> Filter:
    """Return the filter for values that contain *text*, or whose English name does."""
    if tab.kind == "country" and (codes := display_names.countries_like(text)):
        return Compare(Op.IS, dimension, codes)
    if tab.kind == "language" and (codes := display_names.languages_like(text)):
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
    """Return the rows of *result* as the page shows them.

    *visitors* is the total of which shares are a part. Rows of less than *fewest* visitors are
    marked as `few`.
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
    shown: list[ListRow] = []
    for row in result.rows:
        value = row.dimensions[0]
        amount = figure_format.number(row.metrics[0]) or 0
        part = amount / visitors * 100 if visitors else 0
        filtered = (
            value not in chosen and len(filters.texts(address.conditions)) < filters.MAX_FILTERS
        )
        shown.append(
            ListRow(
                text=value,
                kind=tab.kind,
                url=_filtered(address, name, value) if filtered else address.url(),
                width=round(amount / longest * 100, 2),
                share=_share(part, tab),
                figures=tuple(
                    figure_format.read(metric, figure)
                    for metric, figure in zip(metrics, row.metrics, strict=True)
                ),
                exact=figure_format.exact(metrics[0], row.metrics[0]),
                chosen=value in chosen,
                few=amount < fewest,
            )
        )
    return shown


def _share(part: float, tab: Tab) -> str:
    if tab.of_machines:
        return ""  # what it would be of are people
    return f"{part:.0f}%" if part >= 1 else "<1%"


def _filtered(address: ReportUrl, name: str, value: str) -> str:
    if len(value) > filters.MAX_VALUE_CHARS:
        return address.url()
    return address.with_condition(name, value).url()
