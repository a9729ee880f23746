"""The daily sums that stand for what another product has counted, and which kinds there are.

One sum says what was counted on one day under one combination of values. Each kind has the values
of some dimensions, and sums of two kinds have no values in common: who came from which source is
known, and who read which page, but not who came from there and read that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

import msgspec

from analytics.query import PROPERTY_PREFIX, Dimension


class SumKind(StrEnum):
    """The kinds of sums, by what they are split by."""

    VISITORS = "visitors"
    SOURCES = "sources"
    PAGES = "pages"
    ENTRY_PAGES = "entry_pages"
    EXIT_PAGES = "exit_pages"
    CUSTOM_EVENTS = "custom_events"
    LOCATIONS = "locations"
    DEVICES = "devices"
    BROWSERS = "browsers"
    OPERATING_SYSTEMS = "operating_systems"


DIMENSIONS: Final[Mapping[SumKind, frozenset[str]]] = {
    SumKind.VISITORS: frozenset(),
    SumKind.SOURCES: frozenset(
        {
            Dimension.SOURCE,
            Dimension.CHANNEL,
            Dimension.REFERRER,
            Dimension.UTM_SOURCE,
            Dimension.UTM_MEDIUM,
            Dimension.UTM_CAMPAIGN,
            Dimension.UTM_CONTENT,
            Dimension.UTM_TERM,
        }
    ),
    SumKind.PAGES: frozenset({Dimension.PAGE, Dimension.HOSTNAME}),
    SumKind.ENTRY_PAGES: frozenset({Dimension.ENTRY_PAGE}),
    SumKind.EXIT_PAGES: frozenset({Dimension.EXIT_PAGE}),
    SumKind.CUSTOM_EVENTS: frozenset(
        {Dimension.NAME, f"{PROPERTY_PREFIX}url", f"{PROPERTY_PREFIX}path"}
    ),
    SumKind.LOCATIONS: frozenset(
        {
            Dimension.COUNTRY,
            Dimension.REGION,
            Dimension.CITY,
            Dimension.COUNTRY_NAME,
            Dimension.REGION_NAME,
            Dimension.CITY_NAME,
        }
    ),
    SumKind.DEVICES: frozenset({Dimension.DEVICE}),
    SumKind.BROWSERS: frozenset({Dimension.BROWSER, Dimension.BROWSER_VERSION}),
    SumKind.OPERATING_SYSTEMS: frozenset({Dimension.OS, Dimension.OS_VERSION}),
}
"""The dimensions by which the sums of each kind can be split and filtered."""


class DailySum(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was counted on one day under one combination of values.

    The names of values are those of the columns of `rows` that hold the same.
    """

    kind: SumKind
    day: int
    """Of the site's time zone, in days since 1970."""
    name: str = ""
    path: str = ""
    hostname: str = ""
    entry_path: str = ""
    exit_path: str = ""
    entry_source: str = ""
    entry_channel: str = ""
    entry_referrer: str = ""
    entry_utm_source: str = ""
    entry_utm_medium: str = ""
    entry_utm_campaign: str = ""
    entry_utm_content: str = ""
    entry_utm_term: str = ""
    entry_country: str = ""
    entry_region: str = ""
    entry_city: str = ""
    entry_device: str = ""
    entry_browser: str = ""
    entry_browser_version: str = ""
    entry_os: str = ""
    entry_os_version: str = ""
    props: Mapping[str, str] = {}
    visitors: int = 0
    visits: int = 0
    """Those that began or, of exit pages, ended there; of pages, those with a pageview there."""
    pageviews: int = 0
    events: int = 0
    bounces: int = 0
    seconds: int = 0
    """The duration of all visits together."""
    scroll_sum: int = 0
    """The sum of each visit's greatest depth on the page, in percent."""
    scroll_visits: int = 0
    engaged_s: int = 0
    """The time that visits spent on the page, of those whose time was measured."""
    engaged_visits: int = 0


Ignore = Callable[[str, Sequence[str]], None]
"""Is told of columns of a file that are not known and so passed over."""


class Reader(Protocol):
    """Reads the exports of a product."""

    def __call__(self, path: Path, today: int, *, ignore: Ignore) -> Iterator[DailySum]:
        """Yield the sums in the export at *path*, given the day today.

        Raise `Malformed`, naming the file in the export and the line, for what it cannot read.
        """
