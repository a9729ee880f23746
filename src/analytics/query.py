"""The query of a site's figures, and its result.

A `Query` is complete: dates are resolved to instants, names are validated. `dashboard` and the
Stats API build it; a store answers it with a `Result`. The meaning of each metric and each
dimension is defined in docs/metrics.md and compiled in one place, `store/sql/`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Metric(StrEnum):
    """A figure; see docs/metrics.md for each definition."""

    VISITORS = "visitors"
    VISITS = "visits"
    PAGEVIEWS = "pageviews"
    VIEWS_PER_VISIT = "views_per_visit"
    BOUNCE_RATE = "bounce_rate"
    VISIT_DURATION = "visit_duration"
    EVENTS = "events"
    TIME_ON_PAGE = "time_on_page"
    SCROLL_DEPTH = "scroll_depth"
    PERCENTAGE = "percentage"
    TOTAL_REVENUE = "total_revenue"
    AVERAGE_REVENUE = "average_revenue"
    EXITS = "exits"
    """Visits whose last pageview was there; only by page."""
    EXIT_RATE = "exit_rate"
    """Those exits, in percent of the page's pageviews."""
    CONVERSIONS = "conversions"
    """The events by which goals were reached."""
    CONVERSION_RATE = "conversion_rate"
    """The visitors who reached a goal, in percent of all visitors."""
    GROUP_CONVERSION_RATE = "group_conversion_rate"
    """The visitors who reached a goal, in percent of the row's visitors."""


class Dimension(StrEnum):
    """A way to split or filter figures. Custom properties are `event:props:<key>` besides."""

    PAGE = "event:page"
    HOSTNAME = "event:hostname"
    NAME = "event:name"
    GOAL = "event:goal"
    TITLE = "event:title"
    CURRENCY = "event:currency"
    ENTRY_PAGE = "visit:entry_page"
    ENTRY_HOSTNAME = "visit:entry_page_hostname"
    EXIT_PAGE = "visit:exit_page"
    EXIT_HOSTNAME = "visit:exit_page_hostname"
    SOURCE = "visit:source"
    REFERRER = "visit:referrer"
    CHANNEL = "visit:channel"
    UTM_SOURCE = "visit:utm_source"
    UTM_MEDIUM = "visit:utm_medium"
    UTM_CAMPAIGN = "visit:utm_campaign"
    UTM_CONTENT = "visit:utm_content"
    UTM_TERM = "visit:utm_term"
    COUNTRY = "visit:country"
    REGION = "visit:region"
    CITY = "visit:city"
    COUNTRY_NAME = "visit:country_name"
    REGION_NAME = "visit:region_name"
    CITY_NAME = "visit:city_name"
    DEVICE = "visit:device"
    BROWSER = "visit:browser"
    BROWSER_VERSION = "visit:browser_version"
    OS = "visit:os"
    OS_VERSION = "visit:os_version"
    LANGUAGE = "visit:language"
    SCREEN = "visit:screen"
    BOT_NAME = "visit:bot_name"
    BOT_OPERATOR = "visit:bot_operator"
    BOT_PURPOSE = "visit:bot_purpose"
    HOUR = "time:hour"
    DAY = "time:day"
    WEEK = "time:week"
    MONTH = "time:month"


PROPERTY_PREFIX: Final = "event:props:"
MACHINE_DIMENSIONS: Final = frozenset(
    {Dimension.BOT_NAME, Dimension.BOT_OPERATOR, Dimension.BOT_PURPOSE}
)
"""Dimensions of machines, which say nothing where only people count."""
PLACE_NAME_DIMENSIONS: Final = frozenset(
    {Dimension.COUNTRY_NAME, Dimension.REGION_NAME, Dimension.CITY_NAME}
)
"""Dimensions that another one has, too, by code."""
TIME_DIMENSIONS: Final = frozenset({Dimension.HOUR, Dimension.DAY, Dimension.WEEK, Dimension.MONTH})


class Op(StrEnum):
    """The comparison of a filter; the values of `matches` are RE2 regular expressions."""

    IS = "is"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    CONTAINS_NOT = "contains_not"
    MATCHES = "matches"
    MATCHES_NOT = "matches_not"


class Compare(msgspec.Struct, frozen=True, tag="compare"):
    """*dimension* compared with any of *values* (none of them for the `_not` operators)."""

    op: Op
    dimension: str
    values: tuple[str, ...]
    case_sensitive: bool = True


class All(msgspec.Struct, frozen=True, tag="and"):
    """Every one of *filters* holds."""

    filters: tuple[Filter, ...]


