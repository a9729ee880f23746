"""What funnels, journeys and retention answer, member by member, for the OpenAPI document."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from analytics.api.stats_replies import Completeness
from analytics.exploration import StopKind

TimeClass = TypedDict("TimeClass", {"from": int, "below": int | None, "count": int})
"""How many took so many seconds."""


class Times(TypedDict):
    """How long something took."""

    average: int | None
    """In seconds."""
    classes: list[TimeClass]


class ExploredQuery(TypedDict):
    """A question as it was understood."""

    site_id: str
    date_range: list[str]


class FunnelRow(TypedDict):
    """One step of a funnel."""

    step: int
    visits: NotRequired[int]
    visitors: NotRequired[int]
    without_cookie: int
    rate: float | None
    rate_of_step: float | None
    time: Times | None


class FunnelReply(TypedDict):
    """The answer to `POST /api/v2/funnel`."""

    results: list[FunnelRow]
    time_to_convert: Times
    meta: Completeness
    query: ExploredQuery


class StopReply(TypedDict):
    """A page by its path, or a custom event by its name."""

    kind: StopKind
    name: str | None


class StopCount(StopReply):
    """A stop, and the visits that have it."""

    visits: int


PassageReply = TypedDict("PassageReply", {"from": StopReply, "to": StopReply, "visits": int})
"""A stop after another."""


class JourneyLevel(TypedDict):
    """The stops that lie so many steps from the start."""

    level: int
    stops: list[StopCount]
    passages: list[PassageReply]


class JourneyReply(TypedDict):
    """The answer to `POST /api/v2/journey`."""

    results: list[JourneyLevel]
    meta: Completeness
    query: ExploredQuery


class CohortReply(TypedDict):
    """Those first seen at a time."""

    cohort: str
    visitors: list[int]
    rates: list[float | None]


class RetentionReply(TypedDict):
    """The answer to `POST /api/v2/retention`."""

    results: list[CohortReply]
    visitors_without_cookie: int
    meta: Completeness
    query: ExploredQuery
