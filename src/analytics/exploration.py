"""Queries about the order of events: funnels, journeys and retention, and their results.

Like a `Query` they are complete: dates are resolved to instants, goals and segments to filters.
Their counts are defined in docs/metrics.md and compiled in `store/sql/`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from analytics.query import Filter, Period

WAIT_BOUNDS_MS: Final = (
    10_000,
    30_000,
    60_000,
    5 * 60_000,
    15 * 60_000,
    3_600_000,
    6 * 3_600_000,
    24 * 3_600_000,
    7 * 24 * 3_600_000,
)
"""The bounds between the classes in which waits are counted; a wait equal to one lies above it."""


class FunnelQuery(msgspec.Struct, frozen=True, kw_only=True, tag="funnel"):
    """Asks how many visits or visitors get from each of *steps* to the next."""

    site: str
    period: Period
    steps: tuple[Filter, ...]
    strict: bool = False
    """Whether each step must be the very next event; else others may lie between."""
    within_days: int | None = None
    """Days after the first step in which a visitor's steps count; None: the steps of one visit."""
    filters: tuple[Filter, ...] = ()
    """Only events that match all of them are considered."""
    bots: bool = False


class JourneyQuery(msgspec.Struct, frozen=True, kw_only=True, tag="journey"):
    """Asks where visits went from an event that *start* matches, or how they got there."""

    site: str
    period: Period
    start: Filter
    forward: bool = True
    levels: int = 5
    """The number of steps from the start."""
    most: int = 10
    """The number of pages and events named on each level; the rest are one stop."""
    events: bool = False
    """Whether custom events are steps too, and not pageviews alone."""
    filters: tuple[Filter, ...] = ()
    bots: bool = False


class RetentionUnit(StrEnum):
    """The length of time by which cohorts and returns are counted."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class RetentionQuery(msgspec.Struct, frozen=True, kw_only=True, tag="retention"):
    """Asks how many of the visitors first seen in each unit of time came back, and when."""

    site: str
    period: Period
    unit: RetentionUnit = RetentionUnit.WEEK
    filters: tuple[Filter, ...] = ()
    bots: bool = False


Exploration = FunnelQuery | JourneyQuery | RetentionQuery


class Waits(msgspec.Struct, frozen=True):
    """The time between two steps, of those who got to the second."""

    total_ms: int
    counts: tuple[int, ...]
    """By class: those below each of `WAIT_BOUNDS_MS`, and those above the last."""


class FunnelStep(msgspec.Struct, frozen=True):
    """The result for one step of a funnel."""

    reached: int
    """The visits or visitors that reached the step."""
    cookieless: int
    """Those without a cookie, who cannot be followed to another day."""
    waits: Waits
    """Since the step before."""


class FunnelResult(msgspec.Struct, frozen=True, kw_only=True, tag="funnel"):
    """The answer to a `FunnelQuery`, step by step."""

    steps: tuple[FunnelStep, ...]
    to_convert: Waits
    """From the first step to the last."""
    as_of: int | None = None
    """See `Result.as_of`."""
    waiting: int = 0
    """See `Result.waiting`."""


class StopKind(StrEnum):
    """The kind of a stop of a journey."""

    PAGE = "page"
    EVENT = "event"
    OTHER = "other"
    """All pages and events of the level that are not named."""


class Stop(msgspec.Struct, frozen=True, order=True):
    """A page by its path, or a custom event by its name."""

    kind: StopKind
    name: str = ""


class Passage(msgspec.Struct, frozen=True):
    """The visits that have *stop* at a level, and *before* it at the level before."""

    level: int
    """From 0, which is the start itself."""
    before: Stop | None
    """None at level 0."""
    stop: Stop
    visits: int


class JourneyResult(msgspec.Struct, frozen=True, kw_only=True, tag="journey"):
    """The answer to a `JourneyQuery`: by level, the most visits first."""

    passages: tuple[Passage, ...]
    as_of: int | None = None
    waiting: int = 0


class Cohort(msgspec.Struct, frozen=True):
    """The visitors first seen on a day, or in the week or month that begins with *label*."""

    label: str
    visitors: tuple[int, ...]
    """Its visitors in that unit of time, in the next, and so on to the end of the period."""


class RetentionResult(msgspec.Struct, frozen=True, kw_only=True, tag="retention"):
    """The answer to a `RetentionQuery`: a cohort for each time of the period."""

    cohorts: tuple[Cohort, ...]
    cookieless: int = 0
    """Visitors of the period without a cookie, once a day each. They are in no cohort: nobody can
    tell whether they came back."""
    as_of: int | None = None
    waiting: int = 0


ExplorationResult = FunnelResult | JourneyResult | RetentionResult
