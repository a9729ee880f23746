"""What the Stats API answers, member by member; the OpenAPI document is made of it."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Money(TypedDict):
    """An amount of money."""

    value: float
    currency: str
    short: str
    """Rounded to whole units, with the code of the currency."""
    long: str
    """With the currency's decimals."""


FigureJson = float | Money | None
"""A figure of an answer; null where it has no value."""


class Completeness(TypedDict):
    """Whether later hits may be missing from an answer."""

    as_of: NotRequired[int]
    """Up to when it is complete, in milliseconds since 1970, if that is some time ago."""
    waiting: NotRequired[int]
    """How many hits of all sites are still to be counted."""


class ImportNotes(TypedDict):
    """Whether daily sums of another product are in an answer."""

    imports_included: NotRequired[bool]
    imports_skip_reason: NotRequired[str]
    imports_warning: NotRequired[str]
    """Why sums that are there are not in the answer."""


class ComparedRow(TypedDict):
    """The figures of an earlier period, and how they changed."""

    dimensions: tuple[str, ...]
    metrics: list[FigureJson]
    change: list[float | None]
    """In percent; of rates, in points."""


class QueryRow(TypedDict):
    """The figures of one value of each dimension."""

    dimensions: tuple[str, ...]
    metrics: list[FigureJson]
    comparison: NotRequired[ComparedRow | None]


class MetricWarning(TypedDict):
    """Why a metric is empty."""

    code: str
    warning: str


class QueryMeta(Completeness, ImportNotes):
    """What an answer says of itself."""

    time_labels: NotRequired[list[str]]
    total_rows: NotRequired[int]
    visitor_days: NotRequired[bool]
    metric_warnings: NotRequired[dict[str, MetricWarning]]


class UnderstoodQuery(TypedDict):
    """A question as it was understood."""

    site_id: str
    metrics: tuple[str, ...]
    date_range: list[str]
    comparison_date_range: NotRequired[list[str]]
    dimensions: tuple[str, ...]
    filters: list[Any]
    order_by: list[tuple[str, str]]
    include: dict[str, Any]
    pagination: dict[str, int]


class QueryReply(TypedDict):
    """The answer to `POST /api/v2/query`."""

    results: list[QueryRow]
    meta: QueryMeta
    query: UnderstoodQuery


class MetaV1(Completeness, ImportNotes):
    """What an answer of version 1 says of itself."""


class AggregateFigure(TypedDict):
    """A figure, and how it changed."""

    value: FigureJson
    change: NotRequired[float | None]
    comparison_value: NotRequired[FigureJson]


class AggregateReply(TypedDict):
    """The answer to `aggregate`: a figure for each metric."""

    results: dict[str, AggregateFigure]
    warning: NotRequired[str]
    """As `imports_warning` of `meta`."""
    meta: NotRequired[MetaV1]


class RowsReply(TypedDict):
    """The answer to `timeseries` and `breakdown`: a bucket or a value, and a figure a metric."""

    results: list[dict[str, str | FigureJson]]
    warning: NotRequired[str]
    """As `imports_warning` of `meta`."""
    meta: NotRequired[MetaV1]
