"""The facts about each dimension, one row each: its names, whose value it is, and its column."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from analytics.query import PROPERTY_PREFIX, Dimension

NOT_SET: Final = "(not set)"
NONE: Final = "(none)"
DIRECT: Final = "Direct / None"
PEOPLE: Final = "People"


class Level(Enum):
    """Whose value a dimension is."""

    EVENT = auto()
    """Of the event: it may differ between the events of one visit."""
    PAGE = auto()
    """Of the event, but visits can be split by it too: by where they entered."""
    VISIT = auto()
    """Of the visit: every row of the visit carries it."""
    EXIT = auto()
    """Of the visit, but only its last pageview has it."""
    GOAL = auto()
    """Of the event, which may have several: a name for which the site has a filter."""


class DimensionFacts(NamedTuple):
    """One row of the table."""

    name: str
    """Its name in the address of a report."""
    label: str
    """Its name for people."""
    level: Level
    column: str
    """The column of `rows` that holds it: for `EXIT`, of the visit's last pageview. What is said of
    machines is derived from theirs (`store/sql/machine_columns.py`)."""
    cells: bool = False
    """Whether its figures are kept by day in cells (`store/sql/cells.py`)."""
    blank: str = NOT_SET
    """How an empty value reads in an answer."""


_E, _P, _V, _X = Level.EVENT, Level.PAGE, Level.VISIT, Level.EXIT

DIMENSIONS: Final[Mapping[str, DimensionFacts]] = {
    Dimension.PAGE: DimensionFacts("page", "Page", _P, "path", cells=True),
    Dimension.ENTRY_PAGE: DimensionFacts("entry_page", "Entry page", _V, "entry_path", cells=True),
    Dimension.EXIT_PAGE: DimensionFacts("exit_page", "Exit page", _X, "path"),
    Dimension.HOSTNAME: DimensionFacts("hostname", "Hostname", _P, "hostname", cells=True),
    Dimension.TITLE: DimensionFacts("title", "Title", _E, "title"),
    Dimension.SOURCE: DimensionFacts(
        "source", "Source", _V, "entry_source", cells=True, blank=DIRECT
    ),
    Dimension.CHANNEL: DimensionFacts("channel", "Channel", _V, "entry_channel", cells=True),
    Dimension.REFERRER: DimensionFacts(
        "referrer", "Referrer", _V, "entry_referrer", cells=True, blank=DIRECT
    ),
    Dimension.UTM_SOURCE: DimensionFacts(
        "utm_source", "UTM source", _V, "entry_utm_source", cells=True
    ),
    Dimension.UTM_MEDIUM: DimensionFacts(
        "utm_medium", "UTM medium", _V, "entry_utm_medium", cells=True
    ),
    Dimension.UTM_CAMPAIGN: DimensionFacts(
        "utm_campaign", "UTM campaign", _V, "entry_utm_campaign", cells=True
    ),
    Dimension.UTM_CONTENT: DimensionFacts(
        "utm_content", "UTM content", _V, "entry_utm_content", cells=True
    ),
    Dimension.UTM_TERM: DimensionFacts("utm_term", "UTM term", _V, "entry_utm_term", cells=True),
    Dimension.COUNTRY: DimensionFacts("country", "Country", _V, "entry_country", cells=True),
    Dimension.REGION: DimensionFacts("region", "Region", _V, "entry_region", cells=True),
    Dimension.CITY: DimensionFacts("city", "City", _V, "entry_city", cells=True),
    Dimension.COUNTRY_NAME: DimensionFacts("country_name", "Country's name", _V, "entry_country"),
    Dimension.REGION_NAME: DimensionFacts("region_name", "Region's name", _V, "entry_region"),
    Dimension.CITY_NAME: DimensionFacts("city_name", "City's name", _V, "entry_city"),
    Dimension.DEVICE: DimensionFacts("device", "Device", _V, "entry_device", cells=True),
    Dimension.BROWSER: DimensionFacts("browser", "Browser", _V, "entry_browser", cells=True),
    Dimension.BROWSER_VERSION: DimensionFacts(
        "browser_version", "Browser version", _V, "entry_browser_version"
    ),
    Dimension.OS: DimensionFacts("os", "Operating system", _V, "entry_os", cells=True),
    Dimension.OS_VERSION: DimensionFacts("os_version", "System version", _V, "entry_os_version"),
    Dimension.SCREEN: DimensionFacts("screen", "Screen", _V, "entry_screen", cells=True),
    Dimension.LANGUAGE: DimensionFacts("language", "Language", _V, "entry_language", cells=True),
    Dimension.BOT_NAME: DimensionFacts("bot_name", "Machine", _V, "entry_browser", blank=PEOPLE),
    Dimension.BOT_OPERATOR: DimensionFacts(
        "bot_operator", "Machine's operator", _V, "entry_browser", blank=PEOPLE
    ),
    Dimension.BOT_PURPOSE: DimensionFacts(
        "bot_purpose", "Machine's purpose", _V, "entry_browser", blank=PEOPLE
    ),
    Dimension.NAME: DimensionFacts("event", "Event", _E, "name"),
    Dimension.CURRENCY: DimensionFacts("currency", "Currency", _E, "currency"),
    Dimension.GOAL: DimensionFacts("goal", "Goal", Level.GOAL, ""),
    Dimension.ENTRY_HOSTNAME: DimensionFacts(
        "entry_page_hostname", "Entry hostname", _V, "entry_hostname"
    ),
    Dimension.EXIT_HOSTNAME: DimensionFacts("exit_page_hostname", "Exit hostname", _X, "hostname"),
}
"""All but times and properties; the filters of a report are offered in this order."""


def columns(*levels: Level) -> dict[str, str]:
    """Return the column of each dimension at one of *levels*."""
    return {each: facts.column for each, facts in DIMENSIONS.items() if facts.level in levels}


def property_key(dimension: str) -> str | None:
    """Return the custom property that *dimension* names, or None if it names none."""
    return dimension.removeprefix(PROPERTY_PREFIX) if is_property(dimension) else None


def is_property(dimension: str) -> bool:
    """Return whether *dimension* is a custom property, `event:props:<key>`."""
    return dimension.startswith(PROPERTY_PREFIX) and len(dimension) > len(PROPERTY_PREFIX)


def blank(dimension: str) -> str:
    """Return how an empty value of *dimension* reads in an answer."""
    return NONE if is_property(dimension) else DIMENSIONS[dimension].blank
