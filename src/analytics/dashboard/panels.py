"""The panels of a report page and their tabs, each a list of figures by one dimension."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from analytics.dimension_facts import PEOPLE
from analytics.event import ENGAGEMENT, PAGEVIEW
from analytics.query import Metric

_VISIT_METRICS: Final = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.BOUNCE_RATE,
    Metric.VISIT_DURATION,
)
_EVENT_METRICS: Final = (Metric.VISITORS, Metric.EVENTS)
_GOAL_METRICS: Final = (Metric.VISITORS, Metric.CONVERSIONS, Metric.CONVERSION_RATE)
GOALS: Final = "goals"
"""The key of the panel that only sites with goals have."""
_MACHINE_METRICS: Final = (Metric.PAGEVIEWS, Metric.VISITORS)


class Tab(NamedTuple):
    """One list of a panel."""

    key: str
    """The tab's name in addresses."""
    title: str
    name: str
    """The dimension that the list groups by, under its name in filters; "" with `by_property`."""
    column: str
    """The heading above the values."""
    metrics: tuple[Metric, ...] = _VISIT_METRICS
    """The columns of the full list."""
    shown: tuple[Metric, ...] = (Metric.VISITORS,)
    """The columns that the panel itself shows."""
    kind: Literal["", "country", "region", "language"] = ""
    """The kind of code that the values are and that people know by a name."""
    excluded: tuple[str, ...] = ()
    """Values that the list leaves out."""
    by_property: bool = False
    """Whether the list groups by a custom property that the reader names."""
    of_machines: bool = False
    """Whether it lists machines, whoever else counts in the report."""
    empty: str = ""
    """What it says without rows, if not what its panel says."""


def _of_machines(key: str, title: str, name: str, column: str) -> Tab:
    return Tab(
        key,
        title,
        name,
        column,
        _MACHINE_METRICS,
        (Metric.PAGEVIEWS,),
        excluded=(PEOPLE,),
        of_machines=True,
        empty="No machine read a page.",
    )


class Panel(NamedTuple):
    """A box with tabs."""

    key: str
    title: str
    tabs: tuple[Tab, ...]
    empty: str
    """The text in place of an empty list."""
    full_width: bool = False
    """Whether the box spans both columns of panels."""

    def tab(self, key: str) -> Tab:
        """Return the tab of that key, which must exist."""
        return next(tab for tab in self.tabs if tab.key == key)


_PAGE_METRICS: Final = (
    Metric.VISITORS,
    Metric.PAGEVIEWS,
    Metric.BOUNCE_RATE,
    Metric.TIME_ON_PAGE,
    Metric.SCROLL_DEPTH,
)

_ALL: Final = (
    Panel(
        "sources",
        "Sources",
        (
            Tab("source", "Sources", "source", "Source"),
            Tab("channel", "Channels", "channel", "Channel"),
            Tab("referrer", "Referrers", "referrer", "Referrer"),
            Tab("campaign", "Campaigns", "utm_campaign", "Campaign"),
            Tab("utm_source", "UTM source", "utm_source", "UTM source"),
            Tab("utm_medium", "UTM medium", "utm_medium", "UTM medium"),
            Tab("utm_content", "UTM content", "utm_content", "UTM content"),
            Tab("utm_term", "UTM term", "utm_term", "UTM term"),
        ),
        "No visits yet.",
    ),
    Panel(
        "pages",
        "Pages",
        (
            Tab("top", "Top pages", "page", "Page", _PAGE_METRICS),
            Tab("entry", "Entry pages", "entry_page", "Entry page"),
            Tab("exit", "Exit pages", "exit_page", "Exit page"),
            Tab("title", "Titles", "title", "Title", (Metric.VISITORS, Metric.PAGEVIEWS)),
            Tab("host", "Hostnames", "hostname", "Hostname", (Metric.VISITORS, Metric.PAGEVIEWS)),
        ),
        "No pages were viewed.",
    ),
    Panel(
        "locations",
        "Locations",
        (
            Tab("country", "Countries", "country", "Country", kind="country"),
            Tab("region", "Regions", "region", "Region", kind="region"),
            Tab("city", "Cities", "city", "City"),
            Tab("language", "Languages", "language", "Language", kind="language"),
        ),
        "No visitors with a known location.",
    ),
    Panel(
        "devices",
        "Devices",
        (
            Tab("device", "Devices", "device", "Device"),
            Tab("browser", "Browsers", "browser", "Browser"),
            Tab("os", "Systems", "os", "Operating system"),
            _of_machines("machine", "Machines", "bot_name", "Machine"),
            _of_machines("operator", "Operators", "bot_operator", "Operator"),
            _of_machines("purpose", "Purposes", "bot_purpose", "Purpose"),
            Tab("browser_version", "Versions", "browser_version", "Browser version"),
            Tab("os_version", "System versions", "os_version", "System version"),
            Tab("screen", "Screens", "screen", "Screen"),
        ),
        "No devices were seen.",
    ),
    Panel(
        "events",
        "Events",
        (
            Tab(
                "event",
                "Events",
                "event",
                "Event",
                _EVENT_METRICS,
                _EVENT_METRICS,
                excluded=(PAGEVIEW, ENGAGEMENT),
            ),
            Tab(
                "props",
                "Properties",
                "",
                "Value",
                _EVENT_METRICS,
                _EVENT_METRICS,
                by_property=True,
            ),
        ),
        "No custom events. Send one with analytics('signup').",
        full_width=True,
    ),
    Panel(
        GOALS,
        "Goals",
        (Tab("goal", "Goals", "goal", "Goal", _GOAL_METRICS, _GOAL_METRICS),),
        "No goal was reached.",
        full_width=True,
    ),
)

PANELS: Final[dict[str, Panel]] = {panel.key: panel for panel in _ALL}