class Any(msgspec.Struct, frozen=True, tag="or"):
    """At least one of *filters* holds."""

    filters: tuple[Filter, ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """*filter* does not hold."""

    filter: Filter


class HasDone(msgspec.Struct, frozen=True, tag="has_done"):
    """The visit has (or with *negated*: has not) an event for which *filter* holds."""

    filter: Filter
    negated: bool = False


class InSequence(msgspec.Struct, frozen=True, tag="sequence"):
    """The visit has events that match *filters* one after the other, whatever lies between."""

    filters: tuple[Filter, ...]
    next_event: bool = False
    """Whether only the event matches that comes next once they all have; else the whole visit."""


class ScrolledTo(msgspec.Struct, frozen=True, tag="scrolled_to"):
    """The event's visit got down to *depth* percent of the event's page, or further."""

    depth: int


Filter = Compare | All | Any | Not | HasDone | InSequence | ScrolledTo


class NamedFilter(msgspec.Struct, frozen=True):
    """A filter with a name: a value of the dimension `event:goal`."""

    name: str
    filter: Filter
    currency: str = ""
    """That in which its revenue is summed, where there are rates; empty: as it was sent."""


class CurrencyRates(msgspec.Struct, frozen=True):
    """What one unit of a common base was worth in a currency on each of some days."""

    currency: str
    rates: tuple[str, ...]
    """Decimal numbers; "" on a day without one."""


class DailyRates(msgspec.Struct, frozen=True):
    """Exchange rates."""

    days: tuple[int, ...]
    """Since 1970-01-01, ascending."""
    currencies: tuple[CurrencyRates, ...]


class Period(msgspec.Struct, frozen=True):
    """A half-open span of UTC milliseconds, [start, end), seen in an IANA *timezone*."""

    start: int
    end: int
    timezone: str


class Order(msgspec.Struct, frozen=True):
    """Sort by a metric's or a dimension's name."""

    key: str
    descending: bool = True


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A query about one site."""

    site: str
    metrics: tuple[Metric, ...]
    period: Period
    dimensions: tuple[str, ...] = ()
    """Values of `Dimension`, or `event:props:<key>`."""
    filters: tuple[Filter, ...] = ()
    """All of them must match."""
    goals: tuple[NamedFilter, ...] = ()
    """The values of the dimension `event:goal`, by which no filter compares: what a goal's name
    stands for is resolved before. An event may have several of them."""
    base_filters: tuple[Filter, ...] | None = None
    """The filters of those in percent of whom conversion rates are; None without such metrics."""
    currency: str = ""
    """That in which revenue is summed, where there are rates; empty: as it was sent. By goal, each
    has its own."""
    rates: DailyRates | None = None
    """The rates to sum it by; the store adds those of its file."""
    order_by: tuple[Order, ...] = ()
    """Empty: time ascending, else the first metric descending, then the dimensions."""
    fewest_visitors: int = 0
    """Rows of fewer visitors come after all others; needs the metric `visitors`."""
    limit: int = 10_000
    offset: int = 0
    total_rows: bool = False
    bots: bool = False
    """Whether rows made by bots count too."""
    imports: bool = False
    """Whether the daily sums of other products count too, where they can."""


Figure = int | float | str | None
"""A metric's value, rounded by its definition; None where it has no value."""


class Imports(StrEnum):
    """Whether an answer includes the daily sums of other products, or why it does not."""

    INCLUDED = "included"
    NO_IMPORTED_DATA = "no_imported_data"
    """The site has none."""
    OUT_OF_RANGE = "out_of_range"
    """It has none of a day of the period."""
    UNSUPPORTED_INTERVAL = "unsupported_interval"
    """They are of days, and the question is by the hour."""
    UNSUPPORTED_QUERY = "unsupported_query"
    """No kind of sums has all that the question combines."""


class ResultRow(msgspec.Struct, frozen=True):
    """Values in the order of the query's `dimensions` and `metrics`."""

    dimensions: tuple[str, ...]
    """Blank source and referrer read `Direct / None`, a missing property `(none)`, and other blanks
    `(not set)`."""
    metrics: tuple[Figure, ...]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a `Query`."""

    rows: tuple[ResultRow, ...]
    total_rows: int | None = None
    """The number of rows without limit and offset; None unless the query has `total_rows`."""
    mixed_revenue: bool = False
    """Some row has revenue in several currencies, which has no sum."""
    visitor_days: bool = False
    """Visitors are counted over several of the site's days, and those among them without a
    cookie once a day each."""
    as_of: int | None = None
    """Set when the answer may lack events received after this time, in ms (a degraded answer)."""
    waiting: int = 0
    """The number of durable hits of all sites not yet counted; known only if `as_of` is set."""
    imports: Imports | None = None
    """None unless the query has `imports`."""


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """The visitors of a site's last 24 hours, for a list of sites."""

    visitors: int
    before: int | None
    """Visitors of the 24 hours before; None if retention has deleted part of that time."""
    current: int
    """Visitors of the last five minutes."""
    hours: tuple[int, ...]
    """Visitors of each of 24 whole hours, the current one last."""
