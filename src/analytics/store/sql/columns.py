"""Where each dimension lies in the rows, and how its blanks are called."""

from __future__ import annotations

from typing import Final

from analytics.errors import Malformed
from analytics.query import PROPERTY_PREFIX, TIME_DIMENSIONS, Dimension

NOT_SET: Final = "(not set)"
NONE: Final = "(none)"
DIRECT: Final = "Direct / None"

TOTAL: Final = "total"
"""Where figures are kept by dimension: the site as a whole."""

# Each visit dimension is a column that every row of the visit carries.
VISIT_COLUMNS: Final[dict[str, str]] = {
    Dimension.ENTRY_PAGE: "entry_path",
    Dimension.ENTRY_HOSTNAME: "entry_hostname",
    Dimension.SOURCE: "entry_source",
    Dimension.REFERRER: "entry_referrer",
    Dimension.CHANNEL: "entry_channel",
    Dimension.UTM_SOURCE: "entry_utm_source",
    Dimension.UTM_MEDIUM: "entry_utm_medium",
    Dimension.UTM_CAMPAIGN: "entry_utm_campaign",
    Dimension.UTM_CONTENT: "entry_utm_content",
    Dimension.UTM_TERM: "entry_utm_term",
    Dimension.COUNTRY: "entry_country",
    Dimension.REGION: "entry_region",
    Dimension.CITY: "entry_city",
    Dimension.DEVICE: "entry_device",
    Dimension.BROWSER: "entry_browser",
    Dimension.BROWSER_VERSION: "entry_browser_version",
    Dimension.OS: "entry_os",
    Dimension.OS_VERSION: "entry_os_version",
    Dimension.LANGUAGE: "entry_language",
    Dimension.SCREEN: "entry_screen",
}
EVENT_COLUMNS: Final[dict[str, str]] = {
    Dimension.PAGE: "path",
    Dimension.HOSTNAME: "hostname",
    Dimension.NAME: "name",
    Dimension.TITLE: "title",
}
# Dimensions of the visit that only its last pageview knows.
EXIT_COLUMNS: Final[dict[str, str]] = {
    Dimension.EXIT_PAGE: "path",
    Dimension.EXIT_HOSTNAME: "hostname",
}
# Event dimensions that visits can be split by: the visit entered there.
PAGE_COLUMNS: Final[dict[str, str]] = {Dimension.PAGE: "path", Dimension.HOSTNAME: "hostname"}


def property_key(dimension: str) -> str | None:
    """The custom property that *dimension* names, if it names one."""
    return dimension.removeprefix(PROPERTY_PREFIX) if _is_property(dimension) else None


def is_event(dimension: str) -> bool:
    """Whether its value may differ between the events of one visit."""
    return dimension in EVENT_COLUMNS or _is_property(dimension)


def blank(dimension: str) -> str:
    """How an empty value of *dimension* reads."""
    if _is_property(dimension):
        return NONE
    return DIRECT if dimension in (Dimension.SOURCE, Dimension.REFERRER) else NOT_SET


def check_dimension(dimension: str, field: str) -> None:
    """Raise `Malformed` unless it can be split or filtered by (time only split)."""
    known = dimension in VISIT_COLUMNS or dimension in EXIT_COLUMNS or is_event(dimension)
    if known or (field == "dimensions" and dimension in TIME_DIMENSIONS):
        return
    if dimension in TIME_DIMENSIONS:
        raise Malformed(field, f"{dimension} cannot be filtered by; use date_range")
    raise Malformed(field, f"there is no dimension {dimension!r}")


def _is_property(dimension: str) -> bool:
    return dimension.startswith(PROPERTY_PREFIX) and len(dimension) > len(PROPERTY_PREFIX)
