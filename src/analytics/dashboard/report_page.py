"""The pages with a site's figures: the report, and the full list behind each of its panels."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from analytics.api import named_filters
from analytics.catalog import segments
from analytics.dashboard import (
    display_names,
    filters,
    foreign_hosts,
    list_rows,
    report_period,
    streamed_page,
)
from analytics.dashboard import report_url as addresses
from analytics.dashboard.page_request import PageRequest, redirect
from analytics.dashboard.panels import PANELS, Panel, Tab
from analytics.dashboard.report import count_of, report
from analytics.dashboard.report_url import DEFAULT_PERIOD, INTERVALS, PERIODS, ReportUrl
from analytics.errors import Malformed, NotFound
from analytics.parsing import whole_number
from analytics.query import Metric, Op, Query, Result
from analytics.site import Site
from analytics.suggestions import unknown

LIST_ROWS: Final = 100
_MEASURED: Final = frozenset({Metric.TIME_ON_PAGE, Metric.SCROLL_DEPTH})
_MAX_PAGE: Final = 100_000


async def show(ask: PageRequest) -> Response:
    """Show the report; redirect a submitted filter form to the address with that filter."""
    site = ask.site()
    params = ask.request.query_params
    address = addresses.parse(site.domain, params, auth=ask.secret)
    if "f_value" in params:
        return redirect(
            _filtered(address, params.get("f_name", ""), params.get("f_op", ""), params["f_value"])
        )
    reader = "" if ask.person is None else ask.person.email
    return await streamed_page.page(
        ask,
        "report.html",
        _values(ask, site, address, reader),
        site=site,
        segments=segments.seen_by(site, reader),
        periods=PERIODS,
        comparisons=addresses.COMPARISONS,
        panels=PANELS,
        filter_names=filters.LABELS,
        operators=filters.OPERATORS,
        intervals=INTERVALS,
    )


async def _values(
    ask: PageRequest, site: Site, address: ReportUrl, reader: str
) -> dict[str, object]:
    figures = await report(ask.deps, site, address, reader=reader)
    owner = ask.person is not None and ask.person.owner
    foreign = await foreign_hosts.foreign_hosts(ask.deps, site) if owner else ()
    return {"report": figures, "address": figures.address, "foreign": foreign}


def _filtered(address: ReportUrl, name: str, op: str, value: str) -> str:
    if op not in set(filters.OPERATORS):
        raise Malformed("f_op", unknown("operator", op, filters.OPERATORS))
    if not value.strip():
        return address.url()
    value = value.strip()
    if name == "country" and op in (Op.IS, Op.IS_NOT):
        value = display_names.country_code(value)
    return address.with_condition(name, value, Op(op)).url()


async def full_list(ask: PageRequest) -> Response:
    """Show all rows of one tab, `LIST_ROWS` to a page."""
    site = ask.site()
    params = ask.request.query_params
    address = addresses.parse(site.domain, params, auth=ask.secret)
    panel, tab = _tab(ask.request.path_params["tab"])
    tab = tab._replace(metrics=address.counted(tab.metrics))
    if not list_rows.name_of(tab, address):
        raise Malformed("prop", "name the property whose values you want to see")
    search = params.get("search", "")[: filters.MAX_VALUE_CHARS]
    number = whole_number(params.get("page", "1"), "page", least=1, most=_MAX_PAGE)
    order = _order(tab, params.get("sort", tab.metrics[0].value))
    ascending = params.get("dir") == "asc"
    covered = await report_period.resolve(
        ask.deps, address, address.period or DEFAULT_PERIOD, site.timezone
    )

    reader = "" if ask.person is None else ask.person.email

    async def answer(query: Query) -> Result:
        return await ask.deps.store.query(named_filters.resolve(query, site, reader=reader))

    def of_page(number: int) -> Query:
        return list_rows.query(
            address,
            tab,
            covered.period,
            tab.metrics,
            limit=LIST_ROWS,
            offset=(number - 1) * LIST_ROWS,
            search=search,
            order=order,
            ascending=ascending,
            fewest=fewest,
            total_rows=True,
        )

    totals = await answer(
        Query(
            site=site.domain,
            metrics=(Metric.VISITORS,),
            period=covered.period,
            filters=filters.compile_filters(address.conditions),
            bots=address.bots,
            imports=address.imports,
        )
    )
    visitors = count_of(totals)
    fewest = list_rows.fewest_visitors(order, visitors)
    result = await answer(of_page(number))
    total = result.total_rows if result.total_rows is not None else len(result.rows)
    pages = max(1, -(-total // LIST_ROWS))
    if number > pages:  # rows have been deleted, or the address was typed
        number = pages
        result = await answer(of_page(number))
    rows = list_rows.rows(address, tab, tab.metrics, result, visitors, fewest=fewest)
    return await ask.long_page(
        "list.html",
        site=site,
        address=address,
        span=covered,
        panel=panel,
        tab=tab,
        rows=rows,
        fewest=fewest,
        unmeasured=_has_unmeasured(tab, result),
        search=search,
        sort=order,
        number=number,
        pages=pages,
        ascending=ascending,
        total=total,
    )


def _tab(key: str) -> tuple[Panel, Tab]:
    for panel in PANELS.values():
        for tab in panel.tabs:
            if tab.key == key:
                return panel, tab
    raise NotFound("There is no list of this name.")


def _has_unmeasured(tab: Tab, result: Result) -> bool:
    """Return True if a row lacks a figure that only the tracker measures."""
    measured = [i for i, metric in enumerate(tab.metrics) if metric in _MEASURED]
    return any(row.metrics[i] is None for row in result.rows for i in measured)


def _order(tab: Tab, text: str) -> Metric:
    for metric in tab.metrics:
        if metric.value == text:
            return metric
    raise Malformed("sort", f"{text[:40]!r} is not one of {', '.join(tab.metrics)}")
