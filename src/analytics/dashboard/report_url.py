"""The address of a report page: everything that its reader has chosen, as a query string."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from starlette.datastructures import QueryParams

from analytics import parsing
from analytics.dashboard import filters
from analytics.dashboard.filters import Condition
from analytics.dashboard.panels import PANELS
from analytics.errors import Malformed
from analytics.query import Metric, Op

PERIODS: Final[dict[str, str]] = {
    "day": "Today",
    "yesterday": "Yesterday",
    "7d": "Last 7 days",
    "28d": "Last 28 days",
    "30d": "Last 30 days",
    "91d": "Last 91 days",
    "month": "Month to date",
    "last_month": "Last month",
    "year": "Year to date",
    "12mo": "Last 12 months",
    "all": "All time",
}
COMPARISONS: Final[dict[str, str]] = {
    "": "the period before",
    "year": "the same dates a year before",
    "custom": "these dates:",
}
_LONGEST_PROPERTY: Final = 300
DEFAULT_PERIOD: Final = "28d"
INTERVALS: Final = ("hour", "day", "week", "month")
PLOTTED: Final = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.PAGEVIEWS,
    Metric.VIEWS_PER_VISIT,
    Metric.BOUNCE_RATE,
    Metric.VISIT_DURATION,
)


OF_GOALS: Final = {
    Metric.PAGEVIEWS: Metric.CONVERSIONS,
    Metric.VIEWS_PER_VISIT: Metric.CONVERSION_RATE,
}
"""What stands in the place of a metric while goals are chosen."""


class ReportUrl(msgspec.Struct, frozen=True, kw_only=True):
    """The address of a report page: its site and everything that its reader has chosen."""

    site: str
    auth: str = ""
    """The secret of the shared link by which the report is open; "" for who needs none."""
    period: str = ""
    """A key of `PERIODS`, `custom`, or "" to let the page choose one."""
    start: str = ""
    end: str = ""
    """ISO dates, both included; only with a `custom` period."""
    compare: bool = True
    against: str = ""
    """A key of `COMPARISONS`: what the period is compared with, if it is."""
    compare_start: str = ""
    compare_end: str = ""
    """ISO dates, both included; only where the period is compared with a `custom` one."""
    same_weekday: bool = False
    """Whether the other period begins with the same day of the week."""
    metric: Metric = Metric.VISITORS
    interval: str = ""
    conditions: tuple[Condition, ...] = ()
    bots: bool = False
    imports: bool = True
    """Whether figures imported from other products count too."""
    tabs: Mapping[str, str] = {}
    """The open tab of each panel, unless it is the first."""
    prop: str = ""
    """The custom property whose values the events panel lists."""

    @property
    def about_machines(self) -> bool:
        """Return whether the filters tell machines apart, so that these count in any case."""
        return filters.is_about_machines(self.conditions)

    def counted(self, metrics: Iterable[Metric]) -> tuple[Metric, ...]:
        """Return *metrics*, with events in place of page views if the filters choose events.

        If they choose goals, conversions and their rate stand in the places of page views. A filter
        on the name or a property of events may exclude all page views, and their count
        would then be 0 whatever was chosen.
        """
        if filters.is_about_goals(self.conditions):
            return tuple(OF_GOALS.get(metric, metric) for metric in metrics)
        if not filters.is_about_events(self.conditions):
            return tuple(metrics)
        return tuple(Metric.EVENTS if m is Metric.PAGEVIEWS else m for m in metrics)

    def fields(self) -> list[tuple[str, str]]:
        """Return the pairs of the query string, without those that have their default value."""
        pairs: list[tuple[str, str]] = [("auth", self.auth)] if self.auth else []
        if self.period:
            pairs.append(("period", self.period))
        if self.period == "custom":
            pairs += [("from", self.start), ("to", self.end)]
        if not self.compare:
            pairs.append(("compare", "off"))
        elif self.against:
            pairs.append(("compare", self.against))
            if self.against == "custom":
                pairs += [("cfrom", self.compare_start), ("cto", self.compare_end)]
        if self.same_weekday:
            pairs.append(("match", "1"))
        if self.metric is not Metric.VISITORS:
            pairs.append(("metric", self.metric.value))
        if self.interval:
            pairs.append(("interval", self.interval))
        pairs += [("f", text) for text in filters.texts(self.conditions)]
        if self.bots:
            pairs.append(("bots", "1"))
        if not self.imports:
            pairs.append(("imports", "off"))
        pairs += [(panel, tab) for panel, tab in self.tabs.items()]
        if self.prop:
            pairs.append(("prop", self.prop))
        return pairs

    def url(self, below: str = "", **more: str | int) -> str:
        """Return the path and query string of the page, or of the page *below* it."""
        pairs = [*self.fields(), *((key, str(value)) for key, value in more.items())]
        path = self.path + (f"/{below}" if below else "")
        return f"{path}?{urlencode(pairs)}" if pairs else path

    @property
    def path(self) -> str:
        """Return the path of the page."""
        return ("/share/" if self.auth else "/") + quote(self.site, safe="")

    def but(self, **changes: object) -> ReportUrl:
        """Return the address with *changes*."""
        return msgspec.structs.replace(self, **changes)

    def with_tab(self, panel: str, tab: str) -> ReportUrl:
        """Return the address with *tab* of *panel* open."""
        usual = PANELS[panel].tabs[0].key
        tabs = {**self.tabs, panel: tab}
        return self.but(
            tabs={key: value for key, value in tabs.items() if (key, value) != (panel, usual)}
        )

    def with_condition(self, name: str, value: str, op: Op = Op.IS) -> ReportUrl:
        """Return the address with one more condition. Raise `Malformed`."""
        added = filters.parse([*filters.texts(self.conditions), filters.text(op, name, value)])
        return self.but(conditions=added, bots=self.bots or filters.is_about_machines(added))

    def without(self, condition: Condition) -> ReportUrl:
        """Return the address without *condition*."""
        return self.but(conditions=tuple(each for each in self.conditions if each != condition))

    def tab_of(self, panel: str) -> str:
        """Return the key of the open tab of *panel*."""
        return self.tabs.get(panel, PANELS[panel].tabs[0].key)


def parse(site: str, query: QueryParams, *, auth: str = "") -> ReportUrl:
    """Return the address that *query* describes, open by the shared link with the secret *auth*.

    Raise `Malformed`, naming a wrong parameter.
    """
    period = query.get("period", "")
    start, end = query.get("from", ""), query.get("to", "")
    if period == "custom" or (start and end and not period):
        period = "custom"
        start, end = _in_order(start, end)
    elif period and period not in PERIODS:
        raise Malformed("period", f"{period[:40]!r} is not one of {', '.join(PERIODS)}, custom")
    interval = query.get("interval", "")
    if interval and interval not in INTERVALS:
        raise Malformed("interval", f"{interval[:40]!r} is not one of {', '.join(INTERVALS)}")
    against = query.get("compare", "")
    against = against if against in COMPARISONS else ""
    compare_start, compare_end = query.get("cfrom", ""), query.get("cto", "")
    if against == "custom":
        compare_start, compare_end = _in_order(compare_start, compare_end, "cfrom", "cto")
    conditions = filters.parse(query.getlist("f"))
    address = ReportUrl(
        site=site,
        auth=auth,
        period=period,
        start=start if period == "custom" else "",
        end=end if period == "custom" else "",
        compare=query.get("compare") != "off",
        against=against,
        compare_start=compare_start if against == "custom" else "",
        compare_end=compare_end if against == "custom" else "",
        same_weekday=query.get("match") == "1",
        metric=_metric(query.get("metric", Metric.VISITORS.value)),
        interval=interval,
        conditions=conditions,
        bots=query.get("bots") == "1" or filters.is_about_machines(conditions),
        imports=query.get("imports") != "off",
        tabs=_tabs(query),
        prop=query.get("prop", "")[:_LONGEST_PROPERTY],
    )
    (metric,) = address.counted([address.metric])
    return address.but(metric=metric)


def _metric(text: str) -> Metric:
    if text == Metric.EVENTS:
        return Metric.PAGEVIEWS  # which events replace only under a filter that chooses events
    for metric, of_goals in OF_GOALS.items():
        if text == of_goals:
            return metric
    for metric in PLOTTED:
        if metric.value == text:
            return metric
    raise Malformed("metric", f"{text[:40]!r} is not one of {', '.join(PLOTTED)}")


def _tabs(query: QueryParams) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for key, panel in PANELS.items():
        tab = query.get(key)
        if tab is None or tab == panel.tabs[0].key:
            continue
        if tab not in {each.key for each in panel.tabs}:
            raise Malformed(key, f"there is no tab {tab[:40]!r}")
        chosen[key] = tab
    return chosen


def _in_order(start: str, end: str, first: str = "from", last: str = "to") -> tuple[str, str]:
    """Return both dates, the earlier first: in the other order they mean the same days."""
    is_reversed = parsing.day(start, first) > parsing.day(end, last)
    return (end, start) if is_reversed else (start, end)
