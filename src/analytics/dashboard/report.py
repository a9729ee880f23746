"""The contents of a site's report page, from queries that run at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from analytics.api import imports, named_filters
from analytics.cpu_thread import run_in_cpu_thread
from analytics.dashboard import figure_format, imported_note, list_rows, plot_points, report_period
from analytics.dashboard.context import DashboardContext
from analytics.dashboard.figure_format import FigureChange
from analytics.dashboard.filters import compile_filters
from analytics.dashboard.imported_note import ImportedNote
from analytics.dashboard.list_rows import ListRow
from analytics.dashboard.panels import GOALS, PANELS, Panel, Tab
from analytics.dashboard.plot_points import Point
from analytics.dashboard.report_period import ReportPeriod
from analytics.dashboard.report_url import DEFAULT_PERIOD, PLOTTED, ReportUrl
from analytics.date_range import local
from analytics.query import Dimension, Figure, Imports, Metric, Order, Period, Query, Result
from analytics.site import Site
from analytics.store.sql import time_buckets
from analytics.units import DAY_MS

PANEL_ROWS: Final = 9
LIVE_MS: Final = 5 * 60_000
"""Visitors active within this time are current visitors."""


_COUNTS: Final = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.PAGEVIEWS,
    Metric.EVENTS,
    Metric.CONVERSIONS,
)


class Card(NamedTuple):
    """One headline figure."""

    metric: Metric
    label: str
    value: str
    exact: str
    change: FigureChange | None
    before: str
    url: str
    chosen: bool


class PanelView(NamedTuple):
    """One panel with its open tab."""

    panel: Panel
    tab: Tab
    columns: tuple[Metric, ...]
    rows: Sequence[ListRow]
    more: bool
    """Whether the full list has more rows."""
    without_imports: bool
    """Whether imported figures are in the report, but cannot be in this list."""


class Blank(NamedTuple):
    """The reason why a report is empty."""

    reason: Literal["filters", "never", "running", "over"]
    """`filters`: nothing matches them; `never`: the site has no events at all; `running`: none yet
    in a period that is not over; `over`: none in a period that is."""
    machines: int
    """Events of bots in the period, which the report leaves out."""


class Report(NamedTuple):
    """Everything that the page shows."""

    address: ReportUrl
    compare: bool
    """Whether the previous period is shown."""
    nothing_before: bool
    """Whether a comparison was requested, but the previous period has no visits."""
    span: ReportPeriod
    interval: str
    intervals: tuple[str, ...]
    cards: Sequence[Card]
    points: Sequence[Point]
    boxes: Sequence[PanelView]
    current_visitors: int
    blank: Blank | None
    """The reason why the report is empty; None if it is not."""
    imported: ImportedNote | None
    """What is said of figures imported of these days; None if there are none."""
    visitor_days: bool
    """Whether some visitors are counted once a day, as `Result.visitor_days`."""
    as_of: int | None
    """The moment up to which the figures are complete, if they lag behind; UTC milliseconds."""
    waiting: int
    """Hits of all sites that are received but not counted yet, as far as known."""


async def report(
    deps: DashboardContext, site: Site, address: ReportUrl, *, reader: str = ""
) -> Report:
    """Return the report at *address*, for the person with the email address *reader*.

    If the address has no period, it covers the last 28 days. If those are empty, it covers today
    for a site that is new or has events today, and the last days with events for other sites. The
    period is not changed while hits are waiting to be counted.
    """
    chosen_report = await _report(deps, site, address, address.period or DEFAULT_PERIOD, reader)
    if address.period or address.conditions or chosen_report.blank is None:
        return chosen_report
    start = chosen_report.span.period.start
    first = await imports.first_counted(
        deps.store, site.domain, site.timezone, imports=address.imports
    )
    if first is None or first >= start:
        chosen = address.but(period="day")
    else:
        chosen = await _last_days(deps, site, address, first, chosen_report.span.period)
    return await _report(deps, site, chosen, chosen.period, reader)


async def _report(
    deps: DashboardContext, site: Site, address: ReportUrl, period: str, reader: str
) -> Report:
    now = deps.clock()

    compare = address.compare and period != "all"  # nothing lies before all time
    covered = await report_period.resolve(deps, address, period, site.timezone)
    offered = plot_points.intervals(covered.period)
    interval = (
        address.interval
        if address.interval in offered
        else plot_points.usual_interval(covered.period)
    )

    async def ask(query: Query) -> Result:
        return await deps.store.query(named_filters.resolve(query, site, reader=reader))

    panels = [panel for panel in PANELS.values() if panel.key != GOALS or site.goals]
    tabs = [panel.tab(address.tab_of(panel.key)) for panel in panels]
    totals, before, line, before_line, live, *lists = await asyncio.gather(
        ask(_headline(address, covered.period)),
        ask(_headline(address, covered.before_so_far)) if compare else _nothing(),
        ask(_series(address, interval, covered.period)),
        ask(_series(address, interval, covered.before)) if compare else _nothing(),
        ask(current_visitors(site.domain, now)),
        *(_list(ask, address, tab, covered.period) for tab in tabs),
    )
    # Without figures for the previous period, show neither arrows nor its line.
    unlike = compare and not any(figure_format.number(value) for value in _first(before))
    compare = compare and not unlike
    visitors = figure_format.number(_first(totals)[0]) or 0
    some = visitors or figure_format.number(_first(totals)[2])
    # With `as_of` it may be empty only because hits are still waiting to be counted.
    blank = (
        None
        if some or totals.as_of is not None
        else await _blank(deps, site, address, covered.period, now)
    )

    imported = await imported_note.note(deps, address, covered.period, totals, line)

    def assemble() -> Report:
        current = plot_points.buckets(site.domain, covered.period, interval)
        earlier = plot_points.buckets(site.domain, covered.before, interval) if compare else []
        times = [r.as_of for r in (totals, line, *lists) if r.as_of is not None]
        return Report(
            address=address,
            compare=compare,
            span=covered,
            interval=interval,
            intervals=offered,
            cards=_cards(address, _first(totals), _first(before) if compare else None),
            points=plot_points.points(
                address.metric,
                current,
                plot_points.values_of(line),
                earlier,
                plot_points.values_of(before_line),
                local(now, site.timezone).replace(tzinfo=None),
                running=covered.period.end > now,
            ),
            boxes=[
                _box(address, panel, tab, result, visitors, totals.imports)
                for panel, tab, result in zip(panels, tabs, lists, strict=True)
            ],
            current_visitors=count_of(live),
            nothing_before=unlike,
            blank=blank,
            imported=imported,
            visitor_days=totals.visitor_days,
            as_of=min(times, default=None),
            waiting=max(r.waiting for r in (totals, line, *lists)),
        )

    # In a thread: naming hundreds of buckets twice would hold up the answers to events.
    return await run_in_cpu_thread(assemble)


async def _blank(
    deps: DashboardContext, site: Site, address: ReportUrl, period: Period, now: int
) -> Blank:
    if address.conditions:
        return Blank("filters", 0)
    first = await imports.first_counted(
        deps.store, site.domain, site.timezone, imports=address.imports
    )
    machines = 0
    if not address.bots and first is not None and first < period.end:
        everybody = Query(site=address.site, metrics=(Metric.EVENTS,), period=period, bots=True)
        machines = count_of(await deps.store.query(everybody))
    if period.end <= now:
        return Blank("over", machines)
    return Blank("never" if first is None else "running", machines)


async def _last_days(
    deps: DashboardContext, site: Site, address: ReportUrl, begun: int, empty: Period
) -> ReportUrl:
    """Return *address* for today if it has events, else for the 28 days up to the last that has.

    Its figures have *begun* at that moment; *empty* is a period without events.
    """
    now = deps.clock()
    # Limited to the longest series: one event from a clock that was never set may be decades old.
    since = max(begun, now - (time_buckets.MAX_BUCKETS - 1) * DAY_MS)
    result = await deps.store.query(
        Query(
            site=site.domain,
            metrics=(Metric.EVENTS,),
            period=Period(since, now + 1, site.timezone),
            dimensions=(Dimension.DAY,),
            order_by=(Order(Dimension.DAY),),
            limit=1,
            imports=address.imports,
        )
    )
    if not result.rows:
        return address.but(period="all")
    last = date.fromisoformat(result.rows[0].dimensions[0])
    if last >= local(empty.end, site.timezone).date():
        return address.but(period="day")
    first = max(last - timedelta(days=27), local(since, site.timezone).date())
    return address.but(period="custom", start=first.isoformat(), end=last.isoformat())


async def _nothing() -> Result:
    return Result(rows=())


def _first(result: Result) -> Sequence[Figure]:
    return result.rows[0].metrics if result.rows else (0,) * len(PLOTTED)


def count_of(result: Result) -> int:
    """Return the only figure of *result*, the answer to a query for one count."""
    return int(figure_format.number(_first(result)[0]) or 0)


def _headline(address: ReportUrl, period: Period) -> Query:
    return Query(
        site=address.site,
        metrics=address.counted(PLOTTED),
        period=period,
        filters=compile_filters(address.conditions),
        bots=address.bots,
        imports=address.imports,
    )


def _series(address: ReportUrl, interval: str, period: Period) -> Query:
    return Query(
        site=address.site,
        metrics=(address.metric,),
        period=period,
        dimensions=(plot_points.DIMENSIONS[interval],),
        filters=compile_filters(address.conditions),
        bots=address.bots,
        imports=address.imports,
    )


def current_visitors(site: str, now: int) -> Query:
    """Return the query for current visitors.

    It ends at a whole second, so that requests within the same second share one cached answer.
    """
    end = now - now % 1000 + 1000
    period = Period(end - LIVE_MS, end, "Etc/UTC")
    return Query(site=site, metrics=(Metric.VISITORS,), period=period)


async def _list(
    ask: Callable[[Query], Awaitable[Result]], address: ReportUrl, tab: Tab, period: Period
) -> Result:
    if not list_rows.name_of(tab, address):
        return Result(rows=())
    query = list_rows.query(address, tab, period, tab.shown, limit=PANEL_ROWS + 1)
    return await ask(query)


def _box(
    address: ReportUrl,
    panel: Panel,
    tab: Tab,
    result: Result,
    visitors: float,
    of_totals: Imports | None,
) -> PanelView:
    rows = list_rows.rows(address, tab, tab.shown, result, visitors)
    without = of_totals is Imports.INCLUDED and result.imports is Imports.UNSUPPORTED_QUERY
    return PanelView(panel, tab, tab.shown, rows[:PANEL_ROWS], len(rows) > PANEL_ROWS, without)


def _cards(
    address: ReportUrl, totals: Sequence[Figure], before: Sequence[Figure] | None
) -> list[Card]:
    # A rate of no visits at all is nothing to compare with.
    visited = before is not None and bool(before[PLOTTED.index(Metric.VISITS)])
    return [
        Card(
            metric=metric,
            label=figure_format.LABELS[metric],
            value=figure_format.read(metric, totals[index]),
            exact=figure_format.exact(metric, totals[index]),
            change=figure_format.change(metric, totals[index], before[index])
            if before and (visited or metric in _COUNTS)
            else None,
            before=figure_format.exact(metric, before[index]) if before else "",
            url=address.but(metric=metric).url(),
            chosen=metric is address.metric,
        )
        for index, metric in enumerate(address.counted(PLOTTED))
    ]
