"""The lists of a report page: which panels there are, and what each of their tabs splits by."""

from __future__ import annotations

from typing import Final, NamedTuple

from analytics.query import Metric

_VISIT_METRICS: Final = (
    Metric.VISITORS,
    Metric.VISITS,
    Metric.BOUNCE_RATE,
    Metric.VISIT_DURATION,
)
_EVENT_METRICS: Final = (Metric.VISITORS, Metric.EVENTS)


class Tab(NamedTuple):
    """One list: *name* is the filter's name of the dimension that it splits by."""

    key: str
    title: str
    name: str
    column: str
    metrics: tuple[Metric, ...] = _VISIT_METRICS
    """The columns of the full list; the panel shows the first."""
    shown: tuple[Metric, ...] = (Metric.VISITORS,)


class Panel(NamedTuple):
    """A box with tabs."""

    key: str
    title: str
    tabs: tuple[Tab, ...]
    empty: str

    def tab(self, key: str) -> Tab:
        """The tab of that key, which exists."""
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
        "No visits came from anywhere yet.",
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
            Tab("country", "Countries", "country", "Country"),
            Tab("region", "Regions", "region", "Region"),
            Tab("city", "Cities", "city", "City"),
            Tab("language", "Languages", "language", "Language"),
        ),
        "No visitors with a known place.",
    ),
    Panel(
        "devices",
        "Devices",
        (
            Tab("device", "Devices", "device", "Device"),
            Tab("browser", "Browsers", "browser", "Browser"),
            Tab("browser_version", "Versions", "browser_version", "Browser version"),
            Tab("os", "Systems", "os", "Operating system"),
            Tab("os_version", "System versions", "os_version", "System version"),
            Tab("screen", "Screens", "screen", "Screen"),
        ),
        "No devices were seen.",
    ),
    Panel(
        "events",
        "Events",
        (
            Tab("event", "Events", "event", "Event", _EVENT_METRICS, _EVENT_METRICS),
            Tab("props", "Properties", "props", "Value", _EVENT_METRICS, _EVENT_METRICS),
        ),
        "No custom events. Send one with analytics('signup').",
    ),
)

PANELS: Final[dict[str, Panel]] = {panel.key: panel for panel in _ALL}
